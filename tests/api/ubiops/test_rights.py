from uuid import uuid4

import httpx2
import pytest

from quadrat.api.ubiops.app import PREFIX, create_app
from quadrat.identity.permissions import ALL_PERMISSIONS, DEFAULT_ROLES
from quadrat.identity.types import Project
from support.desk import Desk
from support.house import House, Person

pytestmark = pytest.mark.anyio

MODEL = {"input_type": "plain", "output_type": "plain"}


@pytest.fixture
async def owner(house: House, desk: Desk) -> Person:
    return await house.make_person()


@pytest.fixture
async def project(house: House, owner: Person) -> Project:
    return await house.make_project(owner, await house.make_organization(owner))


@pytest.fixture
def client(house: House, owner: Person) -> httpx2.AsyncClient:
    return house.client_for(create_app, PREFIX, owner)


async def member_of(house: House, client: httpx2.AsyncClient, project: Project) -> tuple[Person, httpx2.AsyncClient]:
    person = await house.make_person()
    made = await client.post(f"/organizations/{project.organization_name}/users", json={"email": person.caller.email})
    assert made.status_code == 201, made.text
    return person, house.client_for(create_app, PREFIX, person)


async def test_permissions_list_names_all(client: httpx2.AsyncClient):
    listed = (await client.get("/permissions")).json()
    assert {item["name"] for item in listed} == ALL_PERMISSIONS
    assert all(set(item) == {"name"} for item in listed)


async def test_role_lives_from_create_to_delete(client: httpx2.AsyncClient, project: Project):
    at = f"/projects/{project.name}/roles"
    made = await client.post(at, json={"name": "reader", "permissions": ["models.list", "models.get", "models.list"]})
    assert made.status_code == 201
    role = made.json()
    assert role == {"id": role["id"], "name": "reader", "default": False, "permissions": ["models.get", "models.list"]}
    assert (await client.get(f"{at}/reader")).json() == role
    listed = (await client.get(at)).json()
    assert [item["name"] for item in listed if item["default"]] == sorted(DEFAULT_ROLES)
    assert listed[-1] == {"id": role["id"], "name": "reader", "default": False}
    changed = await client.patch(f"{at}/reader", json={"name": "writer", "permissions": ["models.update"]})
    assert changed.json() == {**role, "name": "writer", "permissions": ["models.update"]}
    assert (await client.get(f"{at}/reader")).status_code == 404
    assert (await client.delete(f"{at}/writer")).status_code == 204
    assert (await client.get(f"{at}/writer")).status_code == 404


async def test_roles_that_cannot_be_are_400(client: httpx2.AsyncClient, project: Project):
    at = f"/projects/{project.name}/roles"
    assert (await client.post(at, json={"name": "mine", "permissions": ["models.get"]})).status_code == 201
    for body in (
        {"name": "No Slug", "permissions": ["models.get"]},
        {"name": "mine", "permissions": ["models.get"]},
        {"name": "model-viewer", "permissions": ["models.get"]},
        {"name": "other", "permissions": []},
        {"name": "other", "permissions": ["models.fly"]},
        {"name": "other"},
        {"permissions": ["models.get"]},
    ):
        assert (await client.post(at, json=body)).status_code == 400, body
    assert (await client.patch(f"{at}/mine", json={"permissions": []})).status_code == 400
    assert (await client.patch(f"{at}/model-viewer", json={"name": "x"})).status_code == 400
    assert (await client.delete(f"{at}/model-viewer")).status_code == 400
    assert (await client.get(f"{at}/model-viewer")).json()["default"] is True


async def test_role_on_the_project_gives_its_permissions_until_it_is_taken(
    house: House, client: httpx2.AsyncClient, project: Project
):
    person, other = await member_of(house, client, project)
    at = f"/projects/{project.name}/role-assignments"
    body = {"user_id": str(person.caller.uuid), "role": "model-viewer"}
    made = await client.post(at, json=body)
    assert made.status_code == 201
    shown = {"id": made.json()["id"], **body, "object_name": project.name, "object_type": "project"}
    assert made.json() == shown
    assert (await client.get(f"{at}/{shown['id']}")).json() == shown
    held = f"/projects/{project.name}/users/{person.caller.uuid}/role-assignments"
    assert (await client.get(held)).json() == [shown]
    assert (await client.post(at, json=body)).status_code == 400
    assert (await other.get(f"/projects/{project.name}/models")).status_code == 200
    assert (await other.post(f"/projects/{project.name}/models", json={"name": "m", **MODEL})).status_code == 403
    assert (await client.delete(f"{at}/{shown['id']}")).status_code == 204
    assert (await client.get(held)).json() == []
    assert (await other.get(f"/projects/{project.name}/models")).status_code == 403
    assert (await client.delete(f"{at}/{shown['id']}")).status_code == 404


