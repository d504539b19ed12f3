"""Direct requests whose head is known answer as the others do, without passing through the application."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import uvicorn
from sqlalchemy import text
from starlette.responses import PlainTextResponse

from quadrat.api.ubiops.app import PREFIX
from quadrat.api.ubiops.direct import DirectRequests
from quadrat.api.ubiops.express import Express
from quadrat.cli.joined_writes import JoinedWrites
from quadrat.runner.base import Runner
from quadrat.runner.local import LocalRunner
from support.desk import Desk
from support.people import unique
from support.serving import ECHO, GATED, Gates, ServingHouse, wait_until

pytestmark = pytest.mark.anyio
MOST = 1000


class Answered(NamedTuple):
    status: int
    headers: dict[str, str]
    body: Any

    @property
    def facts(self) -> tuple[int, Any]:
        """All but the id."""
        return self.status, {name: value for name, value in self.body.items() if name != "request_id"}


@dataclass
class Line:
    """A connection, as a client has it that sends what it likes."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def answer(self) -> Answered:
        async with asyncio.timeout(30):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.strip().split("\r\n")
            headers = dict(line.split(": ", 1) for line in lines)
            body = await self.reader.readexactly(int(headers["content-length"]))
        return Answered(int(first.split()[1]), headers, json.loads(body))

    async def ask(self, request: bytes) -> Answered:
        self.writer.write(request)
        return await self.answer()

    async def close(self) -> None:
        self.writer.close()
        await self.writer.wait_closed()


@dataclass
class Place:
    """A web server with the layer of direct requests in it."""

    desk: Desk
    server: uvicorn.Server
    passed: list[str] = field(default_factory=list)
    """What came as far as the application."""

    @asynccontextmanager
    async def line(self) -> AsyncIterator[Line]:
        port = self.server.servers[0].sockets[0].getsockname()[1]
        line = Line(*await asyncio.open_connection("127.0.0.1", port))
        try:
            yield line
        finally:
            await line.close()

    async def make_known(self, request: bytes) -> None:
        """Ask until it is remembered, which nothing is in the second after a change of a version in this process."""
        async with asyncio.timeout(30), self.line() as line:
            while True:
                self.passed.clear()
                await line.ask(request)
                if not self.passed:
                    return
                await asyncio.sleep(0.05)

    def request(self, at: str, data: Any, *more: str) -> bytes:
        body = json.dumps(data).encode()
        token = self.desk.person.header["Authorization"]
        lines = [f"POST {PREFIX}{at}/request HTTP/1.1", "Host: test", f"Authorization: {token}", *more]
        head = [*lines, "Content-Type: application/json", f"Content-Length: {len(body)}", "", ""]
        return "\r\n".join(head).encode() + body


@asynccontextmanager
async def open_place(desk: Desk, keep_alive_s: int = 60) -> AsyncIterator[Place]:
    layer = DirectRequests(PlainTextResponse("passed by"), max_body_bytes=MOST)
    passed: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        passed.append(scope["path"])
        await layer({**scope, "state": dict(desk.house.state)}, receive, send)

    protocol = partial(JoinedWrites, express=Express(layer.doors, max_body_bytes=MOST))
    config = uvicorn.Config(
        app,
        port=0,
        http=protocol,  # type: ignore[arg-type]  # it is only called
        lifespan="off",
        log_config=None,
        timeout_keep_alive=keep_alive_s,
    )
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    server.lifespan.state.update(desk.house.state)
    await server.startup()
    try:
        yield Place(desk, server, passed)
    finally:
        await server.shutdown()


@pytest.fixture(scope="module")
async def runner(open_dir: Path, anyio_backend: str) -> AsyncIterator[Runner]:
    # The models of these tests leave marks in a directory for all, which a sandbox would not show them.
    runner = LocalRunner(open_dir / "runner-marks", sandboxed=False)
    yield runner
    await runner.close()


