"""Writing projects; they are read through `store.access`."""

from collections.abc import Collection, Mapping

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base.ids import new_uuid
from quadrat.identity.permissions import PROJECT_ADMIN
from quadrat.identity.rules import ADMIN_LEVELS
from quadrat.identity.store.access import select_projects, to_project
from quadrat.identity.tables import member, project, role, role_assignment
from quadrat.identity.types import OrganizationId, Project, ProjectId, UserId


async def insert_project(
    tx: AsyncConnection, organization_id: OrganizationId, name: str, title: str, personal_user_id: UserId | None = None
) -> Project | None:
    """The new project; None when the name is taken, or the user has a personal project already."""
    statement = (
        insert(project)
        .values(
            uuid=new_uuid(),
            organization_id=organization_id,
            name=name,
            title=title,
            personal_user_id=personal_user_id,
        )
        .on_conflict_do_nothing()
        .returning(project.c.id)
    )
    id_ = (await tx.execute(statement)).scalar_one_or_none()
    return None if id_ is None else await get_project(tx, ProjectId(id_))


async def get_project(tx: AsyncConnection, project_id: ProjectId) -> Project:
    """By number, for one that the caller was let into already."""
    query = select_projects().where(project.c.id == project_id)
    return to_project((await tx.execute(query)).one())


async def find_personal_project(tx: AsyncConnection, user_id: UserId) -> Project | None:
    """The project for things of a user that an API puts nowhere."""
    query = select_projects().where(project.c.personal_user_id == user_id)
    row = (await tx.execute(query)).one_or_none()
    return None if row is None else to_project(row)


async def assign_admins(tx: AsyncConnection, new: Project) -> None:
    """Give project-admin to those who administer the organization now."""
    admins = (
        select(member.c.user_id)
        .where(member.c.organization_id == new.organization_id, member.c.level.in_(ADMIN_LEVELS))
        .order_by(member.c.user_id)
    )
    role_id = select(role.c.id).where(role.c.project_id.is_(None), role.c.name == PROJECT_ADMIN)
    rows = [
        {"uuid": new_uuid(), "project_id": new.id, "user_id": user_id}
        for user_id in (await tx.execute(admins)).scalars()
    ]
    if rows:
        await tx.execute(insert(role_assignment).values(role_id=role_id.scalar_subquery()), rows)


async def update_project(tx: AsyncConnection, project_id: ProjectId, values: Mapping[str, str]) -> None:
    """Change columns.

    Raises:
        IntegrityError: The name is taken.
    """
    await tx.execute(update(project).where(project.c.id == project_id).values(dict(values)))


async def delete_project(tx: AsyncConnection, project_id: ProjectId) -> None:
    """Remove the project; everything in it goes with it."""
    await tx.execute(delete(project).where(project.c.id == project_id))


async def list_known(tx: AsyncConnection, ids: Collection[int]) -> set[int]:
    """Those of the numbers that are projects."""
    return set((await tx.execute(select(project.c.id).where(project.c.id.in_(ids)))).scalars())


async def list_taken_names(tx: AsyncConnection, stem: str) -> set[str]:
    """The names that begin with the stem."""
    query = select(project.c.name).where(project.c.name.startswith(stem, autoescape=True))
    return set((await tx.execute(query)).scalars())
