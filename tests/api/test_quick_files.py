"""Plain requests for small files are answered as all others are, without passing through the application."""

import asyncio
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette

from quadrat.api import files
from quadrat.api.middleware import RequestMiddleware
from quadrat.api.quick_files import QuickFiles
from quadrat.cli.joined_writes import JoinedWrites
from quadrat.errors import ErrorKind, QuadratError
from quadrat.storage.blobs import BlobStore
from quadrat.storage.types import Received, SignedMethod

pytestmark = pytest.mark.anyio
BLOB = "tests/0/full"
LIFE = timedelta(minutes=5)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)
BASE = "http://test"


class Guard:
    """Lets through all but what is named as gone, at once what is named as known."""

    def __init__(self) -> None:
        self.known = {BLOB}
        self.gone: set[str] = set()

    def admits_at_once(self, key: str) -> bool:
        return key in self.known

    async def admit(self, key: str) -> None:
        if key in self.gone:
            raise QuadratError(ErrorKind.NOT_FOUND, "gone")

    async def expect(self, key: str, size_bytes: int | None) -> None:
        raise AssertionError

    async def stored(self, key: str, received: Received) -> None:
        raise AssertionError


@dataclass
class Line:
    """A connection, as a program has it that sends what it likes."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def ask(self, url: str, *more: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
        lines = [f"{method} {url.removeprefix(BASE)} HTTP/1.1", "Host: test", "Accept: */*", *more, "", ""]
        self.writer.write("\r\n".join(lines).encode())
        return await self.answer(has_body=method != "HEAD")

    async def answer(self, *, has_body: bool = True) -> tuple[int, dict[str, str], bytes]:
        async with asyncio.timeout(30):
            first, *lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
            headers = dict(line.split(": ", 1) for line in lines)
            length = int(headers.get("content-length", 0)) if has_body else 0
            return int(first.split()[1]), headers, await self.reader.readexactly(length)


@dataclass
class Place:
    """A web server of signed addresses."""

    blobs: BlobStore
    guard: Guard
    server: uvicorn.Server
    passed: list[str] = field(default_factory=list)
    """What came as far as the application."""

    @asynccontextmanager
    async def line(self) -> AsyncIterator[Line]:
        port = self.server.servers[0].sockets[0].getsockname()[1]
        line = Line(*await asyncio.open_connection("127.0.0.1", port, limit=64 * 1024))
        try:
            yield line
        finally:
            line.writer.close()

    async def url(self, key: str = BLOB, method: SignedMethod = SignedMethod.GET, **options: Any) -> str:
        return await self.blobs.sign(method, key, LIFE, base_url=BASE, **options)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    blobs, guard = BlobStore.on_disk(tmp_path / "store", b"k" * 32), Guard()
    state = {"blobs": blobs, "blob_guard": guard}
    layer = files.SignedFiles(Starlette(routes=list(files.ROUTES)))
    passed: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        passed.append(scope["path"])
        await layer({**scope, "state": dict(state)}, receive, send)

    config = uvicorn.Config(
        RequestMiddleware(app, max_body_bytes=1000, unlimited=re.compile("/files/.*")),
        port=0,
        http=partial(JoinedWrites, files=QuickFiles()),  # type: ignore[arg-type]  # it is only called
        lifespan="off",
        log_config=None,
    )
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    server.lifespan.state.update(state)
    await server.startup()
    try:
        yield Place(blobs, guard, server, passed)
    finally:
        await server.shutdown()


def _same(headers: dict[str, str]) -> dict[str, str]:
    """What does not change from one request to the next."""
    return {name: value for name, value in headers.items() if name not in {"date", "x-request-id"}}


@pytest.mark.parametrize("size", [0, 1, 512, 60_000, 300_000, 1024 * 1024])
async def test_second_request_answers_the_same_without_the_application(place: Place, size: int):
    content = PNG + os.urandom(size) if size < 1024 * 1024 else os.urandom(size)
    await place.blobs.put(BLOB, content)
    await place.blobs.put("tests/1/full", b"<html>")
    place.guard.known.add("tests/1/full")
    async with place.line() as line:
        usual = await line.ask(await place.url())
        assert (usual[0], usual[2], len(place.passed)) == (200, content, 1)
        for _ in range(3):
            quick = await line.ask(await place.url())
            assert (quick[0], _same(quick[1]), quick[2]) == (200, _same(usual[1]), content)
            assert quick[1]["x-request-id"] != usual[1]["x-request-id"]
        other = await line.ask(await place.url("tests/1/full", filename='ä "b".html'))
        assert len(place.passed) == 1
        usual = await line.ask(await place.url("tests/1/full", filename='ä "b".html'), "X-Other: 1")
        assert len(place.passed) == 2
    assert (other[0], _same(other[1]), other[2]) == (usual[0], _same(usual[1]), usual[2])


@pytest.mark.parametrize(
    ("more", "status", "content"),
    [
        ("Range: bytes=1-3", 206, b"PNG"),
        ("If-None-Match: *", 200, PNG),
        ("Connection: close", 200, PNG),
        ("X-Request-ID: caller-1234", 200, PNG),
        ("Accept: text/html", 200, PNG),
    ],
)
async def test_what_is_unusual_passes_through_the_application(place: Place, more: str, status: int, content: bytes):
    await place.blobs.put(BLOB, PNG)
    for number in range(2):
        async with place.line() as line:
            assert (await line.ask(await place.url()))[2] == PNG
            place.passed.clear()
            answered = await line.ask(await place.url(), more)
            assert (answered[0], answered[2], len(place.passed)) == (status, content, 1), number
    async with place.line() as line:
        assert (await line.ask(await place.url(), method="HEAD"))[2] == b""
        assert (await line.ask(await place.url()))[2] == PNG


async def test_refusals_are_those_of_the_usual_way(place: Place):
    await place.blobs.put(BLOB, PNG)
    url = await place.url()
    async with place.line() as line:
        assert (await line.ask(url))[0] == 200
        assert (await line.ask(url[:-1] + ("0" if url[-1] != "0" else "1")))[0] == 403
        assert (await line.ask(url.replace("expires=", "expires=9")))[0] == 403
        assert (await line.ask(await place.url("tests/2/full")))[0] == 404
        assert (await line.ask(await place.url(method=SignedMethod.PUT)))[0] == 403
        expired = await place.blobs.sign(SignedMethod.GET, BLOB, timedelta(0), base_url=BASE)
        assert (await line.ask(expired))[0] == 403
        assert (await line.ask(url.replace("/files/tests/0", "/files/tests/../tests/0")))[0] in {403, 404}
        place.guard.known.clear()
        place.guard.gone.add(BLOB)
        assert (await line.ask(url))[0] == 404


async def test_what_is_replaced_is_read_anew(place: Place):
    await place.blobs.put(BLOB, PNG)
    async with place.line() as line:
        etags = {(await line.ask(await place.url()))[1]["etag"] for _ in range(2)}
        await place.blobs.put(BLOB, b"other")
        answered = await line.ask(await place.url())
        assert (answered[2], answered[1]["etag"] in etags, len(place.passed)) == (b"other", False, 1)


async def test_many_requests_of_a_slow_reader_are_answered_in_order(place: Place):
    contents = [os.urandom(900_000) for _ in range(8)]
    for number, content in enumerate(contents):
        await place.blobs.put(f"tests/{number}/full", content)
        place.guard.known.add(f"tests/{number}/full")
    async with place.line() as line:
        await line.ask(await place.url())
        for number in range(8):
            url = await place.url(f"tests/{number}/full")
            line.writer.write(f"GET {url.removeprefix(BASE)} HTTP/1.1\r\nHost: test\r\nAccept: */*\r\n\r\n".encode())
            await asyncio.sleep(0.02)  # each on its own, while nobody reads
        for content in contents:
            assert (await line.answer())[2] == content


async def test_request_in_pieces_or_with_another_behind_is_answered_in_order(place: Place):
    await place.blobs.put(BLOB, PNG)
    url = (await place.url()).removeprefix(BASE)
    ask = f"GET {url} HTTP/1.1\r\nHost: test\r\nAccept: */*\r\n\r\n".encode()
    async with place.line() as line:
        await line.ask(url)
        for cut in (1, 20, len(ask) - 5, len(ask) - 1):
            line.writer.write(ask[:cut])
            await asyncio.sleep(0.01)  # the rest comes in another piece
            line.writer.write(ask[cut:])
            assert (await line.answer())[2] == PNG
        line.writer.write(ask * 3)
        assert [(await line.answer())[2] for _ in range(3)] == [PNG] * 3
