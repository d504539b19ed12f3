"""The log of taxa that were turned into others in whole projects."""

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.objects.store.classification import Change
from quadrat.objects.tables import reclassification
from quadrat.objects.types import TaxonId


async def log_reclassification(
    tx: AsyncConnection, change: Change, taxa: tuple[TaxonId, TaxonId], reason: str, n_objects: int
) -> None:
    """Note it; done again, only its time moves."""
    from_taxon_id, to_taxon_id = taxa
    statement = insert(reclassification).values(
        project_id=change.project_id,
        from_taxon_id=from_taxon_id,
        to_taxon_id=to_taxon_id,
        reason=reason,
        n_objects=n_objects,
        at=change.at,
    )
    await tx.execute(
        statement.on_conflict_do_update(
            index_elements=[
                reclassification.c.project_id,
                reclassification.c.from_taxon_id,
                reclassification.c.to_taxon_id,
            ],
            set_={"at": statement.excluded.at},
        )
    )
