"""Roles on the objects of serving, which people name and rights are kept by id."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.actions import roles
from quadrat.identity.actions.access import ProjectRef, open_project
from quadrat.identity.types import Caller, ObjectType, Project, RoleAssignment, Target
from quadrat.serving.store import objects as store

_PROJECT = "project"


@dataclass(frozen=True, slots=True)
class NewAssignment:
    """A role to be given.

    Args:
        object_type: A kind of object, or ``project``; None for the whole project.
        object_name: Comes and goes with the type.
    """

    user: UUID
    role: str
    object_type: str | None = None
    object_name: str | None = None


@dataclass(frozen=True, slots=True)
class NamedAssignment:
    """An assignment with the name of what it is on: the object's, or the project's."""

    assignment: RoleAssignment
    object_name: str


async def assign_role(tx: AsyncConnection, caller: Caller, ref: ProjectRef, wanted: NewAssignment) -> NamedAssignment:
    """Give a role, on the project or on one object of it.

    Raises:
        QuadratError: as `roles.assign_role`; invalid also for an object that does not exist.
    """
    project = await open_project(tx, caller, ref, "roles.assignments.create")
    target = await _find_target(tx, project, wanted)
    made = await roles.assign_role(tx, caller, project.id, wanted.user, wanted.role, target)
    return NamedAssignment(made, wanted.object_name or project.name)


async def get_assignment(tx: AsyncConnection, caller: Caller, ref: ProjectRef, uuid: UUID) -> NamedAssignment:
    """One assignment.

    Raises:
        QuadratError: not_found, forbidden.
    """
    project = await open_project(tx, caller, ref, "roles.assignments.get")
    found = await roles.get_assignment(tx, caller, project.id, uuid)
    return (await _named(tx, project, [found]))[0]


async def list_assignments(
    tx: AsyncConnection, caller: Caller, ref: ProjectRef, user: UUID
) -> Sequence[NamedAssignment]:
    """What one user holds in the project.

    Raises:
        QuadratError: not_found, forbidden.
    """
    project = await open_project(tx, caller, ref, "roles.assignments.list")
    return await _named(tx, project, await roles.list_assignments(tx, caller, project.id, user))


async def list_all_assignments(tx: AsyncConnection, caller: Caller, ref: ProjectRef) -> Sequence[NamedAssignment]:
    """What everyone holds in the project, oldest first.

    Raises:
        QuadratError: not_found, forbidden.
    """
    project = await open_project(tx, caller, ref, "roles.assignments.list")
    return await _named(tx, project, await roles.list_all_assignments(tx, caller, project.id))


async def _named(tx: AsyncConnection, project: Project, found: Sequence[RoleAssignment]) -> list[NamedAssignment]:
    names = await store.names_of(tx, [item.target for item in found if item.target is not None])
    return [
        NamedAssignment(item, project.name if item.target is None else names.get(item.target, str(item.target.id)))
        for item in found
    ]


async def _find_target(tx: AsyncConnection, project: Project, wanted: NewAssignment) -> Target | None:
    if wanted.object_type is None and wanted.object_name is None:
        return None
    if wanted.object_type is None or wanted.object_name is None:
        raise QuadratError(
            ErrorKind.INVALID, "Give object_name and object_type together, or neither.", field="object_name"
        )
    if wanted.object_type == _PROJECT:
        if wanted.object_name != project.name:
            raise _unknown(wanted)
        return None
    if wanted.object_type not in [*map(str, ObjectType)]:
        raise QuadratError(
            ErrorKind.INVALID, f"The object type is one of: project, {', '.join(ObjectType)}.", field="object_type"
        )
    target = await store.find_target(tx, project.id, ObjectType(wanted.object_type), wanted.object_name)
    if target is None:
        raise _unknown(wanted)
    return target


def _unknown(wanted: NewAssignment) -> QuadratError:
    message = f"There is no {wanted.object_type} {wanted.object_name} in this project."
    return QuadratError(ErrorKind.INVALID, message, field="object_name")
