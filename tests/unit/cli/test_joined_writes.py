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
