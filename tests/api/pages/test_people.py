import pytest

from quadrat.identity.actions import organizations, roles
from quadrat.identity.types import MemberLevel
from support.house import Person
from support.pages import PASSWORD, Browser
from support.people import unique

pytestmark = pytest.mark.anyio


async def _signed_in(browser: Browser, person: Person) -> dict[str, str]:
    return {"X-Quadrat-CSRF": await browser.sign_in(person.caller.email)}


async def test_people_are_members_holders_and_service_users_each_with_roles(browser: Browser) -> None:
    house = browser.house
    owner, viewer = await house.make_person(password=PASSWORD), await house.make_person(password=PASSWORD)
    organization = await house.make_organization(owner)
    project = await house.make_project(owner, organization)
    async with house.db.begin() as tx:
        await organizations.add_member(tx, owner.caller, organization.name, viewer.caller.email, MemberLevel.MEMBER)
        robot, _ = await roles.create_service_user(tx, owner.caller, project.name, "robot")
        await roles.assign_role(tx, owner.caller, project.name, robot.uuid, "project-viewer")
        await roles.assign_role(tx, owner.caller, project.name, viewer.caller.uuid, "project-annotator")
    headers = await _signed_in(browser, owner)
    found = (await browser.client.get(f"/ui/api/projects/{project.id}/people")).json()
    told = {row["email"]: (row["level"], row["is_service"], [role["role"] for role in row["roles"]]) for row in found}
    assert told[viewer.caller.email] == ("member", False, ["project-annotator"])
    assert told[robot.email] == (None, True, ["project-viewer"])
    assert told[owner.caller.email][0] == "owner"
    one = f"/ui/api/organizations/{organization.name}/members"
    changed = await browser.client.put(f"{one}/{viewer.caller.uuid}", json={"level": "editor"}, headers=headers)
    assert changed.status_code == 204
    last = await browser.client.put(f"{one}/{owner.caller.uuid}", json={"level": "viewer"}, headers=headers)
    assert last.status_code == 409

    # An editor is no administrator: neither who is here nor who changed rights is theirs to read.
    await _signed_in(browser, viewer)
    assert (await browser.client.get(f"/ui/api/projects/{project.id}/people")).status_code == 403
    for query in ({"project": project.name}, {"organization": organization.name}, {}):
        assert (await browser.client.get("/ui/api/audit", params=query)).status_code == 403
    stranger = await house.make_person(password=PASSWORD)
    await _signed_in(browser, stranger)
    assert (await browser.client.get(f"/ui/api/projects/{project.id}/people")).status_code == 404
    for query in ({"project": project.name}, {"organization": organization.name}):
        assert (await browser.client.get("/ui/api/audit", params=query)).status_code == 404


async def test_audit_is_read_in_pages_newest_first_and_by_user(browser: Browser) -> None:
    house = browser.house
    owner = await house.make_person(password=PASSWORD)
    project = await house.make_project(owner)
    await _signed_in(browser, owner)
    async with house.db.begin() as tx:
        for name in ("one", "two"):
            await roles.create_role(tx, owner.caller, project.name, name, ["objects.read"])
    read = {"project": project.name, "limit": 1}
    newest = (await browser.client.get("/ui/api/audit", params=read)).json()
    assert [row["subject"] for row in newest] == ["two"]
    older = (await browser.client.get("/ui/api/audit", params={**read, "before": newest[0]["id"]})).json()
    assert [row["subject"] for row in older] == ["one"]
    nobody = {"project": project.name, "user": f"{unique('no')}@example.org"}
    assert (await browser.client.get("/ui/api/audit", params=nobody)).json() == []


