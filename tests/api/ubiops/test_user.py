import re

import httpx2
import pytest

from quadrat.api.ubiops.app import PREFIX, create_app
from quadrat.identity.actions.tokens import revoke_token
from quadrat.identity.actions.users import activate_user, get_user_by_email
from support.house import LIMITS, House, Person
from support.people import PASSWORD, make_service_user, unique_email

pytestmark = pytest.mark.anyio


def client_of(house: House, person: Person | None = None, address: str | None = None) -> httpx2.AsyncClient:
    return house.client_for(create_app, PREFIX, person, address)


@pytest.mark.parametrize("scheme", ["Token", "token", "Bearer", "bEARER"])
async def test_user_get_with_any_spelling_of_the_scheme_names_the_caller(house: House, scheme: str):
    person = await house.make_person()
    answer = await client_of(house).get("/user", headers={"Authorization": f"{scheme} {person.token}"})
    body = answer.json()
    assert answer.status_code == 200
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}\+00:00", body.pop("registration_date"))
    assert body == {
        "id": str(person.caller.uuid),
        "email": person.caller.email,
        "name": None,
        "surname": None,
    }


@pytest.mark.parametrize("header", [None, "", "Token", "Token ", "Token 00", "Basic {token}", "{token}", "Token\t"])
async def test_user_get_without_a_valid_credential_is_401(house: House, header: str | None):
    person = await house.make_person()
    headers = {} if header is None else {"Authorization": header.format(token=person.token)}
    answer = await client_of(house).get("/user", headers=headers)
    assert answer.status_code == 401
    assert answer.json() == {"error": "Authentication credentials are missing, invalid or expired."}


async def test_user_get_after_the_token_was_revoked_is_401(house: House):
    person = await house.make_person()
    client = client_of(house, person)
    assert (await client.get("/user")).status_code == 200
    async with house.db.begin() as tx:
        await revoke_token(tx, person.caller.user_id, person.caller.token_id)
    await house.forgotten(person)
    assert (await client.get("/user")).status_code == 401


async def test_user_get_by_a_service_user_names_it(house: House):
    owner = await house.make_person()
    project = await house.make_project(owner)
    async with house.db.begin() as tx:
        robot, token = await make_service_user(tx, owner.caller, project)
    answer = await client_of(house, Person(robot, token)).get("/user")
    assert answer.status_code == 200
    assert answer.json()["id"] == str(robot.uuid)
    assert answer.json()["email"].endswith(f".{project.name}@serviceuser.quadrat.invalid")


