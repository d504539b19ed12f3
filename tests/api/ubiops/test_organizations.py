import re

import pytest

from quadrat.api.ubiops.app import PREFIX, create_app
from quadrat.identity.actions.organizations import add_member
from quadrat.identity.types import MemberLevel
from support.house import House, Person
from support.people import make_service_user, unique

pytestmark = pytest.mark.anyio

NEW = {"subscription": "free", "subscription_agreed": True}


async def test_organizations_create_makes_the_caller_its_administrator(house: House):
    person = await house.make_person()
    client = house.client_for(create_app, PREFIX, person)
    name = unique("org")
    made = await client.post("/organizations", json={"name": name, **NEW, "ignored": 1})
    body = made.json()
    assert made.status_code == 201
    assert set(body) == {"id", "name", "creation_date"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", body["creation_date"])
    detail = await client.get(f"/organizations/{name}")
    assert detail.json() == {**body, "subscription": "free", "status": "active"}
    renamed = await client.patch(f"/organizations/{name}", json={"name": f"{name}-new"})
    assert (renamed.status_code, renamed.json()["name"], renamed.json()["id"]) == (200, f"{name}-new", body["id"])
    assert (await client.get(f"/organizations/{name}")).status_code == 404


async def test_organizations_list_shows_own_ones_only(house: House):
    person, other = await house.make_person(), await house.make_person()
    own, foreign = await house.make_organization(person), await house.make_organization(other)
    listed = (await house.client_for(create_app, PREFIX, person).get("/organizations")).json()
    names = [item["name"] for item in listed]
    assert own.name in names
    assert foreign.name not in names
    assert len(names) == 2
    assert names == sorted(names)


@pytest.mark.parametrize(
    "changed",
    [
        {"name": "Not a name"},
        {"name": ""},
        {"name": "x" * 65},
        {"name": "trailing\n"},
        {"subscription": "unheard-of"},
        {"subscription": "free\x00"},
        {"subscription_agreed": False},
        {"subscription_end_date": "2030-01-01"},
        {"subscription_end_date": "soon"},
    ],
)
async def test_organizations_create_with_a_bad_value_is_400(house: House, changed: dict):
    client = house.client_for(create_app, PREFIX, await house.make_person())
    answer = await client.post("/organizations", json={"name": unique("org"), **NEW, **changed})
    assert answer.status_code == 400
    assert set(answer.json()) == {"error"}


async def test_organizations_create_with_a_taken_name_is_400(house: House):
    person, other = await house.make_person(), await house.make_person()
    taken = await house.make_organization(other)
    answer = await house.client_for(create_app, PREFIX, person).post("/organizations", json={"name": taken.name, **NEW})
    assert answer.status_code == 400


@pytest.mark.parametrize("method", ["GET", "PATCH"])
async def test_foreign_organization_is_404_like_a_missing_one(house: House, method: str):
    person, other = await house.make_person(), await house.make_person()
    foreign = await house.make_organization(other)
    client = house.client_for(create_app, PREFIX, person)
    body = {"json": {"name": unique("stolen")}} if method == "PATCH" else {}
    for name in (foreign.name, unique("missing"), "%00", "Not%20a%20name"):
        assert (await client.request(method, f"/organizations/{name}", **body)).status_code == 404


async def test_organizations_update_by_a_plain_member_is_403(house: House):
    owner, person = await house.make_person(), await house.make_person()
    organization = await house.make_organization(owner)
    async with house.db.begin() as tx:
        await add_member(tx, owner.caller, organization.name, person.caller.email, MemberLevel.EDITOR)
    client = house.client_for(create_app, PREFIX, person)
    answer = await client.patch(f"/organizations/{organization.name}", json={"name": unique("org")})
    assert (await client.get(f"/organizations/{organization.name}")).status_code == 200
    assert answer.status_code == 403


@pytest.mark.parametrize("body", [{"subscription": "free"}, {"subscription_end_date": None}])
async def test_organizations_update_of_the_subscription_needs_a_platform_administrator(house: House, body: dict):
    owner, admin = await house.make_person(), await house.make_person(admin=True)
    organization = await house.make_organization(owner)
    path = f"/organizations/{organization.name}"
    assert (await house.client_for(create_app, PREFIX, owner).patch(path, json=body)).status_code == 403
    assert (await house.client_for(create_app, PREFIX, admin).patch(path, json=body)).status_code == 200


async def test_service_user_sees_no_organization(house: House):
    owner = await house.make_person()
    project = await house.make_project(owner)
    async with house.db.begin() as tx:
        robot, token = await make_service_user(tx, owner.caller, project)
    client = house.client_for(create_app, PREFIX, Person(robot, token))
    answers = [
        await client.get("/organizations"),
        await client.get(f"/organizations/{project.organization_name}"),
        await client.post("/organizations", json={"name": unique("org"), **NEW}),
    ]
    assert [answer.status_code for answer in answers] == [403, 403, 403]
