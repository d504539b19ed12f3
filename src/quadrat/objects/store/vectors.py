"""What networks have made of images: kept as arrays, compared by the extension pgvector."""

from collections.abc import Mapping, Sequence

import numpy as np
from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.identity.types import ProjectId
from quadrat.objects.frames.specs import Ids, Numbers
from quadrat.objects.store.arrays import any_of, binary_row, integers, to_ids
from quadrat.objects.tables import vector

# In an array's binary form a head of 20 bytes, and four bytes of length before each element.
_PACK = """
SELECT coalesce(string_agg(int8send(object_id) || array_send(elements), ''), ''),
       coalesce(max(cardinality(elements)), 0)
FROM objects.vector WHERE object_id = ANY(%(ids)s) AND network = %(network)s
"""
_NEAREST = """
SELECT coalesce(string_agg(int8send(v.object_id) || float8send(v.elements::vector <=> q.elements::vector), ''), '')
FROM objects.vector v JOIN objects.vector q ON q.object_id = %(id)s AND q.network = v.network
    AND q.project_id = v.project_id AND cardinality(q.elements) = cardinality(v.elements)
WHERE v.project_id = %(project)s
"""


async def keep_vectors(
    tx: AsyncConnection, project_id: ProjectId, network: str, found: Mapping[int, Sequence[float]]
) -> None:
    """Keep vectors of objects that are still there, instead of what other networks made of them."""
    if not found:
        return
    rows = [
        {"object_id": id_, "project_id": project_id, "network": network, "elements": list(elements)}
        for id_, elements in sorted(found.items())
    ]
    statement = insert(vector).values(rows)
    new = statement.excluded
    values = {"network": new.network, "elements": new.elements}
    await tx.execute(statement.on_conflict_do_update(index_elements=[vector.c.object_id], set_=values))


async def without_vector(tx: AsyncConnection, object_ids: Ids, network: str) -> Ids:
    """Those of the objects of which the network has made nothing yet."""
    query = select(vector.c.object_id).where(vector.c.network == network, any_of(vector.c.object_id, object_ids))
    return np.setdiff1d(object_ids, to_ids((await tx.execute(query)).scalars().all()))


async def load_vectors(tx: AsyncConnection, object_ids: Ids, network: str | None = None) -> Numbers:
    """Vectors of objects in the order given, NaN where there is none; of no width where no object has one.

    Args:
        tx: The transaction.
        object_ids: Each once, rising.
        network: Which made them; None for the one that made the first of them.
    """
    if network is None:
        query = select(func.min(vector.c.network)).where(any_of(vector.c.object_id, object_ids))
        network = (await tx.execute(query)).scalar_one_or_none()
    row = None
    if network is not None and len(object_ids):
        row = await binary_row(tx, _PACK, {"ids": integers(object_ids), "network": network})
    packed, width = (b"", 0) if row is None else row
    cell = np.dtype([("length", ">i4"), ("value", ">f4")])
    rows = np.frombuffer(packed, [("id", ">i8"), ("head", "V20"), ("cells", cell, (width,))]) if width else None
    values = np.full((len(object_ids), width), np.nan)
    if rows is not None:
        values[np.searchsorted(object_ids, rows["id"].astype(np.int64))] = rows["cells"]["value"]
    return values


async def distances(tx: AsyncConnection, project_id: ProjectId, object_id: int) -> tuple[Ids, Numbers]:
    """Objects of a project with the cosine distance of their vectors to that of one object, in no order."""
    row = await binary_row(tx, _NEAREST, {"id": object_id, "project": project_id})
    found = np.frombuffer(b"" if row is None else row[0], [("id", ">i8"), ("distance", ">f8")])
    return found["id"].astype(np.int64), found["distance"].astype(np.float64)


async def clear_vectors(tx: AsyncConnection, project_id: ProjectId) -> None:
    """Remove the vectors of a project, whose network is another one now."""
    await tx.execute(delete(vector).where(vector.c.project_id == project_id))
