"""Who works together in a project: the people who manage it, annotate in it, or look at it; and finding people."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity import rules
from quadrat.identity.actions.access import ProjectRef, open_project
from quadrat.identity.actions.tokens import revoke_tokens
from quadrat.identity.actions.users import create_user
from quadrat.identity.audit import record
from quadrat.identity.changes import announce_change
from quadrat.identity.passwords import hash_password
from quadrat.identity.permissions import PROJECT_ADMIN, PROJECT_ANNOTATOR, PROJECT_EDITOR, PROJECT_VIEWER
from quadrat.identity.store import sharing as store
from quadrat.identity.store import users as user_store
from quadrat.identity.store.unique import refuse_taken
from quadrat.identity.types import Caller, NewUser, ProjectId, TokenKind, User, UserId, UserStatus

SHARED_ROLES = (PROJECT_ADMIN, PROJECT_EDITOR, PROJECT_ANNOTATOR, PROJECT_VIEWER)
"""The roles of people on whole projects, the highest first."""
_MOST_FOUND = 200
_EMAIL_TAKEN = "There is a user with this e-mail address already."


@dataclass(frozen=True, slots=True)
class Team:
    """The people of a project, each under the highest of the roles."""

    managers: tuple[User, ...] = ()
    annotators: tuple[User, ...] = ()
    viewers: tuple[User, ...] = ()


async def teams_of(tx: AsyncConnection, project_ids: Collection[ProjectId]) -> dict[ProjectId, Team]:
    """The people of projects that the caller was let into already."""
    held: dict[ProjectId, dict[UserId, tuple[int, User]]] = {id_: {} for id_ in project_ids}
    for project_id, name, user in await store.list_holders(tx, project_ids, SHARED_ROLES):
        level = SHARED_ROLES.index(name)
        before = held[project_id].get(user.id)
        if before is None or level < before[0]:
            held[project_id][user.id] = (level, user)
    return {id_: _team(people.values()) for id_, people in held.items()}


def _team(people: Collection[tuple[int, User]]) -> Team:
    def at(*names: str) -> tuple[User, ...]:
        levels = {SHARED_ROLES.index(name) for name in names}
        return tuple(user for level, user in people if level in levels)

    return Team(at(PROJECT_ADMIN), at(PROJECT_EDITOR, PROJECT_ANNOTATOR), at(PROJECT_VIEWER))


async def set_team(tx: AsyncConnection, caller: Caller, ref: ProjectRef, roles_by_user: Mapping[UserId, str]) -> None:
    """Say who holds which of the shared roles on a whole project; nobody else keeps one. Anyone may be asked in.

    Raises:
        QuadratError: not_found, forbidden; invalid for an unknown user.
    """
    project = await open_project(tx, caller, ref, "roles.assignments.create")
    known = {user.id for user in await store.find_people(tx, roles_by_user.keys())}
    unknown = sorted(roles_by_user.keys() - known)
    if unknown:
        raise QuadratError(ErrorKind.INVALID, f"User {unknown[0]} does not exist.", field="id")
    await store.replace_holders(tx, project.id, roles_by_user.items(), SHARED_ROLES)
    await announce_change(tx)


async def get_person(tx: AsyncConnection, user_id: UserId) -> User:
    """A user by number.

    Raises:
        QuadratError: not_found.
    """
    found = await store.find_people(tx, [user_id])
    if not found:
        raise QuadratError(ErrorKind.NOT_FOUND, "User not found", field="user_id")
    return found[0]


async def list_people(tx: AsyncConnection, caller: Caller, ids: Collection[UserId] | None) -> Sequence[User]:
    """People by number, or all: for who runs this server.

    Raises:
        QuadratError: forbidden.
    """
    require_administrator(caller)
    return await store.find_people(tx, ids)


async def search_people(tx: AsyncConnection, pattern: str) -> Sequence[User]:
    """People by name or address, in which ``%`` stands for anything."""
    return await store.search_people(tx, pattern.replace("\\", "\\\\").replace("_", "\\_"), _MOST_FOUND)


async def list_administrators(tx: AsyncConnection) -> Sequence[User]:
    """Those who run this server, for who needs help."""
    return await store.list_administrators(tx)


async def create_person(tx: AsyncConnection, new: NewUser) -> User:
    """Make a user whom an administrator vouches for, with a password that is hard to guess.

    Raises:
        QuadratError: invalid; already_exists.
    """
    if new.password is None:
        raise QuadratError(ErrorKind.INVALID, "Choose a password.", field="password")
    rules.check_password(new.password, complex_=True)
    return await create_user(tx, new)


async def set_status(tx: AsyncConnection, caller: Caller, user_id: UserId, status: UserStatus) -> User:
    """Let a user in, or keep one out, whose sessions end at once; for who runs this server.

    Raises:
        QuadratError: forbidden; not_found; wrong_state for oneself.
    """
    require_administrator(caller)
    if user_id == caller.user_id and status is not UserStatus.ACTIVE:
        raise QuadratError(ErrorKind.WRONG_STATE, "You cannot keep yourself out.", field="status")
    await get_person(tx, user_id)
    user = await user_store.update_user(tx, user_id, {"status": status})
    assert user is not None  # noqa: S101 - found a moment ago
    await record(tx, "user.changed", user.email, status=status)
    if status is not UserStatus.ACTIVE:
        await revoke_tokens(tx, user_id, TokenKind.SESSION)
    await announce_change(tx)
    return user


async def change_person(tx: AsyncConnection, caller: Caller, user_id: UserId, new: NewUser) -> User:
    """Change address, names and (when one is given) the password of a user: one's own, or anyone's for who runs this.

    Raises:
        QuadratError: forbidden; not_found; invalid; already_exists.
    """
    if user_id != caller.user_id:
        require_administrator(caller)
    if new.password is not None and not caller.is_platform_admin:
        # Whoever has found a token must not be able to lock its owner out.
        raise QuadratError(
            ErrorKind.INVALID,
            "Change your password with PATCH /v2.1/user, which asks for the previous one.",
            field="password",
        )
    await get_person(tx, user_id)
    values: dict[str, str | None] = {
        "email": rules.check_email(new.email),
        "name": rules.check_person_name(new.name, "name"),
        "surname": rules.check_person_name(new.surname, "surname"),
    }
    if new.password is not None:
        rules.check_password(new.password, complex_=True)
        values["password_hash"] = await hash_password(new.password)
    async with refuse_taken(tx, _EMAIL_TAKEN, field="email"):
        user = await user_store.update_user(tx, user_id, values)
    if user is None:
        raise QuadratError(ErrorKind.NOT_FOUND, "User not found", field="user_id")
    await record(tx, "user.changed", user.email, changed=sorted(name.removesuffix("_hash") for name in values))
    if new.password is not None:
        await revoke_tokens(tx, user_id, TokenKind.SESSION)
    await announce_change(tx)
    return user


def require_administrator(caller: Caller) -> None:
    """Refuse everyone but those who run this server.

    Raises:
        QuadratError: forbidden.
    """
    if not caller.is_platform_admin:
        raise QuadratError(ErrorKind.FORBIDDEN, "You can't do this.")
