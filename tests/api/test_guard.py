from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import httpx2
import pytest
from fastapi import Depends, FastAPI, Request
from pydantic import BaseModel
from starlette.responses import JSONResponse

from quadrat.api.guard import Guard, new_router
from quadrat.errors import ErrorKind, QuadratError

pytestmark = pytest.mark.anyio


class Body(BaseModel):
    number: int


class Door:
    """An application with a guarded and an open route; counts how often the guard was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.app = FastAPI()
        router = new_router("Test")
        guard = Guard(self.identify)
        known = Annotated[str, Depends(guard)]

        async def deeper(caller: known) -> str:
            return caller.upper()

        @router.post("/guarded/{number}")
        async def guarded(number: int, body: Body, caller: known, upper: Annotated[str, Depends(deeper)]) -> list[str]:
            return [caller, upper]

        @router.post("/open")
        async def open_(body: Body) -> int:
            return body.number

        self.app.include_router(router)
        self.app.add_exception_handler(QuadratError, lambda request, error: JSONResponse({}, 401))

    async def identify(self, request: Request) -> str:
        self.asked += 1
        if "authorization" not in request.headers:
            raise QuadratError(ErrorKind.UNAUTHENTICATED, "Who are you?")
        return request.headers["authorization"]

    @asynccontextmanager
    async def client(self) -> AsyncIterator[httpx2.AsyncClient]:
        transport = httpx2.ASGITransport(self.app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
            yield client


@pytest.mark.parametrize("path", ["/guarded/1", "/guarded/none"])
@pytest.mark.parametrize("content", [b"{", b"", b"{}", b'{"number": 1}'])
async def test_stranger_is_refused_before_path_and_body_are_looked_at(path: str, content: bytes):
    door = Door()
    async with door.client() as client:
        answer = await client.post(path, content=content, headers={"Content-Type": "application/json"})
    assert (answer.status_code, door.asked) == (401, 1)


async def test_strangers_body_is_never_read():
    door = Door()
    read = []

    async def body() -> AsyncIterator[bytes]:
        read.append(True)
        yield b'{"number": 1}'

    async with door.client() as client:
        answer = await client.post("/guarded/1", content=body(), headers={"Content-Type": "application/json"})
    assert answer.status_code == 401
    assert read == []


async def test_guard_is_asked_once_however_many_need_the_caller():
    door = Door()
    async with door.client() as client:
        answer = await client.post("/guarded/1", json={"number": 1}, headers={"Authorization": "ada"})
        wrong = await client.post("/guarded/1", json={}, headers={"Authorization": "ada"})
    assert (answer.status_code, answer.json()) == (200, ["ada", "ADA"])
    assert (wrong.status_code, door.asked) == (422, 2)


async def test_route_without_a_guard_asks_nobody():
    door = Door()
    async with door.client() as client:
        answer = await client.post("/open", json={"number": 7})
    assert (answer.json(), door.asked) == (7, 0)
