from uuid import uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.actions import roles
from quadrat.identity.actions.access import access_to, authenticate, open_list, open_project
from quadrat.identity.permissions import (
    DEFAULT_ROLES,
    PROJECT_ADMIN,
    PROJECT_VIEWER,
    SERVICE_USER_PROJECT_ADMIN,
)
from quadrat.identity.types import MemberLevel, ObjectType, Target
from support.people import make_caller, make_member, make_organization, make_project, make_service_user, unique

pytestmark = pytest.mark.anyio


async def refused(awaitable) -> QuadratError:
    with pytest.raises(QuadratError) as caught:
        await awaitable
    return caught.value


async def test_list_roles_shows_default_roles_first_and_those_of_this_project(tx: AsyncConnection):
    owner = await make_caller(tx)
    project, other = await make_project(tx, owner), await make_project(tx, owner)
    await roles.create_role(tx, owner, other.name, "elsewhere", ["models.get"])
    made = await roles.create_role(tx, owner, project.name, "a-first", ["models.get", "models.list"])
    listed = await roles.list_roles(tx, owner, project.name)
    assert {role.name: role.permissions for role in listed[:-1]} == DEFAULT_ROLES
    assert listed[-1] == made
    assert made.permissions == {"models.get", "models.list"}


@pytest.mark.parametrize(
    ("name", "permissions", "kind", "field"),
    [
        ("Not a name", ["models.get"], ErrorKind.INVALID, "name"),
        ("fine", [], ErrorKind.INVALID, "permissions"),
        ("fine", ["models.get", "models.fly"], ErrorKind.INVALID, "permissions"),
        (PROJECT_VIEWER, ["models.get"], ErrorKind.ALREADY_EXISTS, "name"),
        ("taken", ["models.get"], ErrorKind.ALREADY_EXISTS, "name"),
    ],
)
async def test_create_role_that_cannot_be_is_refused(
    tx: AsyncConnection, name: str, permissions: list[str], kind: ErrorKind, field: str
):
    owner = await make_caller(tx)
    project = await make_project(tx, owner)
    await roles.create_role(tx, owner, project.name, "taken", ["models.get"])
    error = await refused(roles.create_role(tx, owner, project.name, name, permissions))
    assert (error.kind, error.field) == (kind, field)


async def test_update_role_renames_and_replaces_permissions(tx: AsyncConnection):
    owner = await make_caller(tx)
    project = await make_project(tx, owner)
    await roles.create_role(tx, owner, project.name, "old", ["models.get"])
    await roles.create_role(tx, owner, project.name, "taken", ["models.get"])
    changed = await roles.update_role(tx, owner, project.name, "old", name="new", permissions=["blobs.get"])
    same = await roles.update_role(tx, owner, project.name, "new")
    taken = await refused(roles.update_role(tx, owner, project.name, "new", name="taken"))
    assert (changed.name, changed.permissions) == ("new", {"blobs.get"})
    assert same == changed
    assert taken.kind is ErrorKind.ALREADY_EXISTS
    assert (await refused(roles.get_role(tx, owner, project.name, "old"))).kind is ErrorKind.NOT_FOUND


async def test_default_role_can_be_neither_changed_nor_deleted(tx: AsyncConnection):
    owner = await make_caller(tx)
    project = await make_project(tx, owner)
    changed = await refused(roles.update_role(tx, owner, project.name, PROJECT_VIEWER, permissions=["models.delete"]))
    deleted = await refused(roles.delete_role(tx, owner, project.name, PROJECT_VIEWER))
    assert (changed.kind, deleted.kind) == (ErrorKind.WRONG_STATE, ErrorKind.WRONG_STATE)


async def test_role_decides_from_assignment_to_removal(tx: AsyncConnection):
    owner = await make_caller(tx)
    project = await make_project(tx, owner)
    robot, _ = await make_service_user(tx, owner, project)
    before = await refused(open_project(tx, robot, project.name, "models.create"))
    made = await roles.assign_role(tx, owner, project.name, robot.uuid, SERVICE_USER_PROJECT_ADMIN)
    assert (await open_project(tx, robot, project.name, "models.create")).id == project.id
    assert await roles.get_assignment(tx, owner, project.name, made.uuid) == made
    assert await roles.list_assignments(tx, owner, project.name, robot.uuid) == [made]
    await roles.delete_assignment(tx, owner, project.name, made.uuid)
    after = await refused(open_project(tx, robot, project.name, "models.create"))
    assert (before.kind, after.kind) == (ErrorKind.FORBIDDEN, ErrorKind.FORBIDDEN)
    for attempt in (roles.get_assignment, roles.delete_assignment):
        assert (await refused(attempt(tx, owner, project.name, made.uuid))).kind is ErrorKind.NOT_FOUND


async def test_role_on_one_object_opens_this_object_and_what_is_below(tx: AsyncConnection):
    owner = await make_caller(tx)
    project = await make_project(tx, owner)
    robot, _ = await make_service_user(tx, owner, project)
    mine, other = Target(ObjectType.MODEL, uuid4()), Target(ObjectType.MODEL, uuid4())
    made = await roles.assign_role(tx, owner, project.name, robot.uuid, "model-viewer", mine)
    _, ids = await open_list(tx, robot, project.name, "models.list", ObjectType.MODEL)
    assert made.target == mine
    assert ids == {mine.id}
    assert (await open_project(tx, robot, project.name, "models.versions.get", mine)).id == project.id
    for attempt in (
        open_project(tx, robot, project.name, "models.get", other),
        open_project(tx, robot, project.name, "models.get"),
        open_project(tx, robot, project.name, "models.delete", mine),
        open_list(tx, robot, project.name, "pipelines.list", ObjectType.PIPELINE),
    ):
        assert (await refused(attempt)).kind is ErrorKind.FORBIDDEN
    await roles.forget_object(tx, project.id, mine)
    assert await roles.list_assignments(tx, owner, project.name, robot.uuid) == []


