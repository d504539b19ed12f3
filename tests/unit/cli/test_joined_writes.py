"""Answers leave in one piece, and what is streamed leaves as it comes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn

from quadrat.cli.joined_writes import JoinedWrites

pytestmark = pytest.mark.anyio
ASK = b"GET %b HTTP/1.1\r\nHost: test\r\n\r\n"
PUT = b"PUT /files/key HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n"
BIG = b"x" * 5_000_000


@asynccontextmanager
async def line(app: Any) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    config = uvicorn.Config(app, port=0, http=JoinedWrites, lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    try:
        port = server.servers[0].sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        yield reader, writer
        writer.close()
        await writer.wait_closed()
    finally:
        await server.shutdown()


async def start(send: Any, length: int | None, status: int = 200) -> None:
    headers = [] if length is None else [(b"content-length", b"%d" % length)]
    await send({"type": "http.response.start", "status": status, "headers": headers})


async def test_small_answers_come_whole():
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await start(send, 4)
        await send({"type": "http.response.body", "body": b"here"})

    async with line(app) as (reader, writer):
        for _ in range(200):
            writer.write(ASK % b"/")
            answer = await reader.read(10_000)
            assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
            assert answer.endswith(b"\r\n\r\nhere")


async def test_head_does_not_wait_for_a_body_that_is_made_later():
    go_on = asyncio.Event()

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await start(send, None)
        await go_on.wait()
        await send({"type": "http.response.body", "body": b"HTTP/1.1 in a body", "more_body": True})
        await send({"type": "http.response.body", "body": b"end"})

    async with line(app) as (reader, writer):
        writer.write(ASK % b"/")
        assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
        go_on.set()
        assert await reader.readexactly(32) == b"12\r\nHTTP/1.1 in a body\r\n3\r\nend\r\n"


async def test_large_answers_and_such_without_a_body_come_in_order():
    async def app(scope: Any, _receive: Any, send: Any) -> None:
        if scope["path"] == "/big":
            await start(send, len(BIG))
            await send({"type": "http.response.body", "body": BIG})
        else:
            await start(send, None, 204)
            await send({"type": "http.response.body", "body": b""})

    async with line(app) as (reader, writer):
        for _ in range(3):
            writer.write(ASK % b"/big" + ASK % b"/none")
            assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
            assert await reader.readexactly(len(BIG)) == BIG
            assert b"204 No Content" in await reader.readuntil(b"\r\n\r\n")


async def test_line_that_is_closed_after_an_answer_carries_all_of_it():
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await start(send, 4)
        await send({"type": "http.response.body", "body": b"here"})

    async with line(app) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
        assert (await reader.read()).endswith(b"here")


async def test_small_file_is_read_in_one_piece():
    async def app(_scope: Any, receive: Any, send: Any) -> None:
        pieces = [message := await receive()]
        while message.get("more_body"):
            pieces.append(message := await receive())
        said = b"%d %d" % (len(pieces), sum(len(piece["body"]) for piece in pieces))
        await start(send, len(said))
        await send({"type": "http.response.body", "body": said})

    async with line(app) as (reader, writer):
        for length, pieces in ((300_000, b"1"), (70_000, b"1"), (10, b"1")):
            writer.write(PUT % length)
            for at in range(0, length, 50_000):
                writer.write(b"x" * min(50_000, length - at))
                await writer.drain()
                await asyncio.sleep(0.01)  # the rest comes in another piece
            assert await reader.readuntil(b"\r\n\r\n")
            said = b"%b %d" % (pieces, length)
            assert await reader.readexactly(len(said)) == said


async def test_file_that_comes_slowly_is_handed_on_meanwhile(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("quadrat.cli.joined_writes._GATHER_S", 0.01)
    read = asyncio.Event()
    came: list[bytes] = []

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        more = True
        while more:
            message = await receive()
            came.append(message.get("body", b""))
            more = message.get("more_body", False)
            read.set()
        await start(send, 0)
        await send({"type": "http.response.body", "body": b""})

    async with asyncio.timeout(30), line(app) as (reader, writer):
        for _ in range(2):
            came.clear()
            writer.write(PUT % 300_000 + b"a" * 100_000)
            while len(b"".join(came)) < 100_000:
                read.clear()
                await read.wait()
            writer.write(b"b" * 200_000)
            assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
            assert b"".join(came) == b"a" * 100_000 + b"b" * 200_000


@pytest.mark.parametrize("target", [b"PATCH /v2/files/key", b"POST /files/key", b"PUT /v2.1/key"])
async def test_what_came_of_any_other_body_is_read_although_the_rest_never_comes(
    target: bytes, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("quadrat.cli.joined_writes._GATHER_S", 3600)
    came: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def app(_scope: Any, receive: Any, _send: Any) -> None:
        length = 0
        while length < 100_000:
            length += len((await receive())["body"])
        came.set_result(length)

    async with asyncio.timeout(30), line(app) as (_, writer):
        writer.write(PUT.replace(b"PUT /files/key", target) % 300_000 + b"a" * 100_000)
        assert await came == 100_000


async def test_caller_who_leaves_in_the_middle_of_a_body_is_noticed():
    ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def app(_scope: Any, receive: Any, _send: Any) -> None:
        ended.set_result((await receive())["type"])

    async with asyncio.timeout(30), line(app) as (_, writer):
        writer.write(PUT % 300_000 + b"a" * 100_000)
        await writer.drain()
        writer.close()
        assert await ended == "http.disconnect"


async def test_body_that_nobody_waits_for_does_not_disturb_the_next_request():
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await start(send, 4, 413)
        await send({"type": "http.response.body", "body": b"much"})

    async with asyncio.timeout(30), line(app) as (reader, writer):
        for _ in range(2):
            writer.write(PUT % 300_000)
            assert b" 413 " in await reader.readuntil(b"much")
            writer.write(b"a" * 300_000 + ASK % b"/")
            assert b" 413 " in await reader.readuntil(b"much")
