import asyncio

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base.ids import new_token
from quadrat.db.engine import Database
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.actions import organizations, projects, users
from quadrat.identity.actions.access import authenticate
from quadrat.identity.actions.tokens import create_token, list_tokens
from quadrat.identity.passwords import hash_password, verify_password
from quadrat.identity.store.organizations import find_personal_organization
from quadrat.identity.store.users import find_credentials
from quadrat.identity.types import (
    FirstAdministrator,
    MemberLevel,
    NewUser,
    TokenKind,
    UserChanges,
    UserStatus,
)
from support.people import PASSWORD, make_caller, make_member, make_organization, make_project, unique, unique_email

pytestmark = pytest.mark.anyio


async def refused(awaitable) -> QuadratError:
    with pytest.raises(QuadratError) as caught:
        await awaitable
    return caught.value


async def test_create_user_with_a_free_address_makes_a_personal_organization(tx: AsyncConnection):
    local = unique("Ada.Lovelace")
    user = await users.create_user(tx, NewUser(f" {local}@Example.ORG ", name=" Ada ", surname=""))
    _, secret = await create_token(tx, user.id, "test")
    caller = await authenticate(tx, secret)
    (organization,) = await organizations.list_organizations(tx, caller)
    (member,) = await organizations.list_members(tx, caller, organization.name)
    assert (user.email, user.name, user.surname) == (f"{local}@example.org".lower(), "Ada", None)
    assert organization.name == local.lower().replace(".", "-")
    assert organization.personal_user_id == user.id
    assert (member.user.id, member.level) == (user.id, MemberLevel.OWNER)


async def test_create_user_with_a_local_part_in_use_gets_the_next_free_name(tx: AsyncConnection):
    local = unique("same")
    names = []
    for domain in ("a.org", "b.org", "c.org"):
        user = await users.create_user(tx, NewUser(f"{local}@{domain}"))
        organization = await find_personal_organization(tx, user.id)
        assert organization is not None
        names.append(organization.name)
    assert names == [local, f"{local}-2", f"{local}-3"]


async def test_create_user_twice_with_one_address_is_refused_and_leaves_the_transaction_usable(tx: AsyncConnection):
    email = unique_email()
    await users.create_user(tx, NewUser(email))
    error = await refused(users.create_user(tx, NewUser(email.upper())))
    assert (error.kind, error.field) == (ErrorKind.ALREADY_EXISTS, "email")
    assert await users.find_user_by_email(tx, email) is not None


@pytest.mark.parametrize(
    ("new", "field"),
    [
        (NewUser("nobody"), "email"),
        (NewUser("a\x00b@example.org"), "email"),
        (NewUser("a@example.org", "short"), "password"),
        (NewUser("a@example.org", "x" * 129), "password"),
        (NewUser("a@example.org", name="two\nlines"), "name"),
        (NewUser("a@example.org", surname="x" * 257), "surname"),
    ],
)
async def test_create_user_with_a_bad_value_is_invalid(tx: AsyncConnection, new: NewUser, field: str):
    error = await refused(users.create_user(tx, new))
    assert (error.kind, error.field) == (ErrorKind.INVALID, field)


async def test_create_user_for_an_invited_address_completes_the_invitation(tx: AsyncConnection):
    owner = await make_caller(tx)
    organization = await make_organization(tx, owner)
    email = unique_email()
    invited = await organizations.add_member(tx, owner, organization.name, email, MemberLevel.VIEWER)
    other = await organizations.add_member(tx, owner, organization.name, unique_email(), MemberLevel.VIEWER)
    alone = await users.create_user(tx, NewUser(email, PASSWORD, name="Ada", status=UserStatus.PENDING))
    completed = await users.create_user(tx, NewUser(other.user.email, PASSWORD, name="Ada"))
    second = await refused(users.create_user(tx, NewUser(email, PASSWORD, status=UserStatus.PENDING)))
    assert invited.user.status is UserStatus.PENDING
    assert (alone.id, alone.status, alone.name) == (invited.user.id, UserStatus.PENDING, "Ada")
    assert (completed.id, completed.status, completed.name) == (other.user.id, UserStatus.ACTIVE, "Ada")
    assert second.kind is ErrorKind.ALREADY_EXISTS


