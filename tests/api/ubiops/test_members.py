import pytest

from quadrat.api.ubiops.app import PREFIX, create_app
from support.house import House, Person
from support.people import make_service_user, unique, unique_email

pytestmark = pytest.mark.anyio

MISSING = "00000000-0000-4000-8000-000000000000"


async def test_member_lives_from_invitation_to_removal(house: House):
    owner, person = await house.make_person(), await house.make_person()
    organization = await house.make_organization(owner)
    client, other = (house.client_for(create_app, PREFIX, someone) for someone in (owner, person))
    at = f"/organizations/{organization.name}/users"
    made = await client.post(at, json={"email": person.caller.email.upper()})
    assert made.status_code == 201
    assert made.json() == {
        "id": str(person.caller.uuid),
        "email": person.caller.email,
        "name": None,
        "surname": None,
        "status": "active",
        "admin": False,
    }
    one = f"{at}/{person.caller.uuid}"
    assert (await client.get(one)).json() == made.json()
    assert [item["admin"] for item in (await other.get(at)).json()] == [True, False]
    promoted = await client.patch(one, json={"admin": True})
    assert (promoted.status_code, promoted.json()["admin"]) == (200, True)
    assert (await other.patch(one, json={})).json()["admin"] is False
    assert (await client.delete(one)).status_code == 204
    assert (await client.get(one)).status_code == 404
    await house.forgotten(person)
    assert (await other.get(at)).status_code == 404


async def test_unknown_address_is_invited_and_pending(house: House):
    owner = await house.make_person()
    organization = await house.make_organization(owner)
    client = house.client_for(create_app, PREFIX, owner)
    made = await client.post(f"/organizations/{organization.name}/users", json={"email": unique_email(), "admin": True})
    assert (made.status_code, made.json()["status"], made.json()["admin"]) == (201, "pending", True)


async def test_plain_member_holds_nothing_in_the_projects_that_it_sees(house: House):
    owner, person = await house.make_person(), await house.make_person()
    organization = await house.make_organization(owner)
    project = await house.make_project(owner, organization)
    client, other = (house.client_for(create_app, PREFIX, someone) for someone in (owner, person))
    await client.post(f"/organizations/{organization.name}/users", json={"email": person.caller.email})
    assert project.name in [item["name"] for item in (await other.get("/projects")).json()]
    assert (await other.get(f"/projects/{project.name}")).status_code == 403
    assert (await other.get(f"/projects/{project.name}/models")).status_code == 403
    assert (await other.get(f"/organizations/{organization.name}/usage")).status_code == 200
    assert (await other.get(f"/organizations/{organization.name}/resources")).status_code == 200
    for method, path in (
        ("GET", f"/users/{owner.caller.uuid}"),
        ("GET", "/subscriptions"),
        ("PATCH", f"/users/{person.caller.uuid}"),
        ("DELETE", f"/users/{owner.caller.uuid}"),
    ):
        body = {"json": {"admin": True}} if method == "PATCH" else {}
        answer = await other.request(method, f"/organizations/{organization.name}{path}", **body)
        assert answer.status_code == 403, path


async def test_last_administrator_stays(house: House):
    owner = await house.make_person()
    organization = await house.make_organization(owner)
    client = house.client_for(create_app, PREFIX, owner)
    at = f"/organizations/{organization.name}/users/{owner.caller.uuid}"
    assert (await client.patch(at, json={"admin": False})).status_code == 400
    assert (await client.delete(at)).status_code == 400


@pytest.mark.parametrize("body", [{}, {"email": "no address"}, {"email": 5}, {"email": "a@b.example", "admin": "x"}])
async def test_member_with_a_bad_value_is_400(house: House, body: dict):
    owner = await house.make_person()
    organization = await house.make_organization(owner)
    client = house.client_for(create_app, PREFIX, owner)
    assert (await client.post(f"/organizations/{organization.name}/users", json=body)).status_code == 400


async def test_member_twice_and_service_user_are_400_and_missing_is_404(house: House):
    owner = await house.make_person()
    organization = await house.make_organization(owner)
    project = await house.make_project(owner, organization)
    async with house.db.begin() as tx:
        robot, _ = await make_service_user(tx, owner.caller, project)
    client = house.client_for(create_app, PREFIX, owner)
    at = f"/organizations/{organization.name}/users"
    for email in (owner.caller.email, robot.email):
        assert (await client.post(at, json={"email": email})).status_code == 400
    for user in (MISSING, "no-uuid", str(robot.uuid)):
        answers = [
            await client.get(f"{at}/{user}"),
            await client.patch(f"{at}/{user}", json={"admin": True}),
            await client.delete(f"{at}/{user}"),
        ]
        assert [answer.status_code for answer in answers] == [404, 404, 404]


