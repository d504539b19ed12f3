"""Statistics of an enrichment: permission first, then the numbers."""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.gaze.actions.access import EnrichmentPath, not_found, open_enrichment
from quadrat.gaze.analysis import Plan
from quadrat.gaze.store import aois as aoi_store
from quadrat.gaze.store import enrichments as store
from quadrat.gaze.types import PLANAR_KINDS, Enrichment, MappedRecording
from quadrat.identity.types import Caller, OrganizationId


async def plan_statistics(
    tx: AsyncConnection, caller: Caller, path: EnrichmentPath, recordings: Collection[UUID] | None
) -> Plan:
    """What statistics of an enrichment are made of, at this moment.

    Args:
        tx: The transaction.
        caller: Who asks.
        path: The enrichment.
        recordings: Only these; None for all.

    Raises:
        QuadratError: not_found for the enrichment or one of the recordings; forbidden.
    """
    opened = await open_enrichment(tx, caller, path, "aois.read")
    return await make_plan(tx, path.workspace.organization.id, opened.enrichment, recordings)


async def make_plan(
    tx: AsyncConnection, organization_id: OrganizationId, enrichment: Enrichment, recordings: Collection[UUID] | None
) -> Plan:
    """The same for an enrichment that is open already.

    Raises:
        QuadratError: not_found for one of the recordings.
    """
    mappings = (await store.list_mappings(tx, [enrichment.id], organization_id)).get(enrichment.id, [])
    planar = enrichment.kind in PLANAR_KINDS
    return Plan(
        enrichment=enrichment,
        aois=await aoi_store.list_aois(tx, enrichment.id, pictures=False) if planar else [],
        labels=await aoi_store.list_labels_of(tx, enrichment.id) if planar else [],
        mappings=_choose(mappings, recordings),
    )


def _choose(mappings: Sequence[MappedRecording], wanted: Collection[UUID] | None) -> Sequence[MappedRecording]:
    if wanted is None:
        return mappings
    known = {mapping.recording.uuid for mapping in mappings}
    for uuid in wanted:
        if uuid not in known:
            raise not_found("In this enrichment, recording", uuid)
    return [mapping for mapping in mappings if mapping.recording.uuid in set(wanted)]
