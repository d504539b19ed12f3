"""The APIs in process: one database, one authenticator, and clients that speak to one API each."""

import asyncio
import secrets
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import IPv6Address
from pathlib import Path
from re import compile as pattern
from typing import Any

import httpx2
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from quadrat.api.middleware import RequestMiddleware
from quadrat.api.state import Limits
from quadrat.base.sealing import Sealer
from quadrat.db.engine import Database
from quadrat.db.notify import Listener
from quadrat.identity.actions.access import authenticate
from quadrat.identity.actions.tokens import create_token
from quadrat.identity.actions.users import create_user
from quadrat.identity.authenticator import Authenticator
from quadrat.identity.types import Caller, NewUser, Organization, Project
from quadrat.objects.columns.cache import ColumnCache
from quadrat.objects.door import Door as ObjectDoor
from quadrat.objects.intake import Intake as ObjectIntake
from support.people import make_organization, make_project, unique_email

LIMITS = Limits(
    max_upload_bytes=64 * 1024**2,
    max_samples_per_dataset=1000,
    read_url_life=timedelta(hours=1),
    write_url_life=timedelta(hours=1),
    session_life=timedelta(hours=1),
    sign_in_attempts=3,
)
MAX_BODY_BYTES = 1024**2
SEALER = Sealer(lambda: [b"the key of the tests, long enough"])


@dataclass(frozen=True, slots=True)
class Person:
    """A user of a test, or a service user, with a token."""

    caller: Caller
    token: str

    @property
    def header(self) -> dict[str, str]:
        """The credential that every API but one takes."""
        return {"Authorization": f"Bearer {self.token}"}


@dataclass
class House:
    """What the parent application would open.

    Args:
        db: The database.
        authenticator: Hears of changes through `listener`.
        listener: Started; subscribe further parts before the fixture by overriding it.
        state: What requests find in ``request.state``. A test adds what its routes need besides: ``blobs``, ``engine``.
        cleanup: Closes the clients.
    """

    db: Database
    authenticator: Authenticator
    listener: Listener
    cleanup: AsyncExitStack
    state: dict[str, Any] = field(default_factory=dict)

    async def make_person(self, *, password: str | None = None, admin: bool = False) -> Person:
        """A new user with a token."""
        async with self.db.begin() as tx:
            user = await create_user(tx, NewUser(unique_email(), password, is_platform_admin=admin))
            _, secret = await create_token(tx, user.id, "test")
            return Person(await authenticate(tx, secret), secret)

    async def make_organization(self, owner: Person) -> Organization:
        """A new organization, owned by the person."""
        async with self.db.begin() as tx:
            return await make_organization(tx, owner.caller)

    async def make_project(self, owner: Person, organization: Organization | None = None) -> Project:
        """A new project in the organization, else in the person's own."""
        async with self.db.begin() as tx:
            return await make_project(tx, owner.caller, organization)

    async def forgotten(self, person: Person) -> None:
        """Return once the news of a change has reached the authenticator."""
        async with asyncio.timeout(10):
            while self.authenticator.remembered(person.token) is not None:
                await asyncio.sleep(0)

    def client_for(
        self, create_app: Callable[[], ASGIApp], prefix: str, person: Person | None = None, address: str | None = None
    ) -> httpx2.AsyncClient:
        """A client of one API, whose paths begin after the prefix; signed in as the person.

        Args:
            create_app: Makes the sub-application.
            prefix: Where it is mounted.
            person: Whose token to send in the ``Authorization`` header, if any.
            address: Where the client seems to sit; a network of its own by default.
        """
        app = Starlette(routes=[Mount(prefix, create_app())])
        app.router.redirect_slashes = False
        transport = httpx2.ASGITransport(
            _WithState(RequestMiddleware(app, max_body_bytes=MAX_BODY_BYTES, unlimited=pattern("/never")), self.state),
            client=(address or str(IPv6Address(secrets.token_bytes(16))), 50000),
        )
        client = httpx2.AsyncClient(
            transport=transport, base_url=f"http://test{prefix}", headers=person.header if person else None
        )
        self.cleanup.push_async_callback(client.aclose)
        return client


class _WithState:
    """Hands the lifespan state to every request, as a server does."""

    def __init__(self, app: ASGIApp, state: dict[str, Any]) -> None:
        self._app = app
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app({**scope, "state": dict(self._state)}, receive, send)


async def open_house(db: Database, cleanup: AsyncExitStack) -> House:
    """A house on this database, closed with `cleanup`."""
    listener = Listener(db.dsn)
    authenticator = Authenticator(db, listener)
    await listener.start()
    cleanup.push_async_callback(listener.stop)
    state = {"db": db, "authenticator": authenticator, "limits": LIMITS, "public_url": None, "sealer": SEALER}
    return House(db, authenticator, listener, cleanup, state)


def open_objects(house: House, folder: Path) -> None:
    """What the operations on objects need besides: columns in memory, with their files in the folder."""
    columns = ColumnCache(house.db, folder / "columns", 10**8)
    door = ObjectDoor(house.db, house.authenticator)
    intake = ObjectIntake(house.db, door, columns)
    house.state |= {"columns": columns, "object_door": door, "object_intake": intake}