async def test_assign_role_to_strangers_unknown_roles_or_twice_is_refused(tx: AsyncConnection):
    owner, stranger = await make_caller(tx), await make_caller(tx)
    project, other = await make_project(tx, owner), await make_project(tx, owner)
    robot, _ = await make_service_user(tx, owner, project, PROJECT_VIEWER)
    foreign_robot, _ = await make_service_user(tx, owner, other)
    errors = [
        await refused(roles.assign_role(tx, owner, project.name, stranger.uuid, PROJECT_VIEWER)),
        await refused(roles.assign_role(tx, owner, project.name, foreign_robot.uuid, PROJECT_VIEWER)),
        await refused(roles.assign_role(tx, owner, project.name, uuid4(), PROJECT_VIEWER)),
        await refused(roles.assign_role(tx, owner, project.name, robot.uuid, "unheard-of")),
        await refused(roles.assign_role(tx, owner, project.name, robot.uuid, PROJECT_ADMIN)),
        await refused(roles.assign_role(tx, owner, project.name, robot.uuid, PROJECT_VIEWER)),
    ]
    assert [error.field for error in errors] == ["user_id", "user_id", "user_id", "role", "role", "role"]
    assert {error.kind for error in errors[:-1]} == {ErrorKind.INVALID}
    assert errors[-1].kind is ErrorKind.ALREADY_EXISTS


async def test_role_of_a_service_user_cannot_come_to_hold_permissions_on_users(tx: AsyncConnection):
    owner = await make_caller(tx)
    project = await make_project(tx, owner)
    await roles.create_role(tx, owner, project.name, "worker", ["models.get"])
    await make_service_user(tx, owner, project, "worker")
    error = await refused(roles.update_role(tx, owner, project.name, "worker", permissions=["service-users.create"]))
    assert (error.kind, error.field) == (ErrorKind.WRONG_STATE, "permissions")
    widened = await roles.update_role(tx, owner, project.name, "worker", permissions=["models.get", "models.update"])
    assert "models.update" in widened.permissions


async def test_delete_role_takes_it_from_its_holders(tx: AsyncConnection):
    owner = await make_caller(tx)
    project = await make_project(tx, owner)
    await roles.create_role(tx, owner, project.name, "worker", ["models.get"])
    robot, _ = await make_service_user(tx, owner, project, "worker")
    await roles.delete_role(tx, owner, project.name, "worker")
    assert (await access_to(tx, robot, project.name)).grants == ()


async def test_role_management_needs_its_permissions(tx: AsyncConnection):
    owner = await make_caller(tx)
    organization = await make_organization(tx, owner)
    project = await make_project(tx, owner, organization)
    editor = await make_member(tx, owner, organization, MemberLevel.EDITOR)
    name = project.name
    attempts = (
        roles.list_roles(tx, editor, name),
        roles.get_role(tx, editor, name, PROJECT_VIEWER),
        roles.create_role(tx, editor, name, "mine", ["models.get"]),
        roles.update_role(tx, editor, name, "mine"),
        roles.delete_role(tx, editor, name, "mine"),
        roles.assign_role(tx, editor, name, editor.uuid, PROJECT_ADMIN),
        roles.get_assignment(tx, editor, name, uuid4()),
        roles.list_assignments(tx, editor, name, editor.uuid),
        roles.delete_assignment(tx, editor, name, uuid4()),
        roles.create_service_user(tx, editor, name, "robot"),
        roles.get_service_user(tx, editor, name, uuid4()),
        roles.list_service_users(tx, editor, name),
        roles.update_service_user(tx, editor, name, uuid4(), "robot"),
        roles.reset_service_token(tx, editor, name, uuid4()),
        roles.delete_service_user(tx, editor, name, uuid4()),
    )
    assert {(await refused(attempt)).kind for attempt in attempts} == {ErrorKind.FORBIDDEN}


async def test_service_user_is_listed_renamed_and_deleted(tx: AsyncConnection):
    owner = await make_caller(tx)
    project, other = await make_project(tx, owner), await make_project(tx, owner)
    user, secret = await roles.create_service_user(tx, owner, project.name, None)
    robot = await authenticate(tx, secret)
    named = await roles.update_service_user(tx, owner, project.name, user.uuid, "robot")
    unnamed = await roles.update_service_user(tx, owner, project.name, user.uuid, "")
    assert (named.name, unnamed.name) == ("robot", None)
    assert await roles.list_service_users(tx, owner, project.name) == [unnamed]
    assert await roles.list_service_users(tx, owner, other.name) == []
    assert (await refused(roles.get_service_user(tx, owner, other.name, user.uuid))).kind is ErrorKind.NOT_FOUND
    assert (await refused(roles.get_service_user(tx, owner, project.name, owner.uuid))).kind is ErrorKind.NOT_FOUND
    await roles.delete_service_user(tx, owner, project.name, robot.uuid)
    assert (await refused(authenticate(tx, secret))).kind is ErrorKind.UNAUTHENTICATED


async def test_reset_of_a_service_users_token_ends_the_old_one(tx: AsyncConnection):
    owner = await make_caller(tx)
    project = await make_project(tx, owner)
    user, old = await roles.create_service_user(tx, owner, project.name, unique("robot"))
    new = await roles.reset_service_token(tx, owner, project.name, user.uuid)
    assert (await refused(authenticate(tx, old))).kind is ErrorKind.UNAUTHENTICATED
    assert (await authenticate(tx, new)).user_id == user.id
