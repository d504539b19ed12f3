import asyncio

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.db.engine import Database
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.actions import organizations, projects, roles
from quadrat.identity.actions.access import access_to, open_project
from quadrat.identity.permissions import PROJECT_ADMIN, PROJECT_VIEWER
from quadrat.identity.types import Caller, MemberLevel
from support.people import make_caller, make_member, make_organization, make_project, make_service_user, unique

pytestmark = pytest.mark.anyio


async def refused(awaitable) -> QuadratError:
    with pytest.raises(QuadratError) as caught:
        await awaitable
    return caught.value


async def test_create_project_with_a_title_only_derives_a_free_name_in_the_personal_organization(tx: AsyncConnection):
    caller = await make_caller(tx)
    title = f"Été in the {unique('Bay')}, 2026"
    first = await projects.create_project(tx, caller, title=title)
    second = await projects.create_project(tx, caller, title=title)
    (personal,) = await organizations.list_organizations(tx, caller)
    assert (first.title, first.organization_id) == (title, personal.id)
    assert first.name.startswith("ete-in-the-bay-")
    assert second.name == f"{first.name}-2"


async def test_create_project_with_a_long_title_used_twice_stays_within_the_length(tx: AsyncConnection):
    caller = await make_caller(tx)
    title = f"{unique('long')} {'word ' * 30}".strip()
    names = [(await projects.create_project(tx, caller, title=title)).name for _ in range(3)]
    assert len(set(names)) == 3
    assert max(len(name) for name in names) <= 64


@pytest.mark.parametrize("title", [None, "", "   ", "\x00", "x" * 257])
async def test_create_project_without_a_usable_title_or_name_is_invalid(tx: AsyncConnection, title: str | None):
    error = await refused(projects.create_project(tx, await make_caller(tx), title=title))
    assert (error.kind, error.field) == (ErrorKind.INVALID, "title")


async def test_create_project_with_symbols_for_a_title_gets_a_name_all_the_same(tx: AsyncConnection):
    project = await projects.create_project(tx, await make_caller(tx), title="浮游生物")
    assert project.title == "浮游生物"
    assert project.name.startswith("project")


async def test_create_project_gives_project_admin_to_the_administrators_of_the_moment(tx: AsyncConnection):
    owner = await make_caller(tx)
    organization = await make_organization(tx, owner)
    admin = await make_member(tx, owner, organization, MemberLevel.ADMIN)
    editor = await make_member(tx, owner, organization, MemberLevel.EDITOR)
    project = await make_project(tx, admin, organization)
    held = {
        member.user_id: [item.role_name for item in await roles.list_assignments(tx, owner, project.name, member.uuid)]
        for member in (owner, admin, editor)
    }
    assert held == {owner.user_id: [PROJECT_ADMIN], admin.user_id: [PROJECT_ADMIN], editor.user_id: []}


async def test_renamed_project_is_found_under_the_new_name_uuid_and_number_only(tx: AsyncConnection):
    caller = await make_caller(tx)
    project = await make_project(tx, caller)
    renamed = await projects.update_project(tx, caller, project.name, name=unique("new"))
    assert (renamed.id, renamed.title) == (project.id, renamed.name)
    for ref in (renamed.name, project.uuid, int(project.id)):
        assert (await projects.get_project(tx, caller, ref)).id == project.id
    for ref in (project.name, str(project.uuid), -1, 2**70, "\x00"):
        assert (await refused(projects.get_project(tx, caller, ref))).kind is ErrorKind.NOT_FOUND


async def test_rename_keeps_a_title_of_its_own(tx: AsyncConnection):
    caller = await make_caller(tx)
    project = await projects.create_project(tx, caller, title=f"Bay {unique('x')}")
    renamed = await projects.update_project(tx, caller, project.uuid, name=unique("new"))
    titled = await projects.update_project(tx, caller, project.uuid, title="Other bay")
    assert (renamed.title, titled.title, titled.name) == (project.title, "Other bay", renamed.name)


async def test_personal_project_is_made_once_and_stays_the_same(tx: AsyncConnection):
    caller, other = await make_caller(tx), await make_caller(tx)
    first = await projects.personal_project(tx, caller)
    await projects.update_project(tx, caller, first.name, name=unique("mine"))
    second = await projects.personal_project(tx, caller)
    assert second.id == first.id
    assert (await projects.personal_project(tx, other)).id != first.id
    assert [found.id for found in await projects.list_projects(tx, caller)] == [first.id]
    assert await open_project(tx, caller, first.uuid, "samples.create") == second


async def test_personal_project_of_a_service_user_is_its_own_project(tx: AsyncConnection):
    owner = await make_caller(tx)
    project = await make_project(tx, owner)
    robot, _ = await make_service_user(tx, owner, project)
    assert (await projects.personal_project(tx, robot)).id == project.id


async def test_personal_project_asked_for_at_once_is_one(db: Database):
    async with db.begin() as tx:
        caller = await make_caller(tx)

    async def ask() -> int:
        async with db.begin() as tx:
            return (await projects.personal_project(tx, caller)).id

    assert len(set(await asyncio.gather(*(ask() for _ in range(5))))) == 1


async def test_delete_project_takes_service_users_and_roles_along(tx: AsyncConnection):
    owner = await make_caller(tx)
    project = await make_project(tx, owner)
    await make_service_user(tx, owner, project, PROJECT_VIEWER)
    await roles.create_role(tx, owner, project.name, unique("role"), ["models.get"])
    await projects.delete_project(tx, owner, project.name)
    assert (await refused(projects.get_project(tx, owner, project.uuid))).kind is ErrorKind.NOT_FOUND


@pytest.mark.parametrize("ref", ["name", "uuid", "id"])
async def test_foreign_project_is_not_found_by_any_reference(tx: AsyncConnection, ref: str):
    owner, stranger = await make_caller(tx), await make_caller(tx)
    project = await make_project(tx, owner)
    robot, _ = await make_service_user(tx, stranger, await make_project(tx, stranger), PROJECT_VIEWER)
    for caller in (stranger, robot):
        error = await refused(access_to(tx, caller, getattr(project, ref)))
        assert error.kind is ErrorKind.NOT_FOUND
        assert project.id not in {found.id for found in await projects.list_projects(tx, caller)}


async def test_each_way_to_a_project_makes_it_visible_once(tx: AsyncConnection):
    owner = await make_caller(tx)
    organization = await make_organization(tx, owner)
    project = await make_project(tx, owner, organization)
    member = await make_member(tx, owner, organization, MemberLevel.DEMO)
    await roles.assign_role(tx, owner, project.name, member.uuid, PROJECT_VIEWER)
    await roles.assign_role(tx, owner, project.name, member.uuid, PROJECT_ADMIN)
    robot, _ = await make_service_user(tx, owner, project)
    admin = await make_caller(tx, admin=True)
    for caller in (owner, member, robot):
        assert [found.id for found in await projects.list_projects(tx, caller)] == [project.id]
    assert project.id in {found.id for found in await projects.list_projects(tx, admin)}


async def test_user_removed_in_the_meantime_is_unauthenticated(tx: AsyncConnection):
    known = await make_caller(tx)
    gone = Caller(type(known.user_id)(2**40), known.uuid, known.email, False, None, known.token_id)
    assert (await refused(projects.personal_project(tx, gone))).kind is ErrorKind.UNAUTHENTICATED
