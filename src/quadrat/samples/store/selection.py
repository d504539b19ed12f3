"""All SQL that reads the samples of a tag."""

from collections.abc import AsyncIterator, Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.samples.store.samples import select_full, to_sample
from quadrat.samples.tables import sample
from quadrat.samples.types import DatasetId, ImageSample, SampleId, SampleName

_BLOCK = 2000


async def iterate_selected(
    conn: AsyncConnection, dataset_id: DatasetId, indexes: Sequence[int], *, full: bool
) -> AsyncIterator[tuple[int, ImageSample | SampleName]]:
    """Samples by their indexes, in the order given, with the index; read in blocks."""
    for start in range(0, len(indexes), _BLOCK):
        block = indexes[start : start + _BLOCK]
        query = select_full() if full else select(sample.c.id, sample.c.file_name, sample.c.index)
        query = query.where(sample.c.dataset_id == dataset_id, sample.c.index.in_(block)).order_by(sample.c.index)
        for row in await conn.execute(query):
            if full:
                found = to_sample(row)
                yield found.index, found
            else:
                yield row[2], SampleName(SampleId(row[0]), row[1])
