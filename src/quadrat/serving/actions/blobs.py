"""Blobs: files that requests refer to and models give back."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.actions.access import ProjectRef, open_project
from quadrat.identity.types import Caller, Project, ProjectId
from quadrat.serving.actions.packages import clean_later
from quadrat.serving.rules import blobs as rules
from quadrat.serving.store import blobs as store
from quadrat.serving.types import Blob


def no_blob(blob_id: UUID | str) -> QuadratError:
    """The answer to an unknown, deleted or expired blob."""
    return QuadratError(ErrorKind.NOT_FOUND, f"Blob {blob_id} does not exist in this project.", field="blob")


async def allow_upload(tx: AsyncConnection, caller: Caller, project: ProjectRef) -> Project:
    """Say no before the bytes are taken in.

    Raises:
        QuadratError: not_found, forbidden.
    """
    return await open_project(tx, caller, project, "blobs.create")


async def get_blob(tx: AsyncConnection, caller: Caller, project: ProjectRef, blob_id: UUID) -> Blob:
    """One blob.

    Raises:
        QuadratError: forbidden; not_found, also when it has expired.
    """
    opened = await open_project(tx, caller, project, "blobs.get")
    found = await store.list_live(tx, opened.id, [blob_id])
    if not found:
        raise no_blob(blob_id)
    return found[0]


async def list_blobs(
    tx: AsyncConnection, caller: Caller, project: ProjectRef, *, number: int, start_at: datetime | None
) -> Sequence[Blob]:
    """Blobs of a project.

    Args:
        tx: The transaction.
        caller: Who asks.
        project: Where.
        number: How many: positive towards the present, negative towards the past.
        start_at: From when on, included; None for the oldest or the newest.

    Raises:
        QuadratError: not_found, forbidden, invalid.
    """
    opened = await open_project(tx, caller, project, "blobs.list")
    limit = abs(rules.check_range(number))
    return await store.page_blobs(tx, opened.id, limit=limit, start_at=start_at, towards_past=number < 0)


async def delete_blob(tx: AsyncConnection, caller: Caller, project: ProjectRef, blob_id: UUID) -> None:
    """End a blob; its bytes go right after.

    Raises:
        QuadratError: forbidden; not_found.
    """
    opened = await open_project(tx, caller, project, "blobs.delete")
    if not await store.expire_blob(tx, opened.id, blob_id):
        raise no_blob(blob_id)
    await clean_later(tx)


async def find_blobs(tx: AsyncConnection, project_id: ProjectId, ids: Collection[UUID]) -> dict[UUID, Blob]:
    """The blobs that request data names.

    Raises:
        QuadratError: invalid, naming the first that does not exist or has expired.
    """
    found = {item.id: item for item in await store.list_live(tx, project_id, ids)}
    missing = next((id_ for id_ in ids if id_ not in found), None)
    if missing is not None:
        raise QuadratError(ErrorKind.INVALID, f"Blob {missing} does not exist in this project, or has expired.")
    return found
