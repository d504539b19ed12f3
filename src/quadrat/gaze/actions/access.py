"""Finds what a path names, once the caller may do what was asked there."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.errors import ErrorKind, QuadratError
from quadrat.gaze.store import enrichments as store
from quadrat.gaze.types import PLANAR_KINDS, Enrichment
from quadrat.identity.actions.access import access_to, require
from quadrat.identity.actions.workspaces import Workspace
from quadrat.identity.types import Access, Caller, MemberLevel, Project


@dataclass(frozen=True, slots=True)
class EnrichmentPath:
    """Where an enrichment is."""

    workspace: Workspace
    project: UUID
    enrichment: UUID


@dataclass(frozen=True, slots=True)
class Opened:
    """An enrichment with what decides about the caller in it."""

    workspace: Workspace
    access: Access
    enrichment: Enrichment


def not_found(what: str, id_: object) -> QuadratError:
    """The answer to something that is not there, or that the caller may not know of."""
    return QuadratError(ErrorKind.NOT_FOUND, f"{what} {id_} does not exist.")


def require_write(
    caller: Caller, access: Access, permission: str, *, made_by: UUID | None = None, creates: bool = False
) -> None:
    """Refuse unless the caller holds the permission; demo members create, and change what they made themselves.

    Raises:
        QuadratError: forbidden.
    """
    if access.level is MemberLevel.DEMO and (creates or made_by == caller.uuid):
        return
    require(caller, access, permission)


async def open_project(
    tx: AsyncConnection, caller: Caller, workspace: Workspace, project: UUID, permission: str, *, creates: bool = False
) -> Project:
    """A project of a workspace, when the caller holds the permission in it.

    Raises:
        QuadratError: not_found, forbidden.
    """
    access = await _access(tx, caller, workspace, project)
    require_write(caller, access, permission, creates=creates)
    return access.project


async def open_access(tx: AsyncConnection, caller: Caller, workspace: Workspace, project: UUID) -> Access:
    """What decides about the caller in a project whose gaze they may read.

    Raises:
        QuadratError: not_found, forbidden.
    """
    access = await _access(tx, caller, workspace, project)
    require(caller, access, "gaze.read")
    return access


async def _access(tx: AsyncConnection, caller: Caller, workspace: Workspace, project: UUID) -> Access:
    access = await access_to(tx, caller, project)
    if access.project.organization_id != workspace.organization.id:
        raise not_found("Project", project)
    return access


async def open_enrichment(
    tx: AsyncConnection,
    caller: Caller,
    path: EnrichmentPath,
    permission: str | None,
    *,
    creates: bool = False,
    lock: bool = False,
) -> Opened:
    """An enrichment, when the caller holds the permission in its project.

    Args:
        tx: The transaction.
        caller: Who asks.
        path: Where it is.
        permission: For what; None when the caller of this decides later, knowing who made what is concerned.
        creates: Something new is made in it.
        lock: Keep others from changing it until the transaction ends.

    Raises:
        QuadratError: not_found, forbidden.
    """
    access = await open_access(tx, caller, path.workspace, path.project)
    found = await store.find_enrichment(tx, access.project, path.enrichment, lock=lock)
    if found is None:
        raise not_found("Enrichment", path.enrichment)
    if permission is not None:
        require_write(caller, access, permission, creates=creates)
    return Opened(path.workspace, access, found)


def require_plane(enrichment: Enrichment) -> None:
    """Refuse kinds of enrichment that have no plane on which areas could lie.

    Raises:
        QuadratError: wrong_state.
    """
    if enrichment.kind not in PLANAR_KINDS:
        raise QuadratError(
            ErrorKind.WRONG_STATE, f"An enrichment of kind {enrichment.kind} has no plane on which areas could lie."
        )
