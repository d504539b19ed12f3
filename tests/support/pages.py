"""A browser's part in the tests of the pages' interface."""

from dataclasses import dataclass

import httpx2

from quadrat.api.events import EventHub
from support.house import House

KEY = b"k" * 32
PASSWORD = "Plankton-2026"


@dataclass
class Browser:
    """What keeps cookies and speaks to all the doors, as a page does."""

    house: House
    client: httpx2.AsyncClient
    hub: EventHub

    async def sign_in(self, email: str, password: str = PASSWORD) -> str:
        """The token against requests from other sites."""
        answer = await self.client.post("/ui/api/session", json={"email": email, "password": password})
        assert answer.status_code == 200, answer.text
        csrf: str = answer.json()["csrf"]
        return csrf