async def test_audit_tells_what_an_administrator_did_to_a_user(browser: Browser) -> None:
    person, admin = await browser.house.make_person(), await browser.house.make_person(admin=True)
    at, email = f"/api/users/{person.caller.user_id}", person.caller.email
    for status in ("blocked", "active"):
        activate = f"/api/users/activate/{person.caller.user_id}/{status}"
        assert (await browser.client.post(activate, json={"reason": None}, headers=admin.header)).status_code == 200
    changed = {"id": person.caller.user_id, "email": email, "name": "Another Name"}
    assert (await browser.client.put(at, json=changed, headers=admin.header)).status_code == 200
    found = (await browser.client.get("/ui/api/audit", params={"user": email}, headers=admin.header)).json()
    assert [row["detail"] for row in found if row["action"] == "user.changed"] == [
        {"changed": ["email", "name", "surname"]},
        {"status": "active"},
        {"status": "blocked"},
    ]


async def test_tokens_are_made_shown_once_used_and_revoked_by_their_owner_alone(browser: Browser) -> None:
    person, stranger = await browser.house.make_person(password=PASSWORD), await browser.house.make_person()
    headers = await _signed_in(browser, person)
    made = await browser.client.post("/ui/api/tokens", json={"name": "laptop", "life_days": 30}, headers=headers)
    assert made.status_code == 201
    token = made.json()
    listed = (await browser.client.get("/ui/api/tokens")).json()
    assert [row["name"] for row in listed] == ["laptop", "test"]
    assert listed[0]["expires_at"] == token["expires_at"]
    assert all("secret" not in row for row in listed)
    bearer = {"Authorization": f"Bearer {token['secret']}"}
    assert (await browser.client.get("/v2.1/user", headers=bearer)).status_code == 200
    foreign = await browser.client.delete(f"/ui/api/tokens/{token['id']}", headers=stranger.header)
    assert foreign.status_code == 404
    assert (await browser.client.delete(f"/ui/api/tokens/{token['id']}", headers=headers)).status_code == 204
    await browser.house.forgotten(Person(person.caller, token["secret"]))
    assert (await browser.client.get("/v2.1/user", headers=bearer)).status_code == 401


async def test_tokens_of_a_service_user_are_not_its_own_to_make(browser: Browser) -> None:
    owner = await browser.house.make_person()
    project = await browser.house.make_project(owner)
    async with browser.house.db.begin() as tx:
        _, secret = await roles.create_service_user(tx, owner.caller, project.name, "robot")
    bearer = {"Authorization": f"Bearer {secret}"}
    assert (await browser.client.post("/ui/api/tokens", json={"name": "x"}, headers=bearer)).status_code == 403


async def test_administration_is_for_who_runs_the_server(browser: Browser) -> None:
    person, admin = await browser.house.make_person(), await browser.house.make_person(admin=True)
    assert (await browser.client.get("/ui/api/administration", headers=person.header)).status_code == 403
    disk = (await browser.client.get("/ui/api/disk", headers=person.header)).json()
    assert (disk["free_bytes"], disk["size_bytes"]) == (None, None)
    disk = (await browser.client.get("/ui/api/disk", headers=admin.header)).json()
    assert 0 < disk["free_bytes"] <= disk["size_bytes"]
    assert disk["is_low"] == (disk["free_bytes"] < 5e9)
    found = (await browser.client.get("/ui/api/administration", headers=admin.header)).json()
    assert found["database"]["size_bytes"] > 1_000_000
    assert found["database"]["schema_bytes"]["identity"] > 0
    assert found["store"] == "disk"
    assert {row["kind"] for row in found["stored"]} >= {"image samples", "images of objects"}
    assert found["disk_free_bytes"] <= found["disk_size_bytes"]
    # The other tests of this database may have backed up objects.
    newest = found["kept"].pop("newest_of_objects")
    assert newest is None or (newest["kind"], newest["state"]) == ("objects.export_backup", "finished")
    assert found["kept"] == {
        "data_dir": found["kept"]["data_dir"],
        "has_own_database": True,
        "store": f"{found['kept']['data_dir']}/store",
    }