@pytest.fixture(autouse=True)
def long_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each request counts that passes through the application, and none does because a second has gone by."""
    monkeypatch.setattr("quadrat.api.ubiops.direct._DOOR_LIFE_S", 600.0)


@pytest.fixture
async def place(running_desk: Desk) -> AsyncIterator[Place]:
    async with open_place(running_desk) as place:
        yield place


@pytest.fixture
def gates(open_dir: Path) -> Gates:
    return Gates(open_dir / unique("gates"))


async def test_repeated_request_answers_the_same_without_the_application(place: Place, serving: ServingHouse):
    at = await place.desk.serve(serving, ECHO)
    async with place.line() as line:
        usual = await line.ask(place.request(at, "one"))
        assert usual.facts == (200, {"success": True, "result": "one", "error_message": None})
        await place.make_known(place.request(at, "one"))
        ids = {usual.body["request_id"]}
        for word in ("one", "two", "six"):
            answered = await line.ask(place.request(at, word))
            assert answered.facts == (200, {"success": True, "result": word, "error_message": None})
            assert set(answered.headers) == set(usual.headers)
            assert answered.headers["x-request-id"] == answered.body["request_id"]
            ids.add(answered.body["request_id"])
        assert not place.passed
    assert len(ids) == 4
    for request_id in ids:

        async def look(wanted: str = request_id) -> Any:
            found = await place.desk.client.get(f"{at}/requests/{wanted}")
            return found.json() if found.status_code == 200 else None

        record = await serving.until(look)
        assert (record["status"], record["input_size"], record["output_size"]) == ("completed", 5, 5)
        assert record["time_created"] <= record["time_started"] <= record["time_completed"]


async def test_another_line_with_the_same_head_is_answered_too(place: Place, serving: ServingHouse):
    at = await place.desk.serve(serving, ECHO)
    await place.make_known(place.request(at, "one"))
    for word in ("one", "two"):
        async with place.line() as line:
            assert (await line.ask(place.request(at, word))).body["result"] == word
    assert not place.passed


@pytest.mark.parametrize(
    "more",
    [
        ("X-Request-ID: caller-1234",),
        ("Expect: 100-continue",),
        ("X-Forwarded-For: 203.0.113.9",),
        ("Accept: a", "Accept: b"),
        ("Connection: close",),
    ],
)
async def test_unusual_head_always_passes_through_the_application(
    place: Place, serving: ServingHouse, more: tuple[str, ...]
):
    at = await place.desk.serve(serving, ECHO)
    await place.make_known(place.request(at, "one"))
    for _ in range(2):
        async with place.line() as line:
            line.writer.write(place.request(at, "one", *more))
            if more[0].startswith("Expect"):
                assert b"100 Continue" in await line.reader.readuntil(b"\r\n\r\n")
            assert (await line.answer()).body["result"] == "one"
    assert len(place.passed) == 2


async def test_request_in_pieces_or_with_another_behind_is_answered_in_order(place: Place, serving: ServingHouse):
    at = await place.desk.serve(serving, ECHO)
    one, two, six = (place.request(at, word) for word in ("one", "two", "six"))
    await place.make_known(one)
    async with place.line() as line:
        for cut in (1, 20, len(one) - 5, len(one) - 1):
            line.writer.write(one[:cut])
            await line.writer.drain()
            await asyncio.sleep(0.01)  # the rest comes in another piece
            assert (await line.ask(one[cut:])).body["result"] == "one"
        line.writer.write(one + two + six[:30])
        await asyncio.sleep(0.01)
        line.writer.write(six[30:])
        assert [(await line.answer()).body["result"] for _ in range(3)] == ["one", "two", "six"]


async def test_request_that_comes_before_the_answer_waits_for_its_turn(
    place: Place, serving: ServingHouse, gates: Gates
):
    at = await place.desk.serve(serving, GATED)
    folder = str(gates.folder)
    gates.open("aa")
    await place.make_known(place.request(at, f"{folder}/aa"))
    async with place.line() as line:
        line.writer.write(place.request(at, f"{folder}/bb"))
        await gates.reached("bb")
        line.writer.write(place.request(at, f"{folder}/cc"))
        line.writer.write(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        gates.open("cc")
        gates.open("bb")
        assert (await line.answer()).body["result"] == "bb through"
        assert (await line.answer()).body["result"] == "cc through"
        assert b"passed by" in await line.reader.readuntil(b"passed by")


async def test_refusals_and_failures_are_those_of_the_usual_way(place: Place, serving: ServingHouse):
    source = "class Model:\n    def request(self, data):\n        return {'number': 1 / data['number']}\n"
    at = await place.desk.serve(serving, source, plain=False)
    await place.make_known(place.request(at, {"number": 1}))
    async with place.line() as line:
        assert (await line.ask(place.request(at, {"number": 1}))).body["result"] == {"number": 1.0}
        failed = await line.ask(place.request(at, {"number": 0}))
        assert failed.facts == (200, {"success": False, "result": None, "error_message": "division by zero"})
        assert not place.passed
        refused = await line.ask(place.request(at, {"numbex": 1}))
        assert refused.status == 400
        assert len(place.passed) == 1


async def test_right_that_is_taken_away_ends_it(place: Place, serving: ServingHouse):
    at = await place.desk.serve(serving, ECHO)
    await place.make_known(place.request(at, "one"))
    async with place.line() as line:
        assert (await line.ask(place.request(at, "one"))).status == 200
        async with place.desk.house.db.begin() as tx:
            await tx.execute(text("DELETE FROM identity.token"))
        place.desk.house.state["authenticator"].forget()
        assert (await line.ask(place.request(at, "one"))).status == 401


async def test_body_above_the_limit_is_refused_each_time(place: Place, serving: ServingHouse):
    at = await place.desk.serve(serving, ECHO)
    for _ in range(2):
        async with place.line() as line:
            assert (await line.ask(place.request(at, "x" * MOST))).status == 413


async def test_caller_who_leaves_frees_the_instance(place: Place, serving: ServingHouse, gates: Gates):
    at = await place.desk.serve(serving, GATED)
    folder = str(gates.folder)
    gates.open("aa")
    await place.make_known(place.request(at, f"{folder}/aa"))
    async with place.line() as line:
        line.writer.write(place.request(at, f"{folder}/bb"))
        await gates.reached("bb")
        assert not place.passed
    async with place.line() as line:
        assert (await line.ask(place.request(at, f"{folder}/aa"))).body["result"] == "aa through"

    async def look() -> Any:
        async with serving.db.begin() as tx:
            query = "SELECT error_message FROM serving.direct_request WHERE NOT success"
            return (await tx.execute(text(query))).scalars().all()

    assert await serving.until(look) == ["The request was given up by its caller before it was answered."]


async def test_server_that_stops_answers_what_is_on_its_way_and_closes(
    running_desk: Desk, serving: ServingHouse, gates: Gates
):
    async with open_place(running_desk) as place:
        at = await place.desk.serve(serving, GATED)
        folder = str(gates.folder)
        gates.open("aa")
        await place.make_known(place.request(at, f"{folder}/aa"))
        async with place.line() as line:
            line.writer.write(place.request(at, f"{folder}/bb"))
            await gates.reached("bb")
            stopping = asyncio.create_task(place.server.shutdown())
            await asyncio.sleep(0)
            gates.open("bb")
            answered = await line.answer()
            assert (answered.body["result"], answered.headers["connection"]) == ("bb through", "close")
            assert await line.reader.read() == b""
            await stopping


async def test_line_that_has_been_idle_is_closed_and_not_before(running_desk: Desk, serving: ServingHouse):
    async with open_place(running_desk, keep_alive_s=1) as place:
        at = await place.desk.serve(serving, ECHO)
        await place.make_known(place.request(at, "one"))
        async with place.line() as line:
            began = asyncio.get_running_loop().time()
            answers = 0
            while asyncio.get_running_loop().time() < began + 1.5:
                assert (await line.ask(place.request(at, "one"))).body["result"] == "one"
                answers += 1
                await asyncio.sleep(0.1)
            last = asyncio.get_running_loop().time() - 0.1
            async with asyncio.timeout(10):
                assert await line.reader.read() == b""
            assert asyncio.get_running_loop().time() - last >= 0.9
            assert answers > 5
            assert not place.passed
    await wait_until(lambda: not place.server.server_state.connections)
