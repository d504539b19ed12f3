"""Signing up with a real SMTP server, a real worker and the page behind the link."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import httpx2
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from sqlalchemy import text
from starlette.applications import Starlette

from quadrat.api import activation
from quadrat.api.ubiops.app import PREFIX, create_app
from quadrat.db.engine import Database
from quadrat.errors import ErrorKind, QuadratError
from quadrat.jobs.registry import Registry
from quadrat.jobs.worker import Worker
from quadrat.mail.sender import Letter, Mailer
from quadrat.mail.tasks import HANDLERS
from support.house import House, _WithState, open_house
from support.people import PASSWORD, unique_email

pytestmark = pytest.mark.anyio


class Postbox:
    """Takes letters, and refuses addresses that begin with ``no``."""

    def __init__(self) -> None:
        self.letters: list[Envelope] = []

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address.startswith("no"):
            return "550 nobody there"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.letters.append(envelope)
        return "250 OK"


@dataclass(frozen=True)
class Resources:
    mailer: Mailer | None
    own_url: str


@pytest.fixture
def post() -> Iterator[tuple[Postbox, Mailer]]:
    postbox = Postbox()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    controller = Controller(postbox, hostname="127.0.0.1", port=port)
    controller.start()
    yield postbox, Mailer(f"smtp://127.0.0.1:{port}", "house@example.org")
    controller.stop()


@pytest.fixture
async def alone(new_migrated: Database) -> AsyncIterator[House]:
    async with AsyncExitStack() as cleanup:
        yield await open_house(new_migrated, cleanup)


async def until(look) -> None:
    async with asyncio.timeout(30):
        while not await look():
            await asyncio.sleep(0.02)


async def test_stranger_signs_up_and_signs_in_after_following_the_link(alone: House, post: tuple[Postbox, Mailer]):
    postbox, mailer = post
    client = alone.client_for(create_app, PREFIX)
    email = unique_email()
    body = {"email": email, "password": PASSWORD, "terms_conditions": True}
    assert (await client.post("/user", json=body)).status_code == 201
    sign_in = {"email": email, "password": PASSWORD}
    assert (await client.post("/authorize", json=sign_in)).status_code == 403
    stop = asyncio.Event()
    worker = Worker(alone.db, Registry(HANDLERS), Resources(mailer, "https://house.example"), concurrency=1)
    working = asyncio.create_task(worker.run(stop))

    async def arrived() -> bool:
        return bool(postbox.letters)

    await until(arrived)
    stop.set()
    await working
    (letter,) = postbox.letters
    assert (letter.rcpt_tos, letter.mail_from) == ([email], "house@example.org")
    link = re.search(r"https://house\.example(/activate/([0-9a-f]{40}))\s", letter.content.decode())
    assert link is not None
    async with alone.db.begin() as tx:
        for table in ("jobs.job", "identity.activation", "identity.audit", "procrastinate_jobs"):
            stored = (await tx.execute(text(f"SELECT coalesce(json_agg(t)::text, '') FROM {table} t"))).scalar_one()
            assert link[2] not in stored

    app = _WithState(Starlette(routes=list(activation.ROUTES)), alone.state)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://test") as browser:
        shown = await browser.get(link[1])
        assert (shown.status_code, email in shown.text) == (200, True)
        assert (await client.post("/authorize", json=sign_in)).status_code == 403
        assert (await browser.post(link[1])).status_code == 200
        assert (await browser.get(link[1])).status_code == 404
        assert (await browser.post(link[1])).status_code == 404
        assert (await browser.get("/activate/xyz")).status_code == 404
    signed_in = await client.post("/authorize", json=sign_in)
    assert (signed_in.status_code, len(signed_in.json()["access"])) == (200, 40)


async def test_user_made_by_an_administrator_gets_no_letter(alone: House):
    admin = await alone.make_person(admin=True)
    client = alone.client_for(create_app, PREFIX, admin)
    body = {"email": unique_email(), "password": PASSWORD, "terms_conditions": True}
    assert (await client.post("/user", json=body)).status_code == 201
    del body["terms_conditions"]
    assert (await client.post("/authorize", json=body)).status_code == 200
    async with alone.db.begin() as tx:
        assert (await tx.execute(text("SELECT count(*) FROM jobs.job"))).scalar_one() == 0


async def test_invited_person_chooses_a_password_and_activates(alone: House):
    owner = await alone.make_person()
    organization = await alone.make_organization(owner)
    email = unique_email()
    client = alone.client_for(create_app, PREFIX, owner)
    await client.post(f"/organizations/{organization.name}/users", json={"email": email})
    stranger = alone.client_for(create_app, PREFIX)
    body = {"email": email, "password": PASSWORD, "terms_conditions": True}
    assert (await stranger.post("/user", json=body)).status_code == 201
    assert (await stranger.post("/user", json={**body, "password": "another-one"})).status_code == 400
    async with alone.db.begin() as tx:
        assert (
            await tx.execute(text("SELECT count(*) FROM jobs.job WHERE kind = 'mail.activation'"))
        ).scalar_one() == 1


async def test_letter_that_nobody_takes_is_a_failure_to_try_again(post: tuple[Postbox, Mailer]):
    _, mailer = post
    letter = Letter("no-one@example.org", "s", "t")
    with pytest.raises(QuadratError) as refused:
        await mailer.send(letter)
    assert refused.value.kind is ErrorKind.INVALID
    with pytest.raises(QuadratError) as away:
        await Mailer("smtp://127.0.0.1:9", "house@example.org").send(letter)
    assert away.value.kind is ErrorKind.UNAVAILABLE
