"""All SQL of datasources and metadata configurations."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.samples.tables import configuration, datasource
from quadrat.samples.types import DatasetId, DataSource, MetadataConfiguration


async def find_datasource(tx: AsyncConnection, dataset_id: DatasetId) -> DataSource | None:
    """Where the dataset's images lie, if somebody said so."""
    query = select(
        datasource.c.id,
        datasource.c.kind,
        datasource.c.purpose,
        datasource.c.full_path,
        datasource.c.settings,
    ).where(datasource.c.dataset_id == dataset_id)
    row = (await tx.execute(query)).one_or_none()
    return None if row is None else DataSource(row[0], row[1], row[2], row[3], row[4])


async def set_datasource(tx: AsyncConnection, dataset_id: DatasetId, found: DataSource) -> None:
    """Keep it, in place of an earlier one, whose id stays."""
    values = {
        "kind": found.kind,
        "purpose": found.purpose,
        "full_path": found.full_path,
        "settings": dict(found.settings),
    }
    upsert = insert(datasource).values(dataset_id=dataset_id, id=found.id, **values)
    await tx.execute(upsert.on_conflict_do_update(index_elements=[datasource.c.dataset_id], set_=values))


async def insert_configuration(
    tx: AsyncConnection, dataset_id: DatasetId, id_: str, name: str, entries: Sequence[Mapping[str, Any]], at: datetime
) -> None:
    """A new metadata configuration."""
    await tx.execute(
        insert(configuration).values(
            id=id_,
            dataset_id=dataset_id,
            name=name,
            entries=[dict(entry) for entry in entries],
            created_at=at,
            last_modified_at=at,
        )
    )


async def list_configurations(tx: AsyncConnection, dataset_id: DatasetId) -> list[MetadataConfiguration]:
    """Those of a dataset, in the order of creation."""
    query = (
        select(
            configuration.c.id,
            configuration.c.name,
            configuration.c.entries,
            configuration.c.created_at,
            configuration.c.last_modified_at,
        )
        .where(configuration.c.dataset_id == dataset_id)
        .order_by(configuration.c.created_at, configuration.c.id)
    )
    return [MetadataConfiguration(row[0], row[1], row[2], row[3], row[4]) for row in await tx.execute(query)]
