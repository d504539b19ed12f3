"""People and service users."""

from collections.abc import Collection, Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Select, delete, exists, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base.ids import new_uuid
from quadrat.db.locks import NAMESPACE, AdvisoryLock
from quadrat.identity.tables import member, organization, project, role_assignment, user
from quadrat.identity.types import NewUser, ProjectId, User, UserId, UserStatus

UserRow = tuple[int, UUID, str, str | None, str | None, str, bool, int | None, datetime]
_COLUMNS = (
    user.c.id,
    user.c.uuid,
    user.c.email,
    user.c.name,
    user.c.surname,
    user.c.status,
    user.c.is_platform_admin,
    user.c.service_project_id,
    user.c.created_at,
)


def select_users() -> Select[int, UUID, str, str | None, str | None, str, bool, int | None, datetime]:
    """Users, for `to_user`."""
    return select(*_COLUMNS)


def to_user(row: UserRow) -> User:
    """A row of `select_users`."""
    id_, uuid, email, name, surname, status, is_admin, service_project_id, created_at = row
    service = None if service_project_id is None else ProjectId(service_project_id)
    return User(UserId(id_), uuid, email, name, surname, UserStatus(status), is_admin, service, created_at)


async def insert_user(tx: AsyncConnection, new: NewUser, password_hash: str | None) -> User | None:
    """The new user; None when the e-mail address is taken."""
    statement = (
        insert(user)
        .values(
            uuid=new_uuid(),
            email=new.email,
            name=new.name,
            surname=new.surname,
            password_hash=password_hash,
            status=new.status,
            is_platform_admin=new.is_platform_admin,
        )
        .on_conflict_do_nothing(index_elements=[user.c.email])
        .returning(*_COLUMNS)
    )
    row = (await tx.execute(statement)).one_or_none()
    return None if row is None else to_user(row)


async def insert_service_user(tx: AsyncConnection, project_id: ProjectId, email: str, name: str | None) -> User:
    """A user that belongs to a project and has no password."""
    statement = (
        insert(user)
        .values(uuid=new_uuid(), email=email, name=name, status=UserStatus.ACTIVE, service_project_id=project_id)
        .returning(*_COLUMNS)
    )
    return to_user((await tx.execute(statement)).one())


async def accept_invitation(tx: AsyncConnection, new: NewUser, password_hash: str | None) -> User | None:
    """The user who was invited under this address and has had no password yet; None when there is none."""
    statement = (
        update(user)
        .where(user.c.email == new.email, user.c.status == UserStatus.PENDING, user.c.password_hash.is_(None))
        .values(
            name=new.name,
            surname=new.surname,
            password_hash=password_hash,
            status=new.status,
            is_platform_admin=new.is_platform_admin,
        )
        .returning(*_COLUMNS)
    )
    row = (await tx.execute(statement)).one_or_none()
    return None if row is None else to_user(row)


async def find_user(tx: AsyncConnection, user_id: UserId) -> User | None:
    """By number."""
    return await _find(tx, user.c.id == user_id)


async def find_user_by_email(tx: AsyncConnection, email: str) -> User | None:
    """By the address as it is stored."""
    return await _find(tx, user.c.email == email)


async def find_user_by_uuid(tx: AsyncConnection, uuid: UUID) -> User | None:
    """By the id that the APIs show."""
    return await _find(tx, user.c.uuid == uuid)


async def find_service_user(tx: AsyncConnection, project_id: ProjectId, uuid: UUID) -> User | None:
    """A service user of the project."""
    return await _find(tx, (user.c.uuid == uuid) & (user.c.service_project_id == project_id))


async def list_service_users(tx: AsyncConnection, project_id: ProjectId) -> list[User]:
    """The service users of the project, oldest first."""
    query = select_users().where(user.c.service_project_id == project_id).order_by(user.c.id)
    return [to_user(row) for row in await tx.execute(query)]


async def list_holders(tx: AsyncConnection, project_id: ProjectId) -> list[User]:
    """People and service users who hold a role in the project, oldest first."""
    holds = exists().where(role_assignment.c.user_id == user.c.id, role_assignment.c.project_id == project_id)
    return [to_user(row) for row in await tx.execute(select_users().where(holds).order_by(user.c.id))]


async def find_oldest_platform_admin(tx: AsyncConnection) -> User | None:
    """The first administrator who is still there."""
    return await _find(tx, user.c.is_platform_admin & (user.c.status == UserStatus.ACTIVE))


async def has_administrator_with_password(tx: AsyncConnection) -> bool:
    """Whether some platform administrator can sign in with a password."""
    query = select(user.c.id).where(
        user.c.is_platform_admin, user.c.status == UserStatus.ACTIVE, user.c.password_hash.is_not(None)
    )
    return (await tx.execute(query.limit(1))).first() is not None


async def find_credentials(tx: AsyncConnection, email: str, *, lock: bool = False) -> tuple[User, str | None] | None:
    """The user and the password hash; with `lock` neither changes before the transaction ends."""
    query = select(*_COLUMNS, user.c.password_hash).where(user.c.email == email)
    row = (await tx.execute(query.with_for_update(key_share=True) if lock else query)).one_or_none()
    if row is None:
        return None
    *columns, password_hash = row
    return to_user((*columns,)), password_hash


async def update_user(tx: AsyncConnection, user_id: UserId, values: Mapping[str, str | None]) -> User | None:
    """The changed user; None when it is gone.

    Raises:
        IntegrityError: The e-mail address is taken.
    """
    statement = update(user).where(user.c.id == user_id).values(dict(values)).returning(*_COLUMNS)
    row = (await tx.execute(statement)).one_or_none()
    return None if row is None else to_user(row)


async def delete_user(tx: AsyncConnection, user_id: UserId) -> None:
    """Remove the user; tokens, memberships, assignments and the personal organization go with it.

    So do organizations without projects in which nobody is left.
    """
    mine = select(member.c.organization_id).where(member.c.user_id == user_id)
    organizations = list((await tx.execute(mine)).scalars())
    await tx.execute(delete(user).where(user.c.id == user_id))
    await tx.execute(
        delete(organization).where(
            organization.c.id.in_(organizations),
            ~exists().where(member.c.organization_id == organization.c.id),
            ~exists().where(project.c.organization_id == organization.c.id),
        )
    )


async def list_known(tx: AsyncConnection, ids: Collection[int]) -> set[int]:
    """Those of the numbers that are users."""
    return set((await tx.execute(select(user.c.id).where(user.c.id.in_(ids)))).scalars())


async def lock_first_administrator(tx: AsyncConnection) -> None:
    """Let one process at a time look whether there is an administrator."""
    await tx.execute(select(func.pg_advisory_xact_lock(NAMESPACE, int(AdvisoryLock.FIRST_ADMINISTRATOR))))


async def _find(tx: AsyncConnection, condition: ColumnElement[bool]) -> User | None:
    row = (await tx.execute(select_users().where(condition).order_by(user.c.id).limit(1))).one_or_none()
    return None if row is None else to_user(row)