async def test_subscription_lives_from_create_to_delete(house: House):
    admin, person = await house.make_person(admin=True), await house.make_person()
    client, other = (house.client_for(create_app, PREFIX, someone) for someone in (admin, person))
    name = unique("plan")
    limits = {"max_projects": 2, "max_users": 3, "logs_retention_days": 28, "gb_seconds": 20000, "resources": 20}
    made = await client.post("/subscriptions", json={"name": name, **limits})
    assert made.status_code == 201
    shown = {key: value for key, value in limits.items() if key != "logs_retention_days"}
    expected = {"id": made.json()["id"], "name": name, "agreement": "", "terms_conditions": "", **shown}
    assert made.json() == expected
    assert {"id": expected["id"], "name": name} in (await other.get("/subscriptions")).json()
    assert (await other.get(f"/subscriptions/{name}")).json() == expected
    changed = await client.patch(
        f"/subscriptions/{name}",
        json={"name": f"{name}-x", "max_users": None, "hidden": True, "agreement": "https://x"},
    )
    assert changed.json() == {**expected, "name": f"{name}-x", "max_users": None, "agreement": "https://x"}
    assert (await other.get(f"/subscriptions/{name}-x")).status_code == 404
    assert f"{name}-x" not in [item["name"] for item in (await other.get("/subscriptions")).json()]
    assert f"{name}-x" in [item["name"] for item in (await client.get("/subscriptions")).json()]
    assert (await client.delete(f"/subscriptions/{name}-x")).status_code == 204
    assert (await client.get(f"/subscriptions/{name}-x")).status_code == 404


async def test_subscriptions_are_written_by_platform_administrators_only(house: House):
    client = house.client_for(create_app, PREFIX, await house.make_person())
    limits = dict.fromkeys(("max_projects", "max_users", "logs_retention_days", "gb_seconds", "resources"), 1)
    assert (await client.post("/subscriptions", json={"name": unique("plan"), **limits})).status_code == 403
    assert (await client.patch("/subscriptions/free", json={"max_users": 1})).status_code == 403
    assert (await client.delete("/subscriptions/free")).status_code == 403


async def test_subscription_that_cannot_be_is_400(house: House):
    client = house.client_for(create_app, PREFIX, await house.make_person(admin=True))
    good = {"name": unique("plan"), **dict.fromkeys(("max_projects", "max_users", "gb_seconds", "resources"), 1)}
    good["logs_retention_days"] = 1
    bad = [{"name": "No"}, {"max_users": -1}, {"resources": 2**31}, {"agreement": "x" * 1025}, {"gb_seconds": "many"}]
    for change in bad:
        assert (await client.post("/subscriptions", json={**good, **change})).status_code == 400, change
    assert (await client.post("/subscriptions", json={**good, "name": "free"})).status_code == 400
    for field in good:
        left = {key: value for key, value in good.items() if key != field}
        assert (await client.post("/subscriptions", json=left)).status_code == 400, field
    assert (await client.patch("/subscriptions/free", json={"name": unique("plan")})).status_code == 400
    assert (await client.delete("/subscriptions/free")).status_code == 400
    assert (await client.delete(f"/subscriptions/{unique('plan')}")).status_code == 404


async def test_organization_subscriptions_tell_the_history_newest_first(house: House):
    admin, owner = await house.make_person(admin=True), await house.make_person()
    organization = await house.make_organization(owner)
    operator, client = (house.client_for(create_app, PREFIX, someone) for someone in (admin, owner))
    name = unique("plan")
    limits = dict.fromkeys(("max_projects", "max_users", "logs_retention_days", "gb_seconds", "resources"))
    await operator.post("/subscriptions", json={"name": name, **limits})
    at = f"/organizations/{organization.name}"
    assert (await operator.patch(at, json={"subscription": name, "subscription_agreed": True})).status_code == 200
    assert (await operator.delete(f"/subscriptions/{name}")).status_code == 400
    newest, first = (await client.get(f"{at}/subscriptions")).json()
    assert (newest["subscription"], newest["subscription_update_user"]) == (name, admin.caller.email)
    assert (first["subscription"], first["subscription_update_user"]) == ("free", "")
    assert first["subscription_agreement_user"] == owner.caller.email
    assert len(first["start_date"]) == 10
    await operator.patch(at, json={"subscription": "free", "subscription_agreed": True})
    assert (await operator.delete(f"/subscriptions/{name}")).status_code == 204
    assert [item["subscription"] for item in (await client.get(f"{at}/subscriptions")).json()] == ["free", name, "free"]


async def test_service_user_gets_no_further_than_its_project(house: House):
    owner = await house.make_person()
    project = await house.make_project(owner)
    async with house.db.begin() as tx:
        robot, token = await make_service_user(tx, owner.caller, project)
    client = house.client_for(create_app, PREFIX, Person(robot, token))
    for path in ("/permissions", "/subscriptions", "/subscriptions/free", f"/projects/{project.name}"):
        assert (await client.get(path)).status_code == 403, path
    assert (await client.get("/user")).json()["email"] == robot.email
