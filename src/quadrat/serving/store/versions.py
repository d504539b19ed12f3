"""Rows of versions and of what was uploaded for them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base.ids import new_uuid
from quadrat.serving.tables import package, version
from quadrat.serving.types import (
    Archive,
    ModelId,
    Package,
    PackageId,
    Version,
    VersionId,
    VersionSettings,
    VersionStatus,
)

_SETTINGS = (
    version.c.language,
    version.c.memory_allocation_mb,
    version.c.minimum_instances,
    version.c.maximum_instances,
    version.c.maximum_idle_time_s,
    version.c.description,
)


async def insert_version(tx: AsyncConnection, model_id: ModelId, name: str, settings: VersionSettings) -> bool:
    """Make a version; False when the name is taken in its model."""
    made = (
        pg_insert(version)
        .values(
            uuid=new_uuid(), model_id=model_id, name=name, status=VersionStatus.INITIALISED, **_columns_of(settings)
        )
        .on_conflict_do_nothing(index_elements=["model_id", "name"])
        .returning(version.c.id)
    )
    return (await tx.execute(made)).scalar_one_or_none() is not None


async def find_version(tx: AsyncConnection, model_id: ModelId, name: str, *, lock: bool = False) -> Version | None:
    """The version of this name; with `lock`, no one else changes it until the transaction ends."""
    query = _select_versions().where(version.c.model_id == model_id, version.c.name == name)
    if lock:
        query = query.with_for_update()
    row = (await tx.execute(query)).one_or_none()
    return None if row is None else _to_version(row)


async def list_versions(tx: AsyncConnection, model_id: ModelId) -> Sequence[Version]:
    """The versions of a model by name."""
    query = _select_versions().where(version.c.model_id == model_id).order_by(version.c.name)
    return [_to_version(row) for row in await tx.execute(query)]


async def update_version(tx: AsyncConnection, version_id: VersionId, name: str, settings: VersionSettings) -> bool:
    """Set what a user may change of a version; False when the name is taken."""
    statement = (
        update(version)
        .where(version.c.id == version_id)
        .values(name=name, updated_at=func.clock_timestamp(), **_columns_of(settings))
    )
    try:
        async with tx.begin_nested():
            await tx.execute(statement)
    except IntegrityError:
        return False
    return True


async def delete_version(tx: AsyncConnection, version_id: VersionId) -> None:
    """Remove a version with its requests."""
    await tx.execute(delete(version).where(version.c.id == version_id))


async def insert_package(tx: AsyncConnection, version_id: VersionId, archive: Archive) -> PackageId:
    """Note an upload for a version."""
    statement = (
        pg_insert(package)
        .values(
            version_id=version_id,
            key=archive.key,
            blob_key=archive.blob_key,
            file_name=archive.file_name,
            size_bytes=archive.size_bytes,
        )
        .returning(package.c.id)
    )
    return PackageId((await tx.execute(statement)).scalar_one())


async def set_uploaded(tx: AsyncConnection, version_id: VersionId, package_id: PackageId) -> None:
    """Make an upload the newest of its version."""
    await tx.execute(
        update(version)
        .where(version.c.id == version_id)
        .values(package_id=package_id, file_updated_at=func.clock_timestamp(), updated_at=func.clock_timestamp())
    )


async def begin_build(tx: AsyncConnection, version_id: VersionId, status: VersionStatus) -> int:
    """Count one build more and give its number; results of earlier ones no longer count."""
    statement = (
        update(version)
        .where(version.c.id == version_id)
        .values(build=version.c.build + 1, status=status, error_message="", updated_at=func.clock_timestamp())
        .returning(version.c.build)
    )
    return (await tx.execute(statement)).scalar_one()


async def lock_status(tx: AsyncConnection, version_id: VersionId, build: int) -> VersionStatus | None:
    """The status while this build is the newest, held until the transaction ends; else None."""
    query = select(version.c.status).where(version.c.id == version_id, version.c.build == build).with_for_update()
    status = (await tx.execute(query)).scalar_one_or_none()
    return None if status is None else VersionStatus(status)


async def set_status(tx: AsyncConnection, version_id: VersionId, status: VersionStatus, error_message: str) -> None:
    """Move a version whose row is locked."""
    await tx.execute(
        update(version)
        .where(version.c.id == version_id)
        .values(status=status, error_message=error_message, updated_at=func.clock_timestamp())
    )


async def set_serving(tx: AsyncConnection, version_id: VersionId, package_id: PackageId, language: str) -> None:
    """Serve requests from this build from now on."""
    await tx.execute(
        update(version)
        .where(version.c.id == version_id)
        .values(serving_package_id=package_id, serving_language=language, updated_at=func.clock_timestamp())
    )


async def find_package(tx: AsyncConnection, package_id: PackageId) -> Package | None:
    """An upload by its id."""
    query = select(package.c.key, package.c.blob_key, package.c.file_name, package.c.size_bytes, package.c.id).where(
        package.c.id == package_id
    )
    row = (await tx.execute(query)).one_or_none()
    if row is None:
        return None
    key, blob_key, file_name, size_bytes, id_ = row
    return Package(key, blob_key, file_name, size_bytes, PackageId(id_))


async def list_unused_packages(tx: AsyncConnection, limit: int) -> Sequence[tuple[PackageId, str]]:
    """Uploads that no version refers to, nor ever will, with the keys of their bytes."""
    query = (
        select(package.c.id, package.c.blob_key)
        .outerjoin(
            version,
            or_(version.c.package_id == package.c.id, version.c.serving_package_id == package.c.id),
        )
        .where(version.c.id.is_(None))
        .limit(limit)
    )
    return [(PackageId(id_), blob_key) for id_, blob_key in await tx.execute(query)]


async def list_wanted(tx: AsyncConnection) -> Sequence[tuple[str, str]]:
    """Key and language of every package that some version serves or is about to."""
    refers = or_(version.c.package_id == package.c.id, version.c.serving_package_id == package.c.id)
    languages = (version.c.language, version.c.serving_language)
    wanted: set[tuple[str, str]] = set()
    for key, *named in await tx.execute(select(package.c.key, *languages).join(version, refers)):
        wanted |= {(key, language) for language in named if language is not None}
    return sorted(wanted)


async def delete_package(tx: AsyncConnection, package_id: PackageId) -> None:
    """Forget an upload whose bytes are gone."""
    await tx.execute(delete(package).where(package.c.id == package_id))


def _columns_of(settings: VersionSettings) -> dict[str, str | int]:
    return {
        "description": settings.description,
        "language": settings.language,
        "memory_allocation_mb": settings.memory_allocation_mb,
        "minimum_instances": settings.minimum_instances,
        "maximum_instances": settings.maximum_instances,
        "maximum_idle_time_s": settings.maximum_idle_time_s,
    }


def _select_versions() -> Select[*tuple[Any, ...]]:
    return select(
        version.c.id,
        version.c.uuid,
        version.c.model_id,
        version.c.name,
        version.c.status,
        version.c.error_message,
        version.c.build,
        version.c.package_id,
        version.c.serving_package_id,
        version.c.created_at,
        version.c.updated_at,
        version.c.file_updated_at,
        *_SETTINGS,
    )


def _to_version(row: Sequence[Any]) -> Version:
    id_, uuid, model_id, name, status, error_message, build, package_id, serving_package_id = row[:9]
    created_at, updated_at, file_updated_at = row[9:12]
    return Version(
        VersionId(id_),
        uuid,
        ModelId(model_id),
        name,
        VersionSettings(*row[12:]),
        VersionStatus(status),
        error_message,
        build,
        package_id,
        serving_package_id,
        created_at,
        updated_at,
        file_updated_at,
    )
