import asyncio
from datetime import date
from uuid import uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.db.engine import Database
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.actions import organizations, roles
from quadrat.identity.actions.access import access_to
from quadrat.identity.permissions import PROJECT_ADMIN, PROJECT_VIEWER
from quadrat.identity.types import (
    Caller,
    MemberLevel,
    NewOrganization,
    OrganizationChanges,
    SubscriptionEnd,
    UserStatus,
)
from support.people import (
    make_caller,
    make_member,
    make_organization,
    make_project,
    make_service_user,
    unique,
    unique_email,
)
from support.waiting import until_blocked

pytestmark = pytest.mark.anyio


async def refused(awaitable) -> QuadratError:
    with pytest.raises(QuadratError) as caught:
        await awaitable
    return caught.value


async def test_rename_follows_a_title_that_repeated_the_name_and_keeps_another(tx: AsyncConnection):
    owner = await make_caller(tx)
    organization = await make_organization(tx, owner)
    first, second = unique("a"), unique("b")
    renamed = await organizations.update_organization(tx, owner, organization.name, OrganizationChanges(name=first))
    titled = await organizations.update_organization(tx, owner, renamed.uuid, OrganizationChanges(title="Lab of Two"))
    again = await organizations.update_organization(tx, owner, titled.name, OrganizationChanges(name=second))
    assert (renamed.name, renamed.title) == (first, first)
    assert (again.name, again.title) == (second, "Lab of Two")


async def test_rename_to_a_taken_name_is_refused_and_leaves_the_transaction_usable(tx: AsyncConnection):
    owner = await make_caller(tx)
    organization, other = await make_organization(tx, owner), await make_organization(tx, owner)
    error = await refused(
        organizations.update_organization(tx, owner, organization.name, OrganizationChanges(name=other.name))
    )
    assert (error.kind, error.field) == (ErrorKind.ALREADY_EXISTS, "name")
    assert (await organizations.get_organization(tx, owner, organization.uuid)).name == organization.name


async def test_free_subscription_takes_no_end_not_even_from_an_administrator(tx: AsyncConnection):
    admin = await make_caller(tx, admin=True)
    new = NewOrganization(unique("org"), "free", subscription_agreed=True, subscription_end=date(2030, 1, 1))
    created = await refused(organizations.create_organization(tx, admin, new))
    organization = await make_organization(tx, admin)
    changes = OrganizationChanges(subscription_end=SubscriptionEnd(date(2030, 1, 1)))
    changed = await refused(organizations.update_organization(tx, admin, organization.name, changes))
    assert {created.field, changed.field} == {"subscription_end_date"}


@pytest.mark.parametrize("level", list(MemberLevel))
async def test_only_owners_and_admins_manage_members(tx: AsyncConnection, level: MemberLevel):
    owner = await make_caller(tx)
    organization = await make_organization(tx, owner)
    member = await make_member(tx, owner, organization, level)
    name, other = organization.name, owner.uuid
    assert len(await organizations.list_members(tx, member, name)) == 2
    if level in {MemberLevel.OWNER, MemberLevel.ADMIN}:
        await organizations.add_member(tx, member, name, unique_email(), MemberLevel.VIEWER)
        await organizations.update_member(tx, member, name, other, MemberLevel.VIEWER)
        await organizations.remove_member(tx, member, name, other)
        assert len(await organizations.list_members(tx, member, name)) == 2
        return
    attempts = (
        organizations.add_member(tx, member, name, unique_email(), MemberLevel.VIEWER),
        organizations.get_member(tx, member, name, other),
        organizations.update_member(tx, member, name, other, MemberLevel.VIEWER),
        organizations.remove_member(tx, member, name, other),
    )
    assert {(await refused(attempt)).kind for attempt in attempts} == {ErrorKind.FORBIDDEN}


async def test_add_member_twice_or_a_service_user_is_refused(tx: AsyncConnection):
    owner = await make_caller(tx)
    organization = await make_organization(tx, owner)
    member = await make_member(tx, owner, organization, MemberLevel.VIEWER)
    robot, _ = await make_service_user(tx, owner, await make_project(tx, owner))
    twice = await refused(organizations.add_member(tx, owner, organization.name, member.email, MemberLevel.ADMIN))
    machine = await refused(organizations.add_member(tx, owner, organization.name, robot.email, MemberLevel.ADMIN))
    assert (twice.kind, machine.kind) == (ErrorKind.ALREADY_EXISTS, ErrorKind.INVALID)


