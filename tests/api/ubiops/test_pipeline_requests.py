"""Requests of pipelines over HTTP."""

from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import func, select

from quadrat.serving.files import SPILL_BYTES
from quadrat.serving.tables import payload
from support.desk import Desk
from support.serving import ServingHouse

pytestmark = pytest.mark.anyio

ECHO = """
class Model:
    def request(self, data):
        if data == "bad":
            raise ValueError("no")
        return data
"""


async def make_chain(desk: Desk, serving: ServingHouse) -> str:
    """Address of a pipeline with two objects of one plain model."""
    version = await desk.serve(serving, ECHO)
    model = version.split("/models/")[1].split("/")[0]
    at = f"/projects/{desk.project.name}/pipelines"
    assert (await desk.client.post(at, json={"name": "p", "input_type": "plain"})).status_code == 201
    before = "pipeline_start"
    for name in ("one", "two"):
        body = {"name": name, "reference_type": "model", "reference_name": model, "version": "v1"}
        assert (await desk.client.post(f"{at}/p/objects", json=body)).status_code == 201
        ends = {"source_name": before, "destination_name": name, "mapping": []}
        assert (await desk.client.post(f"{at}/p/attachments", json=ends)).status_code == 201
        before = name
    return f"{at}/p"


async def ended(desk: Desk, serving: ServingHouse, address: str) -> dict[str, Any]:
    async def look() -> dict[str, Any] | None:
        found: dict[str, Any] = (await desk.client.get(address)).json()
        return found if found["status"] in {"completed", "failed"} else None

    result: dict[str, Any] = await serving.until(look)
    return result


async def test_direct_requests(running_desk: Desk, serving: ServingHouse):
    desk, client = running_desk, running_desk.client
    at = await make_chain(desk, serving)

    answered = (await client.post(f"{at}/request", json="hello")).json()
    assert (answered["project"], answered["pipeline"]) == (desk.project.name, "p")
    assert [item["pipeline_object"] for item in answered["model_requests"]] == ["one", "two"]
    first = answered["model_requests"][0]
    assert set(first) == {"request_id", "pipeline_object", "success", "request_data", "result", "error_message"}
    assert (first["success"], first["request_data"], first["result"], first["error_message"]) == (
        True,
        "hello",
        "hello",
        None,
    )
    text = {"Content-Type": "text/plain"}
    assert (await client.post(f"{at}/request", content="hello", headers=text)).status_code == 200
    failed = (await client.post(f"{at}/request", json="bad")).json()
    assert [(item["success"], item["error_message"]) for item in failed["model_requests"]] == [(False, "no")]

    for query in ("pipeline_timeout=7201", "pipeline_timeout=9", "model_timeout=3601", "model_timeout=x"):
        assert (await client.post(f"{at}/request?{query}", json="x")).status_code == 400
    assert (await client.post(f"{at}/request?pipeline_timeout=7200&model_timeout=3600", json="x")).status_code == 200
    assert (await client.post(f"{at}/request", json={"a": 1})).status_code == 400
    assert (await client.post(f"{at}-none/request", json="x")).status_code == 404

    stranger = desk.client_of(await desk.house.make_person())
    assert (await stranger.post(f"{at}/request", json="x")).status_code == 404
    assert (await desk.client_of(None).post(f"{at}/request", json="x")).status_code == 401


