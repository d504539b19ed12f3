"""Samples, acquisitions and processes."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import BigInteger, Select, func, literal, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.identity.types import ProjectId
from quadrat.objects.tables import acquisition, net_sample, process
from quadrat.objects.types import Acquisition, AcquisitionId, NetSample, NetSampleId, Process, TaxonCounts, TaxonId

TABLES = {"sample": net_sample, "acquisition": acquisition, "process": process}


def _select_samples() -> Select[*tuple[Any, ...]]:
    return select(
        net_sample.c.id,
        net_sample.c.project_id,
        net_sample.c.orig_id,
        net_sample.c.latitude,
        net_sample.c.longitude,
        net_sample.c.descriptor,
        net_sample.c.free_texts,
    )


def _to_sample(row: Sequence[Any]) -> NetSample:
    return NetSample(NetSampleId(row[0]), ProjectId(row[1]), row[2], row[3], row[4], row[5], tuple(row[6]))


async def find_sample(tx: AsyncConnection, sample_id: int) -> NetSample | None:
    """By number."""
    row = (await tx.execute(_select_samples().where(net_sample.c.id == sample_id))).one_or_none()
    return None if row is None else _to_sample(row)


async def search_samples(tx: AsyncConnection, project_ids: Collection[ProjectId], pattern: str) -> list[NetSample]:
    """Samples of projects whose name is LIKE the pattern, in any case."""
    query = _select_samples().where(net_sample.c.project_id.in_(project_ids), net_sample.c.orig_id.ilike(pattern))
    return [_to_sample(row) for row in await tx.execute(query.order_by(net_sample.c.project_id, net_sample.c.id))]


def _select_acquisitions() -> Select[*tuple[Any, ...]]:
    return select(
        acquisition.c.id,
        acquisition.c.project_id,
        acquisition.c.sample_id,
        acquisition.c.orig_id,
        acquisition.c.instrument,
        acquisition.c.free_texts,
    )


def _to_acquisition(row: Sequence[Any]) -> Acquisition:
    return Acquisition(
        AcquisitionId(row[0]), ProjectId(row[1]), NetSampleId(row[2]), row[3], row[4], free_texts=tuple(row[5])
    )


async def find_acquisition(tx: AsyncConnection, acquisition_id: int) -> Acquisition | None:
    """By number."""
    row = (await tx.execute(_select_acquisitions().where(acquisition.c.id == acquisition_id))).one_or_none()
    return None if row is None else _to_acquisition(row)


async def list_acquisitions(tx: AsyncConnection, project_id: ProjectId) -> list[Acquisition]:
    """Those of a project, by number."""
    query = _select_acquisitions().where(acquisition.c.project_id == project_id).order_by(acquisition.c.id)
    return [_to_acquisition(row) for row in await tx.execute(query)]


async def find_process(tx: AsyncConnection, process_id: int) -> tuple[ProjectId, Process] | None:
    """By number, which is that of its acquisition; with its project."""
    query = (
        select(acquisition.c.project_id, process.c.acquisition_id, process.c.orig_id, process.c.free_texts)
        .join(acquisition, acquisition.c.id == process.c.acquisition_id)
        .where(process.c.acquisition_id == process_id)
    )
    row = (await tx.execute(query)).one_or_none()
    return None if row is None else (ProjectId(row[0]), Process(AcquisitionId(row[1]), row[2], tuple(row[3])))


async def projects_of(tx: AsyncConnection, kind: str, ids: Collection[int]) -> dict[int, ProjectId]:
    """Projects of samples, acquisitions or processes by their numbers."""
    table = net_sample if kind == "sample" else acquisition
    query = select(table.c.id, table.c.project_id).where(table.c.id == func.any(_ids(ids)))
    return {row[0]: ProjectId(row[1]) for row in await tx.execute(query)}


async def update_parents(
    tx: AsyncConnection, kind: str, ids: Collection[int], values: Mapping[str, Any], texts: Mapping[int, str]
) -> int:
    """Set columns, and free texts by position, to one value each; how many rows."""
    table = TABLES[kind]
    number = process.c.acquisition_id if kind == "process" else table.c.id
    changes: dict[Any, Any] = {table.c[name]: value for name, value in values.items()}
    changes |= {table.c.free_texts[position + 1]: value for position, value in texts.items()}
    done = await tx.execute(update(table).where(number == func.any(_ids(ids))).values(changes))
    return done.rowcount


async def count_by_sample(tx: AsyncConnection, sample_ids: Collection[int]) -> list[tuple[int, TaxonCounts]]:
    """Objects of samples by taxon and state."""
    statement = text(
        """
        SELECT sample_id, coalesce(taxon_id, -1), count(*), count(*) FILTER (WHERE state = 'P'),
               count(*) FILTER (WHERE state = 'V'), count(*) FILTER (WHERE state = 'D')
        FROM objects.object
        WHERE acquisition_id IN (SELECT id FROM objects.acquisition WHERE sample_id = ANY(CAST(:ids AS bigint[])))
        GROUP BY 1, 2 ORDER BY 1, 2
        """
    )
    rows = await tx.execute(statement, {"ids": list(sample_ids)})
    return [(row[0], TaxonCounts(TaxonId(row[1]), *row[2:])) for row in rows]


def _ids(ids: Collection[int]) -> Any:
    return literal(list(ids), ARRAY(BigInteger))
