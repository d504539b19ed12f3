"""Who calls, and may they: what every other domain asks first."""

from hashlib import sha256
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity import rules
from quadrat.identity.store import access as store
from quadrat.identity.types import Access, Caller, ObjectType, Project, Target

ProjectRef = store.ProjectRef
visible = store.visible
caller_in_name_of = store.find_user_as_caller
find_organization_id = store.find_organization_id


def hash_token(secret: str) -> bytes:
    """What is stored of a token: a fast hash is enough for 160 random bits."""
    return sha256(secret.encode()).digest()


def unauthenticated() -> QuadratError:
    """The one answer to a missing, unknown, ended or revoked token."""
    return QuadratError(ErrorKind.UNAUTHENTICATED, "Authentication credentials are missing, invalid or expired.")


async def authenticate(tx: AsyncConnection, secret: str) -> Caller:
    """The caller behind a token.

    Raises:
        QuadratError: unauthenticated.
    """
    caller = await store.find_caller(tx, hash_token(secret))
    if caller is None:
        raise unauthenticated()
    await store.touch_token(tx, caller.token_id)
    return caller


async def access_to(tx: AsyncConnection, caller: Caller, ref: ProjectRef) -> Access:
    """The project with all that decides about the caller in it.

    Args:
        tx: The transaction.
        caller: Who asks.
        ref: Name, UUID or number of the project.

    Raises:
        QuadratError: not_found, also for a project that the caller may not know of.
    """
    access = await store.find_access(tx, caller, ref)
    if access is None:
        raise QuadratError(ErrorKind.NOT_FOUND, f"Project {ref} does not exist.", field="project")
    return access


def require(caller: Caller, access: Access, permission: str, target: Target | None = None) -> None:
    """Refuse unless the one decision says yes.

    Raises:
        QuadratError: forbidden.
    """
    if not rules.allows(caller, access, permission, target):
        raise QuadratError(
            ErrorKind.FORBIDDEN,
            f"You need the permission {permission} in project {access.project.name}.",
            detail={"permission": permission},
        )


async def open_project(
    tx: AsyncConnection, caller: Caller, ref: ProjectRef, permission: str, target: Target | None = None
) -> Project:
    """The project, when the caller holds the permission in it (or on the target).

    Raises:
        QuadratError: not_found when the caller may not know of the project, forbidden without the permission.
    """
    access = await access_to(tx, caller, ref)
    require(caller, access, permission, target)
    return access.project


async def open_list(
    tx: AsyncConnection, caller: Caller, ref: ProjectRef, permission: str, type_: ObjectType
) -> tuple[Project, frozenset[UUID] | None]:
    """The project and which objects of it a list may show: None for all.

    Raises:
        QuadratError: not_found as above; forbidden when no role, not even on one object, holds the permission.
    """
    access = await access_to(tx, caller, ref)
    ids = rules.allowed_objects(caller, access, permission, type_)
    if ids is not None and not ids:
        require(caller, access, permission)
    return access.project, ids
