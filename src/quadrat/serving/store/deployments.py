"""Versions joined with all that an engine has to know of them."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.identity.tables import project
from quadrat.identity.types import ProjectId
from quadrat.serving.rules.variables import effective
from quadrat.serving.store.models import signatures_of
from quadrat.serving.store.variables import list_for
from quadrat.serving.tables import model, package, version
from quadrat.serving.types import (
    Build,
    DataKind,
    Deployment,
    Package,
    PackageId,
    Signature,
    VersionId,
    VersionSettings,
    VersionStatus,
)
from quadrat.serving.variable_types import Place


async def find_deployment(
    tx: AsyncConnection, project_id: ProjectId, model_name: str, version_name: str
) -> Deployment | None:
    """The version at this path."""
    found = await _load(tx, project.c.id == project_id, model.c.name == model_name, version.c.name == version_name)
    return found[0] if found else None


async def list_deployments(tx: AsyncConnection, version_ids: Collection[VersionId]) -> Sequence[Deployment]:
    """Those of the versions that exist."""
    return await _load(tx, version.c.id.in_(version_ids))


async def list_always_running(tx: AsyncConnection) -> Sequence[Deployment]:
    """Available versions that ask for instances without any request."""
    return await _load(tx, version.c.minimum_instances > 0, version.c.status.startswith(VersionStatus.AVAILABLE))


async def set_trouble(tx: AsyncConnection, version_id: VersionId, reason: str) -> None:
    """Show why a version that is available keeps failing; nothing when it works again."""
    statement = update(version).where(
        version.c.id == version_id,
        version.c.status == VersionStatus.AVAILABLE,
        version.c.error_message != reason,
    )
    await tx.execute(statement.values(error_message=reason))


async def find_build(tx: AsyncConnection, version_id: VersionId, number: int) -> Build | None:
    """What this build needs while it is the newest of its version; else None."""
    row = (await tx.execute(_select(version.c.package_id, version.c.id == version_id, version.c.build == number))).all()
    if not row or row[0][-1] is None:
        return None
    found = await _to_deployments(tx, row)
    deployment = found[0]
    assert deployment.package is not None  # noqa: S101 - looked at above
    served = await tx.execute(select(version.c.serving_package_id).where(version.c.id == version_id))
    return Build(
        version_id,
        number,
        deployment.package,
        deployment.settings.language,
        served.scalar_one() is not None,
        deployment,
    )


async def _load(tx: AsyncConnection, *conditions: ColumnElement[bool]) -> Sequence[Deployment]:
    return await _to_deployments(tx, (await tx.execute(_select(version.c.serving_package_id, *conditions))).all())


def _select(package_id: ColumnElement[Any], *conditions: ColumnElement[bool]) -> Any:
    return (
        select(
            project.c.id,
            project.c.name,
            model.c.id,
            model.c.uuid,
            model.c.name,
            model.c.input_kind,
            model.c.output_kind,
            version.c.id,
            version.c.uuid,
            version.c.name,
            version.c.status,
            func.coalesce(version.c.serving_language, version.c.language),
            version.c.language,
            version.c.memory_allocation_mb,
            version.c.minimum_instances,
            version.c.maximum_instances,
            version.c.maximum_idle_time_s,
            version.c.description,
            version.c.updated_at,
            package.c.key,
            package.c.blob_key,
            package.c.file_name,
            package.c.size_bytes,
            package.c.id,
        )
        .join(model, model.c.project_id == project.c.id)
        .join(version, version.c.model_id == model.c.id)
        .outerjoin(package, package.c.id == package_id)
        .where(*conditions)
    )


async def _to_deployments(tx: AsyncConnection, rows: Sequence[Sequence[Any]]) -> list[Deployment]:
    if not rows:
        return []
    fields = await signatures_of(tx, {row[2] for row in rows})
    places = [Place(row[0], row[2], row[7]) for row in rows]
    variables = await list_for(tx, places)
    return [
        replace(_to_deployment(row, *map(tuple, fields[row[2]])), variables=effective(variables[place]))
        for row, place in zip(rows, places, strict=True)
    ]


def _to_deployment(row: Sequence[Any], taken: tuple[Any, ...], given: tuple[Any, ...]) -> Deployment:
    project_id, project_name, _, model_uuid, model_name, input_kind, output_kind = row[:7]
    version_id, version_uuid, version_name, status, language = row[7:12]
    changed_at, key, blob_key, file_name, size_bytes, package_id = row[18:]
    return Deployment(
        ProjectId(project_id),
        project_name,
        model_uuid,
        model_name,
        VersionId(version_id),
        version_uuid,
        version_name,
        VersionStatus(status),
        Signature(DataKind(input_kind), taken),
        Signature(DataKind(output_kind), given),
        VersionSettings(*row[12:18]),
        changed_at,
        None if package_id is None else Package(key, blob_key, file_name, size_bytes, PackageId(package_id)),
        language,
    )
