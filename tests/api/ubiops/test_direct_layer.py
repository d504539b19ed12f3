"""The short way of direct requests answers as the framework's way does, and lets everything else pass."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from sqlalchemy import text
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from quadrat.api.ubiops.app import PREFIX
from quadrat.api.ubiops.direct import DirectRequests
from support.desk import Desk
from support.serving import ECHO, ServingHouse

pytestmark = pytest.mark.anyio
MOST = 1000


def beyond() -> ASGIApp:
    async def passed(_request: Any) -> PlainTextResponse:
        return PlainTextResponse("passed by")

    methods = ["GET", "POST", "PUT"]
    return Starlette(routes=[Route("/{path:path}", passed, methods=methods)])


@pytest.fixture
async def short(running_desk: Desk) -> AsyncIterator[httpx2.AsyncClient]:
    layer = DirectRequests(beyond(), max_body_bytes=MOST)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await layer({**scope, "state": dict(running_desk.house.state)}, receive, send)

    transport = httpx2.ASGITransport(app, client=("203.0.113.7", 5000))
    async with httpx2.AsyncClient(
        transport=transport, base_url=f"http://test{PREFIX}", headers=running_desk.person.header
    ) as client:
        yield client


async def test_both_ways_answer_the_same(running_desk: Desk, serving: ServingHouse, short: httpx2.AsyncClient):
    at = f"{await running_desk.serve(serving, ECHO)}/request"
    calls: list[dict[str, Any]] = [
        {"json": "text"},
        {"content": "plain é".encode(), "headers": {"Content-Type": "text/plain"}},
        {"content": b'"x"', "headers": {"Content-Type": "application/json; charset=utf-8"}},
        {"json": 5},
        {"content": b"{"},
        {"json": "x", "params": {"timeout": "9"}},
        {"json": "x", "params": {"timeout": "10"}},
        {"json": "x", "params": {"timeout": ""}},
        {"json": "x", "params": {"other": "1"}},
        {"json": "x", "headers": {"Authorization": "Token nonsense"}},
        {"json": "x", "headers": {"Authorization": ""}},
    ]
    for call in calls:
        long_way = await running_desk.client.post(at, **call)
        short_way = await short.post(at, **call)
        assert short_way.status_code == long_way.status_code, call
        mine, theirs = short_way.json(), long_way.json()
        for answer in (mine, theirs):
            answer.pop("request_id", None)
        assert mine == theirs
        assert short_way.headers["content-type"] == long_way.headers["content-type"]
        assert short_way.headers["x-request-id"]


async def test_unknown_names_are_refused_alike(running_desk: Desk, short: httpx2.AsyncClient):
    project = running_desk.project.name
    for at in (
        f"/projects/{project}/models/none/versions/v/request",
        "/projects/none/models/none/versions/v/request",
        f"/projects/{project}/models/%00/versions/v/request",
    ):
        long_way, short_way = await running_desk.client.post(at, json=""), await short.post(at, json="")
        assert short_way.status_code == 404
        assert (short_way.status_code, short_way.json()) == (long_way.status_code, long_way.json())


async def test_body_above_the_limit_is_413_before_it_is_read(short: httpx2.AsyncClient):
    at = "/projects/p/models/m/versions/v/request"
    assert (await short.post(at, content=b'"' + b"x" * MOST + b'"')).status_code == 413

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 100

    assert (await short.post(at, content=pieces())).status_code == 413


async def test_given_request_id_is_repeated(running_desk: Desk, serving: ServingHouse, short: httpx2.AsyncClient):
    at = f"{await running_desk.serve(serving, ECHO)}/request"
    for call in ({"json": "x"}, {"json": 1}):
        answer = await short.post(at, headers={"X-Request-ID": "caller-1234"}, **call)
        assert answer.headers["x-request-id"] == "caller-1234"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/projects/p/models/m/versions/v/request"),
        ("POST", "/projects/p/models/m/versions/v/request/"),
        ("POST", "/projects/p/models/m/versions/v/x/request"),
        ("POST", "/projects/p/pipelines/m/request"),
        ("POST", "/projects/p/models/m/versions/v/request-batch"),
    ],
)
async def test_everything_else_passes_by(short: httpx2.AsyncClient, method: str, path: str):
    assert (await short.request(method, path)).text == "passed by"


async def test_right_that_is_taken_away_ends_what_the_layer_remembers(
    running_desk: Desk, serving: ServingHouse, short: httpx2.AsyncClient
):
    at = f"{await running_desk.serve(serving, ECHO)}/request"
    for _ in range(3):
        assert (await short.post(at, json="x")).json()["result"] == "x"
    running_desk.house.state["authenticator"].forget()
    async with running_desk.house.db.begin() as tx:
        await tx.execute(text("DELETE FROM identity.token"))
    assert (await short.post(at, json="x")).status_code == 401


async def test_version_that_is_gone_is_not_remembered(
    running_desk: Desk, serving: ServingHouse, short: httpx2.AsyncClient
):
    version = await running_desk.serve(serving, ECHO)
    assert (await short.post(f"{version}/request", json="x")).status_code == 200
    assert (await running_desk.client.delete(version)).status_code < 300
    async with asyncio.timeout(10):
        while (await short.post(f"{version}/request", json="x")).status_code != 404:
            await asyncio.sleep(0.01)
