from collections.abc import AsyncIterator, Callable

import pytest

from quadrat.db.engine import Database
from support.pages import PASSWORD, Browser
from support.people import unique_email

pytestmark = pytest.mark.anyio


@pytest.fixture
async def db(new_migrated_database: Callable[[], str]) -> AsyncIterator[Database]:
    """A server that nobody has set up: a database of its own."""
    url = new_migrated_database()
    database = Database(url, pool_size=3)
    yield database
    await database.close()


async def test_setup_gives_the_first_administrator_a_password_once(browser: Browser) -> None:
    admin = await browser.house.make_person(admin=True)
    assert (await browser.client.get("/ui/api/session")).json()["needs_setup"] is True
    weak = {"token": admin.token, "email": unique_email(), "password": "short"}
    assert (await browser.client.post("/ui/api/setup", json=weak)).status_code == 422
    chosen = {"token": admin.token, "email": unique_email(), "password": PASSWORD}
    answer = await browser.client.post("/ui/api/setup", json=chosen)
    assert answer.status_code == 200, answer.text
    assert answer.json()["user"]["email"] == chosen["email"]
    assert answer.json()["needs_setup"] is False
    assert (await browser.client.get("/v2.1/user")).json()["email"] == chosen["email"]
    again = await browser.client.post("/ui/api/setup", json={**chosen, "email": unique_email()})
    assert again.status_code == 409
    await browser.sign_in(chosen["email"])