async def test_add_member_with_an_unknown_address_invites(tx: AsyncConnection):
    owner = await make_caller(tx)
    organization = await make_organization(tx, owner)
    member = await organizations.add_member(tx, owner, organization.name, unique_email(), MemberLevel.EDITOR)
    assert (member.user.status, member.level) == (UserStatus.PENDING, MemberLevel.EDITOR)


async def test_last_administrator_can_neither_be_demoted_nor_removed(tx: AsyncConnection):
    owner = await make_caller(tx)
    organization = await make_organization(tx, owner)
    await make_member(tx, owner, organization, MemberLevel.EDITOR)
    # Someone who was invited as an administrator, and has not come yet, is none.
    await organizations.add_member(tx, owner, organization.name, unique_email(), MemberLevel.ADMIN)
    demoted = await refused(organizations.update_member(tx, owner, organization.name, owner.uuid, MemberLevel.VIEWER))
    removed = await refused(organizations.remove_member(tx, owner, organization.name, owner.uuid))
    assert (demoted.kind, removed.kind) == (ErrorKind.WRONG_STATE, ErrorKind.WRONG_STATE)
    kept = await organizations.update_member(tx, owner, organization.name, owner.uuid, MemberLevel.ADMIN)
    assert kept.level is MemberLevel.ADMIN


async def test_two_administrators_removing_each_other_at_once_leave_one(db: Database):
    async with db.begin() as tx:
        first = await make_caller(tx)
        organization = await make_organization(tx, first)
        second = await make_member(tx, first, organization, MemberLevel.ADMIN)

    async def remove(caller: Caller, other: Caller) -> None:
        async with db.begin() as tx:
            await organizations.remove_member(tx, caller, organization.name, other.uuid)

    async with db.begin() as tx:
        await organizations.remove_member(tx, first, organization.name, second.uuid)
        slower = asyncio.create_task(remove(second, first))
        await until_blocked(db, slower)
    assert (await refused(slower)).kind is ErrorKind.WRONG_STATE
    async with db.begin() as tx:
        (left,) = await organizations.list_members(tx, first, organization.name)
    assert left.user.id == first.user_id


async def test_remove_member_takes_the_roles_in_the_organizations_projects_only(tx: AsyncConnection):
    owner, other = await make_caller(tx), await make_caller(tx)
    organization, elsewhere = await make_organization(tx, owner), await make_organization(tx, other)
    inside, outside = await make_project(tx, owner, organization), await make_project(tx, other, elsewhere)
    member = await make_member(tx, owner, organization, MemberLevel.VIEWER)
    await organizations.add_member(tx, other, elsewhere.name, member.email, MemberLevel.VIEWER)
    await roles.assign_role(tx, owner, inside.name, member.uuid, PROJECT_ADMIN)
    await roles.assign_role(tx, other, outside.name, member.uuid, PROJECT_ADMIN)
    await organizations.remove_member(tx, owner, organization.name, member.uuid)
    gone = await refused(access_to(tx, member, inside.name))
    assert gone.kind is ErrorKind.NOT_FOUND
    assert len((await access_to(tx, member, outside.name)).grants) == 1


async def test_demoted_administrator_loses_what_came_with_it_and_keeps_what_was_given(tx: AsyncConnection):
    owner = await make_caller(tx)
    organization = await make_organization(tx, owner)
    admin = await make_member(tx, owner, organization, MemberLevel.ADMIN)
    project = await make_project(tx, owner, organization)
    await roles.assign_role(tx, owner, project.name, admin.uuid, PROJECT_VIEWER)
    held = [item.role_name for item in await roles.list_assignments(tx, owner, project.name, admin.uuid)]
    await organizations.update_member(tx, owner, organization.name, admin.uuid, MemberLevel.EDITOR)
    left = [item.role_name for item in await roles.list_assignments(tx, owner, project.name, admin.uuid)]
    assert (held, left) == ([PROJECT_ADMIN, PROJECT_VIEWER], [PROJECT_VIEWER])


async def test_unknown_member_is_not_found(tx: AsyncConnection):
    owner, stranger = await make_caller(tx), await make_caller(tx)
    organization = await make_organization(tx, owner)
    for uuid in (stranger.uuid, uuid4()):
        attempts = (
            organizations.get_member(tx, owner, organization.name, uuid),
            organizations.update_member(tx, owner, organization.name, uuid, MemberLevel.ADMIN),
            organizations.remove_member(tx, owner, organization.name, uuid),
        )
        assert {(await refused(attempt)).kind for attempt in attempts} == {ErrorKind.NOT_FOUND}
