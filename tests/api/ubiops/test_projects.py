import asyncio
from datetime import UTC, date, datetime

import httpx2
import pytest

from quadrat.api.ubiops.app import PREFIX, create_app
from quadrat.identity.actions.organizations import add_member
from quadrat.identity.types import MemberLevel
from support.house import House, Person
from support.people import make_service_user, unique

pytestmark = pytest.mark.anyio


def client_of(house: House, person: Person | None = None) -> httpx2.AsyncClient:
    return house.client_for(create_app, PREFIX, person)


async def test_project_lives_from_create_to_delete(house: House):
    person = await house.make_person()
    organization = await house.make_organization(person)
    client = client_of(house, person)
    name = unique("p")
    made = await client.post("/projects", json={"name": name, "organization_name": organization.name, "ignored": []})
    body = made.json()
    assert made.status_code == 201
    assert set(body) == {"id", "name", "creation_date", "organization_name"}
    assert (body["name"], body["organization_name"]) == (name, organization.name)
    assert abs((datetime.now(UTC).date() - date.fromisoformat(body["creation_date"])).days) <= 1
    assert (await client.get(f"/projects/{name}")).json() == body
    assert body in (await client.get("/projects")).json()
    renamed = await client.patch(f"/projects/{name}", json={"name": f"{name}-new"})
    assert (renamed.status_code, renamed.json()) == (200, {**body, "name": f"{name}-new"})
    assert (await client.get(f"/projects/{name}")).status_code == 404
    deleted = await client.delete(f"/projects/{name}-new")
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert (await client.get("/projects")).json() == []


async def test_projects_update_without_a_name_changes_nothing(house: House):
    person = await house.make_person()
    project = await house.make_project(person)
    for body in ({}, {"name": None}, {"name": project.name}):
        answer = await client_of(house, person).patch(f"/projects/{project.name}", json=body)
        assert (answer.status_code, answer.json()["name"]) == (200, project.name)


@pytest.mark.parametrize("name", ["Not a Name", "", "1st", "x" * 65, "trailing\n", "a/b", "ä", "a\x00"])
async def test_project_with_a_name_that_cannot_be_is_400(house: House, name: str):
    person = await house.make_person()
    project = await house.make_project(person)
    client = client_of(house, person)
    body = {"name": name, "organization_name": project.organization_name}
    answers = [await client.post("/projects", json=body), await client.patch(f"/projects/{project.name}", json=body)]
    assert [answer.status_code for answer in answers] == [400, 400]
    assert all(set(answer.json()) == {"error"} for answer in answers)


async def test_project_with_a_name_in_use_elsewhere_is_400(house: House):
    person, other = await house.make_person(), await house.make_person()
    project, taken = await house.make_project(person), await house.make_project(other)
    client = client_of(house, person)
    body = {"name": taken.name, "organization_name": project.organization_name}
    answers = [await client.post("/projects", json=body), await client.patch(f"/projects/{project.name}", json=body)]
    assert [answer.status_code for answer in answers] == [400, 400]


async def test_projects_create_with_one_name_at_once_succeeds_once(house: House):
    person = await house.make_person()
    organization = await house.make_organization(person)
    client = client_of(house, person)
    body = {"name": unique("race"), "organization_name": organization.name}
    answers = await asyncio.gather(*(client.post("/projects", json=body) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [201, 400, 400, 400, 400]


async def test_projects_create_in_an_unknown_or_foreign_organization_is_400_alike(house: House):
    person, other = await house.make_person(), await house.make_person()
    foreign, missing = (await house.make_organization(other)).name, unique("missing")
    client = client_of(house, person)
    answers = {
        name: await client.post("/projects", json={"name": unique("p"), "organization_name": name})
        for name in (foreign, missing)
    }
    assert {answer.status_code for answer in answers.values()} == {400}
    assert answers[foreign].text.replace(foreign, missing) == answers[missing].text


@pytest.mark.parametrize(
    ("level", "may"),
    [
        (MemberLevel.ADMIN, {"POST": 201, "GET": 200, "PATCH": 200, "DELETE": 204}),
        (MemberLevel.EDITOR, {"POST": 403, "GET": 200, "PATCH": 200, "DELETE": 403}),
        (MemberLevel.VIEWER, {"POST": 403, "GET": 200, "PATCH": 403, "DELETE": 403}),
    ],
)
async def test_project_operations_follow_the_members_level(house: House, level: MemberLevel, may: dict[str, int]):
    owner, person = await house.make_person(), await house.make_person()
    organization = await house.make_organization(owner)
    project = await house.make_project(owner, organization)
    async with house.db.begin() as tx:
        await add_member(tx, owner.caller, organization.name, person.caller.email, level)
    client = client_of(house, person)
    path = f"/projects/{project.name}"
    answers = {
        "POST": await client.post("/projects", json={"name": unique("p"), "organization_name": organization.name}),
        "GET": await client.get(path),
        "PATCH": await client.patch(path, json={"name": project.name}),
        "DELETE": await client.delete(path),
    }
    assert {method: answer.status_code for method, answer in answers.items()} == may


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
async def test_foreign_project_is_404_like_a_missing_one(house: House, method: str):
    person, other = await house.make_person(), await house.make_person()
    project = await house.make_project(other)
    client = client_of(house, person)
    for name in (project.name, unique("missing"), str(project.uuid), str(project.id), "%00", "%ff", "%2e%2e"):
        body = {"json": {"name": unique("stolen")}} if method == "PATCH" else {}
        answer = await client.request(method, f"/projects/{name}", **body)
        assert answer.status_code == 404, name
    assert (await client.get("/projects")).json() == []
    assert (await client_of(house, other).get(f"/projects/{project.name}")).status_code == 200


async def test_service_user_lists_its_project_and_may_do_nothing_in_it(house: House):
    owner = await house.make_person()
    project, elsewhere = await house.make_project(owner), await house.make_project(owner)
    async with house.db.begin() as tx:
        robot, token = await make_service_user(tx, owner.caller, project)
    client = client_of(house, Person(robot, token))
    assert [item["name"] for item in (await client.get("/projects")).json()] == [project.name]
    body = {"name": unique("p"), "organization_name": project.organization_name}
    assert (await client.post("/projects", json=body)).status_code == 403
    assert (await client.get(f"/projects/{project.name}")).status_code == 403
    assert (await client.get(f"/projects/{elsewhere.name}")).status_code == 404


@pytest.mark.parametrize("body", [b"{", b"", b"[]", b"12", b"null", b"\xff\xfe", b'{"name": 5}'])
async def test_projects_create_with_a_malformed_body_is_401_for_strangers_and_400_else(house: House, body: bytes):
    headers = {"Content-Type": "application/json"}
    stranger = await client_of(house).post("/projects", content=body, headers=headers)
    person = await client_of(house, await house.make_person()).post("/projects", content=body, headers=headers)
    assert (stranger.status_code, person.status_code) == (401, 400)
    assert set(person.json()) == {"error"}


@pytest.mark.parametrize("path", ["/nothing-here", "/projects/a/b/c/d", "/"])
async def test_unknown_path_is_404_with_an_error(house: House, path: str):
    answer = await client_of(house).get(path)
    assert (answer.status_code, set(answer.json())) == (404, {"error"})


async def test_method_that_is_not_served_is_405_with_an_error(house: House):
    answer = await client_of(house).put("/projects")
    assert (answer.status_code, set(answer.json())) == (405, {"error"})
