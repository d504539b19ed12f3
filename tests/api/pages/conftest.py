from collections.abc import AsyncIterator

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount, Route

from quadrat.api.ecotaxa import app as ecotaxa
from quadrat.api.events import EventHub
from quadrat.api.lightly import app as lightly
from quadrat.api.pages import app as pages
from quadrat.api.pages import static
from quadrat.api.pages.cookies import CookieCredential
from quadrat.api.pupilcloud import app as pupilcloud
from quadrat.api.state import Whereabouts
from quadrat.api.ubiops import app as ubiops
from quadrat.db.engine import Database
from quadrat.db.notify import Listener
from quadrat.samples.door import Door
from quadrat.samples.intake import Intake
from quadrat.storage.blobs import BlobStore
from support.house import House
from support.pages import KEY, Browser


@pytest.fixture
async def hub(db: Database) -> AsyncIterator[EventHub]:
    """Hears of this database's jobs."""
    hub = EventHub()
    listener = Listener(db.dsn)
    hub.attach(listener)
    await listener.start()
    yield hub
    hub.close()
    await listener.stop()


@pytest.fixture
async def browser(house: House, hub: EventHub, tmp_path) -> AsyncIterator[Browser]:
    door = Door(house.db, house.authenticator)
    house.state |= {
        "events": hub,
        "door": door,
        "intake": Intake(house.db, door, 1000),
        "page_key": KEY,
        "page_origins": (),
        "whereabouts": Whereabouts(tmp_path, str(tmp_path / "store"), has_own_database=True),
        "blobs": BlobStore.on_disk(tmp_path / "store", KEY),
    }
    doors = [Mount(door.PREFIX, door.create_app()) for door in (ubiops, lightly, ecotaxa, pupilcloud, pages)]
    app = Starlette(routes=[Route("/", static.to_pages), *doors, *static.ROUTES])

    async def with_state(scope, receive, send) -> None:
        await CookieCredential(app, KEY)({**scope, "state": dict(house.state)}, receive, send)

    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(with_state, client=("192.0.2.7", 50000)), base_url="http://quadrat.test"
    ) as client:
        yield Browser(house, client, hub)
