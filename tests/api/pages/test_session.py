import asyncio

import pytest

from quadrat.identity.actions.roles import create_service_user
from support.pages import PASSWORD, Browser

pytestmark = pytest.mark.anyio
# Where each door says who or what the caller is.
DOORS = {
    "/v2.1/user": 200,
    "/v1/datasets": 200,
    "/api/users/me": 200,
    "/v2/auth/profile": 200,
    "/ui/api/projects": 200,
}


async def test_session_of_a_visitor_is_empty_and_no_error(browser: Browser) -> None:
    answer = await browser.client.get("/ui/api/session")
    assert answer.status_code == 200
    body = answer.json()
    assert (body["user"], body["csrf"]) == (None, None)


async def test_sign_in_opens_all_doors_and_no_script_reads_the_cookie(browser: Browser) -> None:
    person = await browser.house.make_person(password=PASSWORD)
    answer = await browser.client.post("/ui/api/session", json={"email": person.caller.email, "password": PASSWORD})
    assert answer.status_code == 200
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert answer.json()["user"]["email"] == person.caller.email
    for path, status in DOORS.items():
        assert (await browser.client.get(path)).status_code == status, path


async def test_change_without_the_csrf_header_is_a_strangers(browser: Browser) -> None:
    person = await browser.house.make_person(password=PASSWORD)
    csrf = await browser.sign_in(person.caller.email)
    body = {"name": "net hauls"}
    for headers in ({}, {"X-Quadrat-CSRF": "0" * 64}, {"X-Quadrat-CSRF": csrf[:-1]}):
        assert (await browser.client.post("/v1/datasets", json=body, headers=headers)).status_code == 401
    assert (await browser.client.post("/v1/datasets", json=body, headers={"X-Quadrat-CSRF": csrf})).status_code == 201


async def test_csrf_of_another_session_does_not_fit(browser: Browser) -> None:
    person = await browser.house.make_person(password=PASSWORD)
    first = await browser.sign_in(person.caller.email)
    second = await browser.sign_in(person.caller.email)
    assert first != second
    answer = await browser.client.post("/v1/datasets", json={"name": "abc"}, headers={"X-Quadrat-CSRF": first})
    assert answer.status_code == 401


async def test_credential_of_its_own_wins_over_the_cookie(browser: Browser) -> None:
    person = await browser.house.make_person(password=PASSWORD)
    other = await browser.house.make_person()
    await browser.sign_in(person.caller.email)
    answer = await browser.client.get("/v2.1/user", headers=other.header)
    assert answer.json()["email"] == other.caller.email
    assert (await browser.client.get("/v2.1/user", headers={"Authorization": "Token wrong"})).status_code == 401


async def test_sign_in_with_a_token_opens_a_session_of_its_own(browser: Browser) -> None:
    person = await browser.house.make_person()
    answer = await browser.client.post("/ui/api/session", json={"token": person.token})
    assert answer.status_code == 200
    assert person.token not in answer.headers["set-cookie"]
    assert (await browser.client.get("/v2.1/user")).json()["email"] == person.caller.email


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"email": "nobody@example.org", "password": "x"}, 401),
        ({"token": "0" * 40}, 401),
        ({"email": "nobody@example.org"}, 422),
        ({}, 422),
        ({"email": "a@example.org", "password": "x", "more": 1}, 422),
    ],
)
async def test_sign_in_that_cannot_be_is_refused_in_words(browser: Browser, body, status) -> None:
    answer = await browser.client.post("/ui/api/session", json=body)
    assert answer.status_code == status
    assert answer.json()["error"]["message"]
    assert "set-cookie" not in answer.headers


async def test_sign_out_ends_the_session_for_everyone_who_holds_it(browser: Browser) -> None:
    person = await browser.house.make_person(password=PASSWORD)
    csrf = await browser.sign_in(person.caller.email)
    held = browser.client.cookies["quadrat_session"]
    answer = await browser.client.delete("/ui/api/session", headers={"X-Quadrat-CSRF": csrf})
    assert answer.status_code == 204
    assert "quadrat_session" not in browser.client.cookies
    async with asyncio.timeout(10):  # until the news has reached this process
        while browser.house.authenticator.remembered(held) is not None:
            await asyncio.sleep(0)
    answer = await browser.client.get("/v2.1/user", headers={"Authorization": f"Bearer {held}"})
    assert answer.status_code == 401


async def test_service_user_gets_no_session(browser: Browser) -> None:
    person = await browser.house.make_person()
    project = await browser.house.make_project(person)
    async with browser.house.db.begin() as tx:
        _, secret = await create_service_user(tx, person.caller, project.id, "robot")
    answer = await browser.client.post("/ui/api/session", json={"token": secret})
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


async def test_projects_carry_the_names_of_every_door_and_the_callers_rights(browser: Browser) -> None:
    person = await browser.house.make_person(password=PASSWORD)
    stranger = await browser.house.make_person()
    project = await browser.house.make_project(person)
    foreign = await browser.house.make_project(stranger)
    await browser.sign_in(person.caller.email)
    cards = {card["id"]: card for card in (await browser.client.get("/ui/api/projects")).json()}
    assert cards[project.id]["uuid"] == str(project.uuid)
    assert cards[project.id]["level"] == "owner"
    assert foreign.id not in cards
    rights = (await browser.client.get(f"/ui/api/projects/{project.id}")).json()
    assert {"models.create", "objects.classify", "aois.update"} <= set(rights["permissions"])
    assert (await browser.client.get(f"/ui/api/projects/{foreign.id}")).status_code == 404


async def test_setup_needs_an_administrators_token(browser: Browser) -> None:
    person = await browser.house.make_person()
    body = {"token": person.token, "email": "first@example.org", "password": PASSWORD}
    assert (await browser.client.post("/ui/api/setup", json=body)).status_code == 403
    assert (await browser.client.post("/ui/api/setup", json={**body, "token": "0" * 40})).status_code == 401