@pytest.mark.parametrize("body", [b"{", b"", b"[]", b"null", b'{"email": 1}', b"\xff\xfe"])
async def test_user_update_without_a_token_is_401_whatever_the_body(house: House, body: bytes):
    answer = await client_of(house).patch("/user", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 401


@pytest.mark.parametrize(
    "body", [b"{", b"", b"[]", b"null", b'"x"', b'{"email": 1}', b"\xff\xfe", b'{"name": "\\ud800"}']
)
async def test_user_update_with_a_malformed_body_is_400_with_an_error(house: House, body: bytes):
    client = client_of(house, await house.make_person())
    answer = await client.patch("/user", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert set(answer.json()) == {"error"}


async def test_user_update_changes_names_and_ignores_unknown_and_null_fields(house: House):
    client = client_of(house, await house.make_person())
    answer = await client.patch("/user", json={"name": "Ada", "surname": "L", "is_platform_admin": True, "extra": 1})
    again = await client.patch("/user", json={"name": None, "surname": ""})
    assert (answer.status_code, answer.json()["name"], answer.json()["surname"]) == (200, "Ada", "L")
    assert (again.json()["name"], again.json()["surname"]) == ("Ada", None)


async def test_user_update_password_ends_the_session_that_asked(house: House):
    person = await house.make_person(password=PASSWORD)
    signed_in = await client_of(house).post("/authorize", json={"email": person.caller.email, "password": PASSWORD})
    session = client_of(house, Person(person.caller, signed_in.json()["access"]))
    change = {"password": "Other-horse-2", "previous_password": PASSWORD}
    assert (await session.patch("/user", json=change)).status_code == 200
    await house.forgotten(Person(person.caller, signed_in.json()["access"]))
    assert (await session.get("/user")).status_code == 401
    assert (await client_of(house, person).get("/user")).status_code == 200


async def test_user_delete_removes_the_caller(house: House):
    person = await house.make_person()
    client = client_of(house, person)
    answer = await client.delete("/user")
    assert (answer.status_code, answer.content) == (204, b"")
    assert (await client.get("/user")).status_code == 401


async def test_user_delete_as_last_administrator_of_a_project_is_400(house: House):
    person = await house.make_person()
    await house.make_project(person)
    answer = await client_of(house, person).delete("/user")
    assert answer.status_code == 400
    assert "last administrator" in answer.json()["error"]


async def test_user_create_by_a_stranger_cannot_sign_in_before_activation(house: House):
    client = client_of(house)
    email = unique_email()
    body = {"email": email, "password": PASSWORD, "name": "Ada", "terms_conditions": True}
    made = await client.post("/user", json=body)
    credentials = {"email": email, "password": PASSWORD}
    pending = await client.post("/authorize", json=credentials)
    async with house.db.begin() as tx:
        await activate_user(tx, (await get_user_by_email(tx, email)).id)
    active = await client.post("/authorize", json=credentials)
    assert (made.status_code, made.json()) == (201, {"email": email, "name": "Ada", "surname": None})
    assert (pending.status_code, active.status_code) == (403, 200)


async def test_user_create_with_an_administrators_token_is_active_at_once(house: House):
    admin = await house.make_person(admin=True)
    email = unique_email()
    body = {"email": email, "password": PASSWORD, "terms_conditions": True}
    made = await client_of(house, admin).post("/user", json=body)
    signed_in = await client_of(house).post("/authorize", json={"email": email, "password": PASSWORD})
    assert (made.status_code, signed_in.status_code) == (201, 200)
    headers = {"Authorization": f"Bearer {signed_in.json()['access']}"}
    assert (await client_of(house).get("/user", headers=headers)).json()["email"] == email


async def test_user_create_with_an_unknown_token_counts_as_a_stranger(house: House):
    body = {"email": unique_email(), "password": PASSWORD, "terms_conditions": True}
    answer = await client_of(house).post("/user", json=body, headers={"Authorization": f"Token {'0' * 40}"})
    assert answer.status_code == 201


@pytest.mark.parametrize(
    "changed",
    [
        {"email": "nobody"},
        {"password": "short"},
        {"terms_conditions": False},
        {"terms_conditions": None},
        {"email": None},
    ],
)
async def test_user_create_with_a_bad_value_is_400(house: House, changed: dict):
    body = {"email": unique_email(), "password": PASSWORD, "terms_conditions": True, **changed}
    answer = await client_of(house).post("/user", json=body)
    assert answer.status_code == 400
    assert set(answer.json()) == {"error"}


async def test_user_create_with_a_taken_address_is_400(house: House):
    person = await house.make_person()
    body = {"email": person.caller.email.upper(), "password": PASSWORD, "terms_conditions": True}
    assert (await client_of(house).post("/user", json=body)).status_code == 400


async def test_authorize_with_a_wrong_password_or_unknown_address_is_401_alike(house: House):
    person = await house.make_person(password=PASSWORD)
    client = client_of(house)
    wrong = await client.post("/authorize", json={"email": person.caller.email, "password": "Wrong-horse-1"})
    unknown = await client.post("/authorize", json={"email": unique_email(), "password": PASSWORD})
    assert (wrong.status_code, unknown.status_code) == (401, 401)
    assert wrong.json() == unknown.json()


async def test_authorize_after_too_many_failures_is_429_with_the_time_to_wait(house: House):
    person = await house.make_person(password=PASSWORD)
    credentials = {"email": person.caller.email, "password": PASSWORD}
    for _ in range(LIMITS.sign_in_attempts):
        wrong = await client_of(house).post("/authorize", json={**credentials, "password": "Wrong-horse-1"})
        assert wrong.status_code == 401
    answer = await client_of(house).post("/authorize", json=credentials)
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["Retry-After"]) <= 15 * 60
    assert set(answer.json()) == {"error"}
