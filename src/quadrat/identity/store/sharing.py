"""Who holds the default roles on whole projects, for many projects at once."""

from collections.abc import Collection, Iterable

from sqlalchemy import Select, delete, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base.ids import new_uuid
from quadrat.identity.store.users import select_users, to_user
from quadrat.identity.tables import role, role_assignment, user
from quadrat.identity.types import ProjectId, User, UserId


async def list_holders(
    tx: AsyncConnection, project_ids: Collection[ProjectId], roles: Collection[str]
) -> list[tuple[ProjectId, str, User]]:
    """Project, role and holder of each assignment of these default roles on a whole project, people only."""
    query = (
        select_users()
        .add_columns(role_assignment.c.project_id, role.c.name)
        .join(role_assignment, role_assignment.c.user_id == user.c.id)
        .join(role, role.c.id == role_assignment.c.role_id)
        .where(
            role_assignment.c.project_id.in_(project_ids),
            role_assignment.c.object_id.is_(None),
            role.c.project_id.is_(None),
            role.c.name.in_(roles),
            user.c.service_project_id.is_(None),
        )
        .order_by(user.c.id)
    )
    return [(ProjectId(row[9]), row[10], to_user(row[:9])) for row in await tx.execute(query)]


async def replace_holders(
    tx: AsyncConnection, project_id: ProjectId, holders: Iterable[tuple[UserId, str]], roles: Collection[str]
) -> None:
    """Give each user a default role on the whole project, and take these roles from all other people."""
    people = select(user.c.id).where(user.c.service_project_id.is_(None))
    held = select(role.c.id).where(role.c.project_id.is_(None), role.c.name.in_(roles))
    await tx.execute(
        delete(role_assignment).where(
            role_assignment.c.project_id == project_id,
            role_assignment.c.object_id.is_(None),
            role_assignment.c.role_id.in_(held),
            role_assignment.c.user_id.in_(people),
        )
    )
    rows = [
        {"uuid": new_uuid(), "project_id": project_id, "user_id": user_id, "role_id": await _default_role(tx, name)}
        for user_id, name in holders
    ]
    if rows:
        await tx.execute(insert(role_assignment), rows)


async def find_people(tx: AsyncConnection, ids: Collection[UserId] | None = None) -> list[User]:
    """People by number, or all of them, by number."""
    query = _people()
    return [to_user(row) for row in await tx.execute(query if ids is None else query.where(user.c.id.in_(ids)))]


async def search_people(tx: AsyncConnection, pattern: str, limit: int) -> list[User]:
    """People whose full name or address is LIKE the pattern, in any case."""
    full_name = func.concat_ws(" ", user.c.name, user.c.surname)
    query = _people().where(or_(full_name.ilike(pattern), user.c.email.ilike(pattern))).limit(limit)
    return [to_user(row) for row in await tx.execute(query)]


async def list_administrators(tx: AsyncConnection) -> list[User]:
    """Those who run this server."""
    return [to_user(row) for row in await tx.execute(_people().where(user.c.is_platform_admin))]


def _people() -> Select:  # type: ignore[type-arg]
    return select_users().where(user.c.service_project_id.is_(None)).order_by(user.c.id)


async def _default_role(tx: AsyncConnection, name: str) -> int:
    query = select(role.c.id).where(role.c.project_id.is_(None), role.c.name == name)
    return (await tx.execute(query)).scalar_one()