async def test_activate_user_lets_a_pending_one_in(tx: AsyncConnection):
    user = await users.create_user(tx, NewUser(unique_email(), PASSWORD, status=UserStatus.PENDING))
    _, secret = await create_token(tx, user.id, "test")
    assert (await refused(authenticate(tx, secret))).kind is ErrorKind.UNAUTHENTICATED
    await users.activate_user(tx, user.id)
    assert (await authenticate(tx, secret)).user_id == user.id


async def test_update_user_with_names_and_address_changes_only_these(tx: AsyncConnection):
    caller = await make_caller(tx)
    email = unique_email()
    named = await users.update_user(tx, caller, UserChanges(name="Ada", surname="Lovelace"))
    moved = await users.update_user(tx, caller, UserChanges(email=email.upper(), surname=""))
    assert (named.email, named.name, named.surname) == (caller.email, "Ada", "Lovelace")
    assert (moved.email, moved.name, moved.surname) == (email, "Ada", None)


async def test_update_user_to_a_taken_address_is_refused(tx: AsyncConnection):
    caller, other = await make_caller(tx), await make_caller(tx)
    error = await refused(users.update_user(tx, caller, UserChanges(email=other.email)))
    assert (error.kind, error.field) == (ErrorKind.ALREADY_EXISTS, "email")
    assert (await users.get_own_user(tx, caller)).email == caller.email


@pytest.mark.parametrize("previous", [None, "", "Wrong-horse-1"])
async def test_update_user_password_without_the_previous_one_is_invalid(tx: AsyncConnection, previous: str | None):
    caller = await make_caller(tx, password=PASSWORD)
    changes = UserChanges(password="Other-horse-2", previous_password=previous)
    error = await refused(users.update_user(tx, caller, changes))
    assert (error.kind, error.field) == (ErrorKind.INVALID, "previous_password")


@pytest.mark.parametrize("password", ["other-horse-2", "OTHER-HORSE-2", "Other-horse-x", "Otherhorse2", "Oh-2"])
async def test_update_user_to_a_simple_password_is_invalid(tx: AsyncConnection, password: str):
    caller = await make_caller(tx, password=PASSWORD)
    changes = UserChanges(password=password, previous_password=PASSWORD)
    error = await refused(users.update_user(tx, caller, changes))
    assert (error.kind, error.field) == (ErrorKind.INVALID, "password")


async def test_update_user_password_ends_sessions_and_no_api_token(tx: AsyncConnection):
    caller = await make_caller(tx, password=PASSWORD)
    _, session = await create_token(tx, caller.user_id, "sign-in", TokenKind.SESSION)
    _, api = await create_token(tx, caller.user_id, "script")
    await users.update_user(tx, caller, UserChanges(password="Other-horse-2", previous_password=PASSWORD))
    assert (await refused(authenticate(tx, session))).kind is ErrorKind.UNAUTHENTICATED
    assert (await authenticate(tx, api)).user_id == caller.user_id


async def test_delete_user_takes_tokens_memberships_and_personal_organization_along(tx: AsyncConnection):
    owner = await make_caller(tx)
    organization = await make_organization(tx, owner)
    caller = await make_member(tx, owner, organization, MemberLevel.ADMIN)
    _, secret = await create_token(tx, caller.user_id, "test")
    await users.delete_user(tx, caller)
    assert (await refused(authenticate(tx, secret))).kind is ErrorKind.UNAUTHENTICATED
    assert len(await organizations.list_members(tx, owner, organization.name)) == 1
    assert await find_personal_organization(tx, caller.user_id) is None


async def test_delete_user_takes_organizations_along_in_which_nobody_is_left(tx: AsyncConnection):
    owner = await make_caller(tx)
    alone, shared = [await make_organization(tx, owner) for _ in range(2)]
    other = await make_member(tx, owner, shared, MemberLevel.EDITOR)
    await users.delete_user(tx, owner)
    names = [found.name for found in await organizations.list_organizations(tx, other)]
    assert shared.name in names
    admin = await make_caller(tx, admin=True)
    assert (await refused(organizations.get_organization(tx, admin, alone.name))).kind is ErrorKind.NOT_FOUND


async def test_delete_user_as_last_administrator_of_projects_is_refused(tx: AsyncConnection):
    owner = await make_caller(tx)
    organization = await make_organization(tx, owner)
    await make_member(tx, owner, organization, MemberLevel.EDITOR)
    project = await make_project(tx, owner, organization)
    error = await refused(users.delete_user(tx, owner))
    await projects.delete_project(tx, owner, project.name)
    await users.delete_user(tx, owner)
    assert error.kind is ErrorKind.WRONG_STATE
    assert organization.name in error.message


