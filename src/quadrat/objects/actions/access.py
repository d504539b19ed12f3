"""May the caller do this in these object sets: the one decision of `identity`, and projects that anyone may read."""

from collections.abc import Collection

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity import rules
from quadrat.identity.store import access as identity_store
from quadrat.identity.types import Caller, ProjectId
from quadrat.objects.store import access as store
from quadrat.objects.types import Permission


def not_found() -> QuadratError:
    """There is no such project, job or file."""
    return QuadratError(ErrorKind.NOT_FOUND, "Not found.")


def forbidden() -> QuadratError:
    """The caller lacks the right."""
    return QuadratError(ErrorKind.FORBIDDEN, "You can't do this.")


async def open_sets(
    tx: AsyncConnection, caller: Caller | None, project_ids: Collection[ProjectId], permission: Permission
) -> None:
    """Refuse unless the caller holds the permission in each of the projects.

    Args:
        tx: The transaction.
        caller: None for a stranger, who may read visible projects (validated objects only: the caller's duty).
        project_ids: The projects.
        permission: What is to be done. Reading is also granted by a project's visibility.

    Raises:
        QuadratError: not_found for a project that does not exist, forbidden for one that is hidden or without the
            right.
    """
    refused = [id_ for id_ in set(project_ids) if not await _holds(tx, caller, id_, permission)]
    if not refused:
        return
    visible = await store.visibility(tx, refused)
    if len(visible) < len(refused):
        raise not_found()
    if permission is not Permission.READ or not all(visible.values()):
        raise forbidden()


async def open_set(tx: AsyncConnection, caller: Caller | None, project_id: ProjectId, permission: Permission) -> None:
    """The same for one project.

    Raises:
        QuadratError: not_found, forbidden.
    """
    await open_sets(tx, caller, [project_id], permission)


async def _holds(tx: AsyncConnection, caller: Caller | None, project_id: ProjectId, permission: Permission) -> bool:
    if caller is None:
        return False
    access = await identity_store.find_access(tx, caller, project_id)
    return access is not None and rules.allows(caller, access, permission)
