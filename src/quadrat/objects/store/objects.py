"""Sets of objects: where they belong, changes of their facts and features, removal."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.identity.types import ProjectId
from quadrat.objects.frames.specs import Ids
from quadrat.objects.store.arrays import any_of, binary_row, integers, read_ids
from quadrat.objects.store.clock import note_change
from quadrat.objects.tables import fact, feature, taxon
from quadrat.objects.types import ChangeKind, TaxonId

_PARENTS = """
SELECT coalesce(string_agg(
    int8send(id) || int8send(acquisition_id) || int8send(sample_id) || int8send(project_id), ''), '')
FROM objects.object WHERE id = ANY(%(ids)s)
"""
_REMOVE = text("""
WITH gone AS MATERIALIZED (
    DELETE FROM objects.object WHERE project_id = :project AND id = ANY(:ids) RETURNING id, taxon_id, state
),
gone_history AS (DELETE FROM objects.history h USING gone WHERE h.object_id = gone.id),
gone_fact AS (DELETE FROM objects.fact f USING gone WHERE f.object_id = gone.id),
gone_feature AS (DELETE FROM objects.feature f USING gone WHERE f.object_id = gone.id),
gone_prediction AS (DELETE FROM objects.prediction p USING gone WHERE p.object_id = gone.id),
gone_vector AS (DELETE FROM objects.vector v USING gone WHERE v.object_id = gone.id),
counted AS (
    UPDATE objects.project_taxon t SET
        n_objects = t.n_objects - g.n, n_predicted = t.n_predicted - g.p,
        n_validated = t.n_validated - g.v, n_dubious = t.n_dubious - g.d
    FROM (
        SELECT coalesce(taxon_id, -1) AS taxon, count(*) AS n, count(*) FILTER (WHERE state = 'P') AS p,
               count(*) FILTER (WHERE state = 'V') AS v, count(*) FILTER (WHERE state = 'D') AS d
        FROM gone GROUP BY 1
    ) g
    WHERE t.project_id = :project AND t.taxon_id = g.taxon
)
SELECT coalesce(string_agg(int8send(id), ''::bytea ORDER BY id), ''::bytea) FROM gone
""")
_REMOVE_IMAGES = text("""
DELETE FROM objects.image WHERE object_id = ANY(:ids)
RETURNING id, extension, thumbnail_width_px IS NOT NULL
""")


@dataclass(frozen=True, slots=True)
class RemovedImage:
    """An image whose bytes are to go."""

    id: int
    extension: str
    has_thumbnail: bool


async def find_parents(tx: AsyncConnection, object_ids: Ids) -> tuple[Ids, Ids, Ids, Ids]:
    """Object, acquisition, sample and project of each of the objects that exist."""
    row = await binary_row(tx, _PARENTS, {"ids": integers(np.unique(object_ids))})
    found = np.frombuffer(b"" if row is None else row[0], ">i8").astype(np.int64).reshape(-1, 4)
    return found[:, 0], found[:, 1], found[:, 2], found[:, 3]


async def projects_of(tx: AsyncConnection, object_ids: Ids) -> Mapping[ProjectId, int]:
    """The projects that the objects are in, with how many of them exist there."""
    statement = text("SELECT project_id, count(*) FROM objects.object WHERE id = ANY(:ids) GROUP BY project_id")
    rows = await tx.execute(statement, {"ids": integers(object_ids)})
    return {ProjectId(row[0]): row[1] for row in rows}


async def unknown_taxa(tx: AsyncConnection, taxa: Ids) -> set[int]:
    """Those that are no taxa."""
    rows = await tx.execute(select(taxon.c.id).where(any_of(taxon.c.id, taxa)))
    return set(taxa.tolist()) - {row[0] for row in rows}


async def remove_objects(
    tx: AsyncConnection, project_id: ProjectId, number: int, object_ids: Ids
) -> tuple[int, Sequence[RemovedImage]]:
    """Remove objects with all that belongs to them, as the change that `tick` gave; how many, and their images."""
    packed: bytes = (await tx.execute(_REMOVE, {"project": project_id, "ids": integers(object_ids)})).scalar_one()
    gone = read_ids(packed)
    if not len(gone):
        return 0, []
    images = [RemovedImage(*row) for row in await tx.execute(_REMOVE_IMAGES, {"ids": integers(gone)})]
    await note_change(tx, project_id, number, ChangeKind.REMOVED, gone)
    return len(gone), images


async def update_facts(tx: AsyncConnection, project_id: ProjectId, object_ids: Ids, values: Mapping[str, Any]) -> int:
    """Set columns of `fact` to one value each; how many rows."""
    chosen = (fact.c.project_id == project_id, any_of(fact.c.object_id, object_ids))
    done = await tx.execute(update(fact).where(*chosen).values(dict(values)))
    return done.rowcount


async def update_features(
    tx: AsyncConnection,
    project_id: ProjectId,
    object_ids: Ids,
    numbers: Mapping[int, float | None],
    texts: Mapping[int, str],
) -> int:
    """Set free columns, by position, to one value each; how many rows."""
    values: dict[Any, Any] = {feature.c.numbers[position + 1]: value for position, value in numbers.items()}
    values |= {feature.c.texts[position + 1]: value for position, value in texts.items()}
    chosen = (feature.c.project_id == project_id, any_of(feature.c.object_id, object_ids))
    done = await tx.execute(update(feature).where(*chosen).values(values))
    return done.rowcount


async def taxon_names(tx: AsyncConnection, taxa: Ids) -> Mapping[TaxonId, tuple[str, str | None]]:
    """Name and parent's name of each."""
    parent = taxon.alias("parent")
    query = select(taxon.c.id, taxon.c.name, parent.c.name).outerjoin(parent, parent.c.id == taxon.c.parent_id)
    rows = await tx.execute(query.where(any_of(taxon.c.id, taxa)))
    return {TaxonId(row[0]): (row[1], row[2]) for row in rows}