async def test_large_contents_are_answered_whole(running_desk: Desk, serving: ServingHouse):
    desk, client = running_desk, running_desk.client
    at = await make_chain(desk, serving)
    large = 'é"' * (SPILL_BYTES // 3)
    ids = [item["id"] for item in (await client.post(f"{at}/request-batch", json=[large, "small"])).json()]
    alone = await ended(desk, serving, f"{at}/request-batch/{ids[0]}")
    await ended(desk, serving, f"{at}/request-batch/{ids[1]}")
    assert alone["request_data"] == {"data": large}
    assert [(item["request_data"], item["result"]) for item in alone["model_requests"]] == [(large, large)] * 2
    collected = {item["id"]: item for item in (await client.post(f"{at}/request-batch-collect", json=ids)).json()}
    assert collected[ids[0]] == alone
    assert [item["result"] for item in collected[ids[1]]["model_requests"]] == ["small"] * 2

    stranger = desk.client_of(await desk.house.make_person())
    assert (await stranger.post(f"{at}/request-batch", json=large)).status_code == 404
    async with serving.db.begin() as tx:
        # Nothing was stored for who may not, and the same text once for who may.
        assert (await tx.execute(select(func.count()).select_from(payload))).scalar_one() == 1


async def test_batch_requests(running_desk: Desk, serving: ServingHouse):
    desk, client = running_desk, running_desk.client
    at = await make_chain(desk, serving)
    created = (await client.post(f"{at}/request-batch", json=["a", "bad", "c"])).json()
    assert {item["status"] for item in created} == {"pending"}
    ids = [item["id"] for item in created]
    good = await ended(desk, serving, f"{at}/request-batch/{ids[0]}")
    assert set(good) == {
        "id",
        "status",
        "success",
        "time_created",
        "time_last_updated",
        "request_data",
        "model_requests",
        "error_message",
    }
    assert (good["status"], good["success"], good["error_message"]) == ("completed", True, None)
    assert good["request_data"] == {"data": "a"}
    assert [(item["pipeline_object"], item["result"]) for item in good["model_requests"]] == [
        ("one", "a"),
        ("two", "a"),
    ]
    bad = await ended(desk, serving, f"{at}/request-batch/{ids[1]}")
    assert (bad["status"], bad["success"], len(bad["model_requests"])) == ("failed", False, 1)
    assert "one: no" in bad["error_message"]

    listed = (await client.get(f"{at}/request-batch")).json()
    assert [item["id"] for item in listed] == ids[::-1]
    assert set(listed[0]) == {"id", "status", "success", "time_created", "time_last_updated"}
    await ended(desk, serving, f"{at}/request-batch/{ids[2]}")
    query = "status=completed&sort=asc&limit=1"
    assert [item["id"] for item in (await client.get(f"{at}/request-batch?{query}")).json()] == [ids[0]]
    assert (await client.get(f"{at}/request-batch?status=cancelled")).status_code == 400
    made = created[0]["time_created"]
    for span, count in ((f"start_time={made}", 3), (f"end_time={made}", 0), ("start_time=2031-01-01", 0)):
        assert len((await client.get(f"{at}/request-batch?{span}")).json()) == count, span
    assert (await client.get(f"{at}/request-batch?start_time=soon")).status_code == 400
    collected = (await client.post(f"{at}/request-batch-collect", json=ids)).json()
    assert {item["id"] for item in collected} == set(ids)

    unknown = str(uuid4())
    assert (await client.post(f"{at}/request-batch-collect", json=[*ids, unknown])).status_code == 404
    assert (await client.post(f"{at}/request-batch-delete", json=[*ids, unknown])).status_code == 404
    assert (await client.post(f"{at}/request-batch-collect", json=[unknown] * 101)).status_code == 400
    assert (await client.get(f"{at}/request-batch/{unknown}")).status_code == 404
    assert (await client.get(f"{at}/request-batch/no-uuid")).status_code == 404
    assert (await client.delete(f"{at}/request-batch/{ids[0]}")).status_code == 204
    assert (await client.post(f"{at}/request-batch-delete", json=ids[1:])).status_code == 201
    assert (await client.get(f"{at}/request-batch")).json() == []
    assert (await client.post(f"{at}/request-batch", json=["x"] * 101)).status_code == 400
    assert (await client.post(f"{at}/request-batch", json=["x", 1])).status_code == 400
    assert (await client.post(f"{at}/request-batch", json=[])).status_code == 400
    assert (await client.post(f"{at}/request-batch", json="alone")).status_code == 200

    stranger = desk.client_of(await desk.house.make_person())
    assert (await stranger.get(f"{at}/request-batch")).status_code == 404
