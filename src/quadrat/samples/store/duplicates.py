"""All SQL that finds images which are the same or look alike."""

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.samples.tables import fact, sample
from quadrat.samples.types import DatasetId, SampleId

MAX_BITS = 3
"""Hashes of 64 bits in four parts: two that differ in at most three bits agree in one part."""


async def list_equal(
    tx: AsyncConnection, dataset_id: DatasetId, page: tuple[int, int]
) -> list[tuple[SampleId, SampleId, int]]:
    """Samples whose bytes another sample of a lower index has too, each with the first such one."""
    first = func.first_value(sample.c.id).over(partition_by=fact.c.sha256, order_by=sample.c.index)
    groups = (
        select(sample.c.id, sample.c.index, first.label("first_id"))
        .join(fact, fact.c.sample_id == sample.c.id)
        .where(fact.c.dataset_id == dataset_id, fact.c.sha256.is_not(None))
        .subquery()
    )
    limit, offset = page
    query = (
        select(groups.c.id, groups.c.first_id)
        .where(groups.c.id != groups.c.first_id)
        .order_by(groups.c.index)
        .limit(limit)
        .offset(offset)
    )
    return [(SampleId(row[0]), SampleId(row[1]), 0) for row in await tx.execute(query)]


async def list_alike(
    tx: AsyncConnection, dataset_id: DatasetId, max_bits: int, page: tuple[int, int]
) -> list[tuple[SampleId, SampleId, int]]:
    """Samples with an earlier one whose hash differs in at most so many bits; of equal hashes the first counts."""
    limit, offset = page
    values = {"dataset": dataset_id, "bits": max_bits, "limit": limit, "offset": offset}
    rows = await tx.execute(_ALIKE, values)
    return [(SampleId(row[0]), SampleId(row[1]), row[2]) for row in rows]


# Equal hashes count once, with the first sample that has them: a thousand black pictures are no half million pairs.
_ALIKE = text(
    """
    WITH hashes AS MATERIALIZED (
        SELECT f.perceptual_hash AS hash, min(s.index) AS first
        FROM samples.fact f JOIN samples.sample s ON s.id = f.sample_id
        WHERE f.dataset_id = :dataset AND f.perceptual_hash IS NOT NULL
        GROUP BY f.perceptual_hash
    ), parts AS MATERIALIZED (
        SELECT hash, first, shift, (hash >> shift) & 65535 AS part
        FROM hashes CROSS JOIN unnest(ARRAY[0, 16, 32, 48]) AS shift
    ), matches AS (
        SELECT DISTINCT a.hash, b.first, bit_count((a.hash # b.hash)::bit(64))::integer AS bits
        FROM parts a JOIN parts b ON b.shift = a.shift AND b.part = a.part
        WHERE bit_count((a.hash # b.hash)::bit(64)) <= :bits
    )
    SELECT s.id, o.id, m.bits
    FROM samples.fact f
    JOIN samples.sample s ON s.id = f.sample_id
    JOIN matches m ON m.hash = f.perceptual_hash
    JOIN samples.sample o ON o.dataset_id = f.dataset_id AND o.index = m.first
    WHERE f.dataset_id = :dataset AND m.first < s.index
    ORDER BY s.index, m.bits, o.index LIMIT :limit OFFSET :offset
    """
)
