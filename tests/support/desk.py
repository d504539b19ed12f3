"""Someone at work with the serving API."""

from dataclasses import dataclass
from typing import Any

import httpx2

from quadrat.api.ubiops.app import PREFIX, create_app
from quadrat.identity.types import Project
from support.house import House, Person
from support.people import unique
from support.serving import ServingHouse, pack


@dataclass
class Desk:
    """Someone's client, in a project of theirs."""

    house: House
    person: Person
    project: Project
    client: httpx2.AsyncClient

    @property
    def models(self) -> str:
        """Address of the project's models."""
        return f"/projects/{self.project.name}/models"

    def client_of(self, person: Person | None) -> httpx2.AsyncClient:
        return self.house.client_for(create_app, PREFIX, person)

    async def make_version(self, *, plain: bool = True, **settings: Any) -> str:
        """Address of a new version of a new model, that takes and gives a text or a ``number``."""
        name = unique("m")
        fields = None if plain else [{"name": "number", "data_type": "double"}]
        kind = "plain" if plain else "structured"
        model = {"name": name, "input_type": kind, "output_type": kind, "input_fields": fields, "output_fields": fields}
        assert (await self.client.post(self.models, json=model)).status_code == 201
        body = {"version": "v1", "memory_allocation": 256, **settings}
        assert (await self.client.post(f"{self.models}/{name}/versions", json=body)).status_code == 201
        return f"{self.models}/{name}/versions/v1"

    async def serve(self, serving: ServingHouse, source: str, *, plain: bool = True) -> str:
        """Address of a version that is available."""
        at = await self.make_version(plain=plain)
        await self.deploy(serving, at, source)
        return at

    async def deploy(self, serving: ServingHouse, at: str, source: str) -> None:
        """Bring a version up."""
        uploaded = await self.client.put(f"{at}/upload", files={"file": ("package.zip", pack(source))})
        assert uploaded.status_code == 200, uploaded.text
        assert await self.built(serving, at) == "available"

    async def built(self, serving: ServingHouse, at: str) -> str:
        """The status in which the build ends."""

        async def look() -> str | None:
            status: str = (await self.client.get(at)).json()["status"]
            return status if status == "available" or "failed" in status else None

        found: str = await serving.until(look)
        return found


async def sit_down(house: House) -> Desk:
    person = await house.make_person()
    project = await house.make_project(person)
    return Desk(house, person, project, house.client_for(create_app, PREFIX, person))