async def test_role_on_one_model_covers_it_and_what_is_below_under_any_name(
    house: House, client: httpx2.AsyncClient, project: Project
):
    person, other = await member_of(house, client, project)
    models = f"/projects/{project.name}/models"
    for name in ("mine", "foreign"):
        await client.post(models, json={"name": name, **MODEL})
        await client.post(f"{models}/{name}/versions", json={"version": "v1"})
    body = {"user_id": str(person.caller.uuid), "role": "model-editor", "object_name": "mine", "object_type": "model"}
    made = await client.post(f"/projects/{project.name}/role-assignments", json=body)
    assert (made.status_code, made.json()["object_name"], made.json()["object_type"]) == (201, "mine", "model")
    assert [item["name"] for item in (await other.get(models)).json()] == ["mine"]
    assert (await other.get(f"{models}/mine/versions/v1")).status_code == 200
    assert (await other.post(f"{models}/mine/versions", json={"version": "v2"})).status_code == 201
    assert (await other.get(f"{models}/foreign")).status_code == 403
    assert (await other.delete(f"{models}/mine")).status_code == 403
    assert (await client.patch(f"{models}/mine", json={"name": "renamed"})).status_code == 200
    held = f"/projects/{project.name}/users/{person.caller.uuid}/role-assignments"
    assert [item["object_name"] for item in (await client.get(held)).json()] == ["renamed"]
    assert (await other.get(f"{models}/renamed")).status_code == 200
    assert (await client.delete(f"{models}/renamed")).status_code == 204
    assert (await client.get(held)).json() == []
    assert (await other.get(models)).status_code == 403


async def test_assignments_that_cannot_be_are_400(house: House, client: httpx2.AsyncClient, project: Project):
    person, _ = await member_of(house, client, project)
    stranger = await house.make_person()
    await client.post(f"/projects/{project.name}/models", json={"name": "mine", **MODEL})
    good = {"user_id": str(person.caller.uuid), "role": "model-viewer"}
    for change in (
        {"user_id": "me"},
        {"user_id": str(uuid4())},
        {"user_id": str(stranger.caller.uuid)},
        {"role": "unheard-of"},
        {"object_name": "mine"},
        {"object_type": "model"},
        {"object_name": "mine", "object_type": "version"},
        {"object_name": "missing", "object_type": "model"},
        {"object_name": "mine", "object_type": "pipeline"},
        {"object_name": "mine", "object_type": "model", "role": "blob-viewer"},
        {"object_name": "another", "object_type": "project"},
    ):
        answer = await client.post(f"/projects/{project.name}/role-assignments", json={**good, **change})
        assert answer.status_code == 400, change
    named = {**good, "object_name": project.name, "object_type": "project"}
    assert (await client.post(f"/projects/{project.name}/role-assignments", json=named)).status_code == 201


async def test_service_user_lives_from_create_to_delete(
    house: House, client: httpx2.AsyncClient, owner: Person, project: Project
):
    at = f"/projects/{project.name}/service-users"
    made = await client.post(at, json={"name": "robot"})
    assert made.status_code == 201
    robot = made.json()
    assert set(robot) == {"id", "email", "token", "name", "creation_date"}
    assert f".{project.name}@serviceuser." in robot["email"]
    listed = {key: value for key, value in robot.items() if key != "token"}
    one = f"{at}/{robot['id']}"
    assert (await client.get(one)).json() == listed
    assert (await client.get(at)).json() == [listed]
    assert (await client.patch(one, json={"name": "r2"})).json() == {**listed, "name": "r2"}

    def as_robot(token: str) -> httpx2.AsyncClient:
        return house.client_for(create_app, PREFIX, Person(owner.caller, token))

    assert (await as_robot(robot["token"]).get("/user")).json()["id"] == robot["id"]
    reset = (await client.put(f"{one}/token", json={"ignored": 1})).json()["token"]
    assert reset != robot["token"]
    await house.forgotten(Person(owner.caller, robot["token"]))
    assert [(await as_robot(token).get("/user")).status_code for token in (robot["token"], reset)] == [401, 200]
    body = {"user_id": robot["id"], "role": "service-user-project-admin"}
    assert (await as_robot(reset).get(f"/projects/{project.name}")).status_code == 403
    assert (await client.post(f"/projects/{project.name}/role-assignments", json=body)).status_code == 201
    assert (await as_robot(reset).get(f"/projects/{project.name}")).status_code == 200
    assert (await as_robot(reset).get(f"/projects/{project.name}/roles")).status_code == 403
    body = {"user_id": robot["id"], "role": "project-admin"}
    assert (await client.post(f"/projects/{project.name}/role-assignments", json=body)).status_code == 400
    assert (await client.delete(one)).status_code == 204
    assert (await client.get(one)).status_code == 404
    await house.forgotten(Person(owner.caller, reset))
    assert (await as_robot(reset).get("/user")).status_code == 401


async def test_rights_of_another_tenants_project_are_404_and_missing_things_too(
    house: House, client: httpx2.AsyncClient, project: Project
):
    stranger = await house.make_person()
    other = house.client_for(create_app, PREFIX, stranger)
    at = f"/projects/{project.name}"
    missing = str(uuid4())
    for path in (
        "/roles",
        "/roles/model-viewer",
        f"/role-assignments/{missing}",
        f"/users/{missing}/role-assignments",
        "/service-users",
        f"/service-users/{missing}",
    ):
        assert (await other.get(at + path)).status_code == 404, path
    for path in (f"/role-assignments/{missing}", "/role-assignments/no-uuid", f"/service-users/{missing}", "/roles/no"):
        assert (await client.get(at + path)).status_code == 404, path
        assert (await client.delete(at + path)).status_code == 404, path
    assert (await client.put(f"{at}/service-users/{missing}/token")).status_code == 404
