"""What decides about one caller in many projects at once."""

from collections.abc import Collection

from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.identity.store.access import select_projects, to_project
from quadrat.identity.tables import member, project, role, role_assignment
from quadrat.identity.types import Access, Caller, Grant, MemberLevel, ObjectType, ProjectId, Target


async def find_accesses(
    tx: AsyncConnection, caller: Caller, project_ids: Collection[ProjectId]
) -> dict[ProjectId, Access]:
    """The projects that exist, each with the caller's membership and assignments in it, none for a stranger to it."""
    query = (
        select_projects()
        .add_columns(member.c.level)
        .outerjoin(
            member, and_(member.c.organization_id == project.c.organization_id, member.c.user_id == caller.user_id)
        )
        .where(project.c.id.in_(project_ids))
    )
    found = {ProjectId(row[0]): (to_project(row[:7]), row[7]) for row in await tx.execute(query)}
    held = (
        select(
            role_assignment.c.project_id,
            role.c.permissions,
            role_assignment.c.object_type,
            role_assignment.c.object_id,
        )
        .join(role, role.c.id == role_assignment.c.role_id)
        .where(role_assignment.c.user_id == caller.user_id, role_assignment.c.project_id.in_(project_ids))
    )
    grants: dict[ProjectId, list[Grant]] = {}
    for id_, permissions, type_, object_id in await tx.execute(held):
        target = None if object_id is None or type_ is None else Target(ObjectType(type_), object_id)
        grants.setdefault(ProjectId(id_), []).append(Grant(frozenset(permissions), target))
    return {
        id_: Access(known, None if level is None else MemberLevel(level), tuple(grants.get(id_, ())))
        for id_, (known, level) in found.items()
    }
