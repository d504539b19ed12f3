"""What pipelines, connectors and schedules leave in logs and metrics, as their users read it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import make_url, text

from quadrat.serving.flow.scheduler import Scheduler
from support.desk import Desk
from support.serving import ServingHouse

pytestmark = pytest.mark.anyio

PLUS_ONE = """
class Model:
    def request(self, data):
        print("adding")
        return {"number": data["number"] + 1}
"""
NUMBER = [{"name": "number", "data_type": "double"}]
MAPPING = [{"source_field_name": "number", "destination_field_name": "number"}]


async def post(desk: Desk, what: str, body: Any) -> Any:
    made = await desk.client.post(f"/projects/{desk.project.name}/{what}", json=body)
    assert made.status_code in {200, 201}, made.text
    return made.json()


async def build(desk: Desk, serving: ServingHouse) -> None:
    """A pipeline ``p`` from a model ``one`` into a connector ``sink``, which writes into a table of the database."""
    version = await desk.serve(serving, PLUS_ONE, plain=False)
    async with serving.db.begin() as tx:
        await tx.execute(text("CREATE TABLE public.numbers (number float8)"))
    url = make_url(serving.db.url)
    host = str(url.host or url.query["host"])
    account = {"username": url.username, "password": url.password or "", "host": host, "port": str(url.port or 5432)}
    await post(desk, "credentials", {"name": "keys", "type": "postgresql", "configuration": account})
    table = {"database": url.database, "table": "numbers"}
    body = {"name": "sink", "type": "postgresql", "credentials": "keys", "configuration": table}
    await post(desk, "connectors", {**body, "input_fields": NUMBER})
    await post(desk, "pipelines", {"name": "p", "input_type": "structured", "input_fields": NUMBER})
    model = {"reference_type": "model", "reference_name": version.split("/")[4], "version": "v1"}
    await post(desk, "pipelines/p/objects", {"name": "one", **model})
    await post(
        desk,
        "pipelines/p/objects",
        {"name": "into-table", "reference_type": "connector", "reference_name": "sink"},
    )
    for source, destination in (("pipeline_start", "one"), ("one", "into-table")):
        ends = {"source_name": source, "destination_name": destination, "mapping": MAPPING}
        await post(desk, "pipelines/p/attachments", ends)


async def test_pipelines_connectors_and_schedules_leave_lines_and_counts(running_desk: Desk, serving: ServingHouse):
    desk, state = running_desk, running_desk.house.state
    await build(desk, serving)
    direct = await post(desk, "pipelines/p/request", {"number": 1})
    (batch,) = await post(desk, "pipelines/p/request-batch", [{"number": 10}])
    for name, is_batch in (("now-and-then", False), ("in-turn", True)):
        at = {"object_type": "pipeline", "object_name": "p", "schedule": "* * * * *", "request_data": {"number": 100}}
        await post(desk, "schedules", {"name": name, "batch": is_batch, **at})
    soon = datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(minutes=5)
    await Scheduler(serving.db, state["engine"], state["pipelines"]).fire(soon)

    async def lines(**filters: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = await post(desk, "logs", {"filters": filters, "limit": 500, "date_range": -3600})
        return found

    async def value(metric: str, type_: str) -> float:
        span = {"start_time": str(soon - timedelta(hours=2)), "end_time": str(soon + timedelta(hours=1))}
        at = f"/projects/{desk.project.name}/metrics/{metric}"
        answer = await desk.client.get(at, params={**span, "object_type": type_})
        assert answer.status_code == 200, answer.text
        return float(sum(item["value"] for item in answer.json()))

    async def counted() -> bool:
        return [
            await value("requests", "pipeline"),
            await value("object_requests", "pipeline"),
            await value("requests", "connector"),
            await value("requests", "model_version"),
        ] == [4, 8, 4, 4]

    await serving.until(counted)
    assert await value("input_volume", "pipeline") == len('{"number":1}{"number":10}') + 2 * len('{"number":100}')
    assert await value("volume", "connector") == len('{"number":2}{"number":11}') + 2 * len('{"number":101}')

    async def written() -> bool:
        # Whoever verified it keeps a book of its own, so its line may come later.
        said = [item["log"] for item in await lines(connector_name="sink")]
        return sum("ritten" in line for line in said) >= 3 and "The connector is verified." in said

    await serving.until(written)
    (one,) = await lines(pipeline_request_id=direct["pipeline_request_id"], system=True, connector_name="sink")
    assert (one["log"], one["pipeline_name"], one["pipeline_object_name"], one["connector_name"]) == (
        "Written.",
        "p",
        "into-table",
        "sink",
    )
    for request_id in (direct["pipeline_request_id"], batch["id"]):
        (said,) = await lines(pipeline_request_id=request_id, system=False)
        assert (said["log"], said["pipeline_object_name"], said["model_version"]) == ("adding", "one", "v1")
    of_pipeline = [item["log"] for item in await lines(pipeline_name="p", system=True)]
    assert sum("Schedule in-turn has made request" in line for line in of_pipeline) == 1
    assert sum("Schedule now-and-then" in line and "it succeeded" in line for line in of_pipeline) == 1
    assert {item["pipeline_object_name"] for item in await lines(pipeline_name="p", pipeline_object_name="one")} == {
        "one"
    }