async def test_delete_user_with_another_administrator_leaves_the_projects(tx: AsyncConnection):
    owner = await make_caller(tx)
    organization = await make_organization(tx, owner)
    other = await make_member(tx, owner, organization, MemberLevel.ADMIN)
    project = await make_project(tx, owner, organization)
    await users.delete_user(tx, owner)
    assert [found.id for found in await projects.list_projects(tx, other)] == [project.id]


async def test_first_administrator_without_settings_is_made_once_with_one_token(new_migrated: Database):
    async with new_migrated.begin() as tx:
        first = await users.ensure_first_administrator(tx, None, None, None)
    async with new_migrated.begin() as tx:
        second = await users.ensure_first_administrator(tx, None, None, None)
        caller = await authenticate(tx, str(first.secret))
    assert (first.user.is_platform_admin, first.user.status) == (True, UserStatus.ACTIVE)
    assert (second.user.id, second.secret) == (first.user.id, None)
    assert (caller.user_id, caller.is_platform_admin) == (first.user.id, True)


async def test_first_administrator_with_settings_gets_password_and_token(tx: AsyncConnection):
    email, token = unique_email(), new_token()
    first = await users.ensure_first_administrator(tx, email, PASSWORD, token)
    again = await users.ensure_first_administrator(tx, email, "Another-horse-1", token)
    known = await find_credentials(tx, email)
    assert known is not None
    assert await verify_password(known[1], PASSWORD)
    assert (first.secret, again.secret, again.user.id) == (None, None, first.user.id)
    assert (await authenticate(tx, token)).user_id == first.user.id
    assert len(await list_tokens(tx, first.user.id)) == 1


async def test_first_administrator_with_another_token_later_keeps_both(tx: AsyncConnection):
    email, old, new = unique_email(), new_token(), new_token()
    await users.ensure_first_administrator(tx, email, None, old)
    await users.ensure_first_administrator(tx, email, None, new)
    assert (await authenticate(tx, old)).email == (await authenticate(tx, new)).email == email


@pytest.mark.parametrize("token", ["", "ab" * 19, "AB" * 20, "zz" * 20, "ab" * 20 + "\n"])
async def test_first_administrator_with_a_malformed_token_is_invalid(tx: AsyncConnection, token: str):
    error = await refused(users.ensure_first_administrator(tx, unique_email(), None, token))
    assert (error.kind, error.field) == (ErrorKind.INVALID, "token")


async def test_first_administrator_under_an_ordinary_users_address_is_refused(tx: AsyncConnection):
    caller = await make_caller(tx)
    error = await refused(users.ensure_first_administrator(tx, caller.email, PASSWORD, None))
    assert (error.kind, error.field) == (ErrorKind.WRONG_STATE, "email")


async def test_first_administrator_with_another_users_token_is_refused(tx: AsyncConnection):
    caller, token = await make_caller(tx), new_token()
    await create_token(tx, caller.user_id, "mine", secret=token)
    error = await refused(users.ensure_first_administrator(tx, unique_email(), None, token))
    assert (error.kind, error.field) == (ErrorKind.ALREADY_EXISTS, "token")


async def test_first_administrator_from_several_processes_at_once_is_one(new_migrated: Database):
    async def start() -> FirstAdministrator:
        async with new_migrated.begin() as tx:
            return await users.ensure_first_administrator(tx, None, None, None)

    made = await asyncio.gather(*(start() for _ in range(4)))
    assert len({first.user.id for first in made}) == 1
    assert len([first for first in made if first.secret is not None]) == 1


async def test_users_with_one_local_part_made_at_once_get_names_of_their_own(db: Database):
    local = unique("crowd")

    async def make(number: int) -> str:
        async with db.begin() as tx:
            user = await users.create_user(tx, NewUser(f"{local}@host{number}.org"))
            organization = await find_personal_organization(tx, user.id)
            assert organization is not None
            return organization.name

    names = await asyncio.gather(*(make(number) for number in range(5)))
    assert len(set(names)) == 5
    assert all(name.startswith(local) for name in names)


async def test_password_hash_is_argon2id_and_never_fits_nothing():
    stored = await hash_password(PASSWORD)
    assert stored.startswith("$argon2id$")
    assert await verify_password(stored, PASSWORD)
    assert not await verify_password(stored, PASSWORD + " ")
    assert not await verify_password(None, "no one has this password")
    assert not await verify_password("not a hash", PASSWORD)
