"""Pipelines run as graphs: direct requests."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from quadrat.errors import ErrorKind, QuadratError
from quadrat.serving.actions import graphs
from quadrat.serving.pipeline_types import START, Link
from quadrat.serving.rules.blobs import blob_key
from quadrat.serving.types import FieldType
from support.flow import NUMBER, Builder, Flow, run_flow
from support.serving import ECHO, GATED, Gates, ServingHouse

pytestmark = pytest.mark.anyio

PLUS_ONE = "class Model:\n    def request(self, data):\n        return {'number': data['number'] + 1}\n"
PICKY = """
class Model:
    def request(self, data):
        if data["number"] > 2:
            raise ValueError("too large")
        return data
"""
REVERSED_FILE = """
class Model:
    def request(self, data):
        content = open(data["picture"], "rb").read()
        with open("reversed.bin", "wb") as out:
            out.write(content[::-1])
        return {"picture": "reversed.bin"}
"""
EVERYTHING: dict[str, tuple[FieldType, Any]] = {
    "int": (FieldType.INT, 2**53 + 1),
    "string": (FieldType.STRING, 'ä "quoted" \\ \u0000 text'),
    "double": (FieldType.DOUBLE, 0.1),
    "bool": (FieldType.BOOL, True),
    "timestamp": (FieldType.TIMESTAMP, "2020-05-12T16:23:15.456812+02:00"),
    "ints": (FieldType.ARRAY_INT, [1, -2, 3]),
    "doubles": (FieldType.ARRAY_DOUBLE, [1.5, 2, 1e-300]),
    "strings": (FieldType.ARRAY_STRING, ["a", "", "ß"]),
}


@pytest.fixture
async def flow(serving: ServingHouse) -> AsyncIterator[Flow]:
    async with run_flow(serving) as running:
        yield running


@pytest.fixture
def build(serving: ServingHouse) -> Builder:
    return Builder(serving)


def shown(runs: list[Any]) -> list[tuple[str, Any]]:
    return [(run.object_name, json.loads(run.result) if run.success else run.error_message) for run in runs]


async def test_chain_hands_each_result_on(serving: ServingHouse, flow: Flow, build: Builder):
    version = await serving.serve(PLUS_ONE, NUMBER, NUMBER)
    path = await build.chain(version, version, version, fields=NUMBER)
    runs = await flow.ask(path, {"number": 1})
    assert shown(runs) == [("a", {"number": 2}), ("b", {"number": 3}), ("c", {"number": 4})]
    assert [json.loads(run.data) for run in runs] == [{"number": 1}, {"number": 2}, {"number": 3}]
    assert len({run.request_id for run in runs}) == 3


async def test_lines_of_models_belong_to_the_pipeline(serving: ServingHouse, flow: Flow, build: Builder):
    source = "class Model:\n    def request(self, data):\n        print('seen', data)\n        return data\n"
    path = await build.chain(await serving.serve(source))
    (run,) = await flow.ask(path, "x")
    assert run.request_id is not None

    async def written() -> bool:
        return ("seen x", False) in await serving.log_of(run.request_id)

    await serving.until(written)


async def test_mapping_carries_every_data_type_unchanged(serving: ServingHouse, flow: Flow, build: Builder):
    fields = {name: type_ for name, (type_, _value) in EVERYTHING.items()}
    others = {f"the-{name}": type_ for name, type_ in fields.items()}
    path = await build.pipeline(fields)
    await build.add(path, "one", await serving.serve(ECHO, others, others))
    await build.add(path, "two", await serving.serve(ECHO, fields, fields))
    async with serving.db.begin() as tx:
        there = [Link(name, f"the-{name}") for name in fields]
        back = [Link(f"the-{name}", name) for name in fields]
        await graphs.create_attachment(tx, serving.caller, path, (START, "one"), there)
        await graphs.create_attachment(tx, serving.caller, path, ("one", "two"), back)
    data = {name: value for name, (_type, value) in EVERYTHING.items()}
    one, two = await flow.ask(path, data)
    assert json.loads(one.result or b"") == {f"the-{name}": value for name, value in data.items()}
    assert json.loads(two.result or b"") == data


async def test_file_that_a_model_gives_is_handed_on_as_a_file(serving: ServingHouse, flow: Flow, build: Builder):
    picture = {"picture": FieldType.BLOB}
    version = await serving.serve(REVERSED_FILE, picture, picture)
    path = await build.chain(version, version, fields=picture)
    given = await flow.engine.files.add_blob(serving.project.id, "given.bin", b"abc")
    runs = await flow.ask(path, {"picture": str(given.id)})
    assert [run.success for run in runs] == [True, True], [run.error_message for run in runs]
    blobs = [json.loads(run.result)["picture"] for run in runs]
    assert json.loads(runs[1].data) == {"picture": blobs[0]}
    contents = [await serving.blobs.read(blob_key(UUID(blob)), max_bytes=100) for blob in blobs]
    assert contents == [b"cba", b"abc"]
    (done,) = await build.finished(path, await build.submit(path, {"picture": str(given.id)}))
    last = json.loads(done.runs[1].result or b"")["picture"]
    assert await serving.blobs.read(blob_key(UUID(last)), max_bytes=100) == b"abc"


async def test_one_field_may_feed_several(serving: ServingHouse, flow: Flow, build: Builder):
    pair = {"left": FieldType.DOUBLE, "right": FieldType.DOUBLE}
    path = await build.pipeline(NUMBER)
    await build.add(path, "pair", await serving.serve(ECHO, pair, pair))
    async with serving.db.begin() as tx:
        links = [Link("number", "left"), Link("number", "right")]
        await graphs.create_attachment(tx, serving.caller, path, (START, "pair"), links)
    assert shown(await flow.ask(path, {"number": 3})) == [("pair", {"left": 3, "right": 3})]


async def test_twenty_branches_all_run(serving: ServingHouse, flow: Flow, build: Builder):
    version = await serving.serve(PLUS_ONE, NUMBER, NUMBER)
    path = await build.pipeline(NUMBER)
    for number in range(20):
        await build.add(path, f"branch-{number}", version)
        await build.attach(path, START, f"branch-{number}", "number")
    runs = await flow.ask(path, {"number": 1})
    assert sorted(shown(runs)) == sorted((f"branch-{number}", {"number": 2}) for number in range(20))


async def test_branches_run_beside_each_other(serving: ServingHouse, flow: Flow, build: Builder, gates: Gates):
    path = await build.pipeline()
    for name in ("a", "b"):
        await build.add(path, name, await serving.serve(GATED, maximum_instances=1))
        await build.attach(path, START, name)
    asked = asyncio.create_task(flow.ask(path, json.loads(gates.data("both"))))
    # Neither has been let through, and both are there.
    await gates.reached("both", times=2)
    gates.open("both")
    assert len(await asked) == 2


async def test_failure_stops_its_own_branch_only(serving: ServingHouse, flow: Flow, build: Builder):
    picky, plus = await serving.serve(PICKY, NUMBER, NUMBER), await serving.serve(PLUS_ONE, NUMBER, NUMBER)
    path = await build.pipeline(NUMBER)
    for name, version in (("bad", picky), ("behind", plus), ("good", plus), ("after", plus)):
        await build.add(path, name, version)
    for source, destination in ((START, "bad"), ("bad", "behind"), (START, "good"), ("good", "after")):
        await build.attach(path, source, destination, "number")
    runs = dict(shown(await flow.ask(path, {"number": 5})))
    assert runs == {"bad": "too large", "good": {"number": 6}, "after": {"number": 7}}


async def test_object_runs_once_for_each_way_to_it(serving: ServingHouse, flow: Flow, build: Builder):
    version = await serving.serve(PLUS_ONE, NUMBER, NUMBER)
    path = await build.pipeline(NUMBER)
    for name in ("left", "right", "join"):
        await build.add(path, name, version)
    for name in ("left", "right"):
        await build.attach(path, START, name, "number")
        await build.attach(path, name, "join", "number")
    assert [name for name, _ in sorted(shown(await flow.ask(path, {"number": 1})))] == ["join", "join", "left", "right"]


async def test_version_that_is_not_available_fails_its_object(serving: ServingHouse, flow: Flow, build: Builder):
    path = await build.chain(await serving.make_version(await serving.make_model()))
    (run,) = await flow.ask(path, "x")
    assert (run.success, run.request_id) == (False, None)
    assert "not available" in (run.error_message or "")


async def test_model_timeout_fails_its_object(serving: ServingHouse, flow: Flow, build: Builder, gates: Gates):
    path = await build.chain(await serving.serve(GATED))
    (run,) = await flow.ask(path, json.loads(gates.data("shut")), model_timeout_s=0.5)
    assert "longer than 0.5 seconds" in (run.error_message or "")


async def test_pipeline_timeout_ends_what_runs(serving: ServingHouse, flow: Flow, build: Builder, gates: Gates):
    path = await build.chain(await serving.serve(GATED))
    began = time.monotonic()
    (run,) = await flow.ask(path, json.loads(gates.data("shut")), pipeline_timeout_s=0.5)
    assert run.error_message == "The pipeline took longer than 0.5 seconds."
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("data", [{"number": "1"}, {}, {"number": 1, "other": 2}, "text"])
async def test_data_that_does_not_fit_is_refused(flow: Flow, build: Builder, data: Any):
    path = await build.pipeline(NUMBER)
    with pytest.raises(QuadratError) as refused:
        await flow.ask(path, data)
    assert refused.value.kind is ErrorKind.INVALID


async def test_pipeline_with_nothing_attached_is_refused(flow: Flow, build: Builder):
    path = await build.pipeline()
    with pytest.raises(QuadratError, match="Nothing is attached"):
        await flow.ask(path, "x")
    with pytest.raises(QuadratError, match="Nothing is attached"):
        await build.submit(path, "x")


async def test_change_of_the_graph_reaches_the_next_request(serving: ServingHouse, flow: Flow, build: Builder):
    version = await serving.serve(PLUS_ONE, NUMBER, NUMBER)
    path = await build.chain(version, fields=NUMBER)
    assert len(await flow.ask(path, {"number": 1})) == 1
    await build.add(path, "b", version)
    await build.attach(path, "a", "b", "number")

    async def seen() -> bool:
        return len(await flow.ask(path, {"number": 1})) == 2

    await serving.until(seen)
