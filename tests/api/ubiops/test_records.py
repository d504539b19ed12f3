"""What is known of a request by its id: states and times, direct or batch."""

from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest

from support.desk import Desk
from support.serving import ServingHouse

pytestmark = pytest.mark.anyio

MODEL = """
class Model:
    def request(self, data):
        if data == "fail":
            raise ValueError("as asked")
        return data * 2
"""


async def known(desk: Desk, serving: ServingHouse, at: str, request_id: str) -> dict[str, Any]:
    """The record, once it has been written."""

    async def look() -> dict[str, Any] | None:
        answer = await desk.client.get(f"{at}/requests/{request_id}")
        record: dict[str, Any] = answer.json()
        return record if answer.status_code == 200 and record["time_completed"] else None

    found: dict[str, Any] = await serving.until(look)
    return found


async def test_direct_request_is_known_with_its_times(running_desk: Desk, serving: ServingHouse):
    at = await running_desk.serve(serving, MODEL)
    answered = (await running_desk.client.post(f"{at}/request", json="ab")).json()
    record = await known(running_desk, serving, at, answered["request_id"])
    assert (record["id"], record["batch"], record["status"], record["success"]) == (
        answered["request_id"],
        False,
        "completed",
        True,
    )
    assert (record["input_size"], record["output_size"], record["error_message"]) == (4, 6, None)
    times = [datetime.fromisoformat(record[f"time_{name}"]) for name in ("created", "started", "completed")]
    assert times == sorted(times)


async def test_failed_direct_request_is_known_with_its_reason(running_desk: Desk, serving: ServingHouse):
    at = await running_desk.serve(serving, MODEL)
    answered = (await running_desk.client.post(f"{at}/request", json="fail")).json()
    record = await known(running_desk, serving, at, answered["request_id"])
    assert (record["status"], record["success"], record["error_message"]) == ("failed", False, "as asked")


async def test_batch_request_is_known_from_its_acceptance_on(running_desk: Desk, serving: ServingHouse):
    at = await running_desk.serve(serving, MODEL)
    (made,) = (await running_desk.client.post(f"{at}/request-batch", json=["ab"])).json()
    early = await running_desk.client.get(f"{at}/requests/{made['id']}")
    assert early.status_code == 200
    assert early.json()["batch"] is True
    record = await known(running_desk, serving, at, made["id"])
    assert (record["status"], record["input_size"], record["output_size"]) == ("completed", 4, 6)
    assert record["time_created"] <= record["time_started"] <= record["time_completed"]


async def test_unknown_request_and_that_of_another_version_are_404(desk: Desk):
    at = await desk.make_version()
    for name in (str(uuid4()), "none"):
        assert (await desk.client.get(f"{at}/requests/{name}")).status_code == 404


async def test_stranger_and_anonymous_learn_nothing(desk: Desk):
    at = await desk.make_version()
    stranger = desk.client_of(await desk.house.make_person())
    assert (await stranger.get(f"{at}/requests/{uuid4()}")).status_code == 404
    assert (await desk.client_of(None).get(f"{at}/requests/{uuid4()}")).status_code == 401
