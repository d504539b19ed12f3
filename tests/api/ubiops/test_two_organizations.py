"""Two organizations in which everything has the same name, and no way from one into the other."""

from typing import Any

import pytest

from support.desk import Desk, sit_down
from support.serving import ServingHouse, pack

pytestmark = pytest.mark.anyio

MODEL = "class Model:\n    def request(self, data):\n        print('seen', data)\n        return data\n"
NUMBER = [{"name": "number", "data_type": "double"}]
CREDENTIALS = {"username": "u", "password": "p", "host": "127.0.0.1", "port": "1"}


async def furnish(desk: Desk, serving: ServingHouse, mark: str) -> dict[str, str]:
    """Make one of everything; the addresses that end in an id, below the project's."""

    async def post(what: str, body: Any) -> Any:
        made = await desk.client.post(f"/projects/{desk.project.name}/{what}", json=body)
        assert made.status_code in {200, 201}, made.text
        return made.json()

    kinds = {"input_type": "plain", "output_type": "plain"}
    await post("models", {"name": "m", "description": mark, **kinds})
    await post("models/m/versions", {"version": "v", "memory_allocation": 256, "description": mark})
    at = f"/projects/{desk.project.name}/models/m/versions/v"
    uploaded = await desk.client.put(f"{at}/upload", files={"file": ("package.zip", pack(MODEL))})
    assert uploaded.status_code == 200, uploaded.text
    assert await desk.built(serving, at) == "available"
    await post("credentials", {"name": "c", "type": "postgresql", "configuration": {**CREDENTIALS, "username": mark}})
    connector = {"type": "postgresql", "credentials": "c", "configuration": {"database": mark, "table": "t"}}
    await post("connectors", {"name": "c", "input_fields": NUMBER, **connector})
    await post("pipelines", {"name": "p", "description": mark, "input_type": "plain"})
    await post("pipelines/p/objects", {"name": "o", "reference_type": "model", "reference_name": "m", "version": "v"})
    await post("pipelines/p/attachments", {"source_name": "pipeline_start", "destination_name": "o", "mapping": []})
    scheduled = {"object_type": "model", "object_name": "m", "version": "v", "schedule": "0 3 * * *"}
    await post("schedules", {"name": "s", "request_data": mark, "enabled": False, **scheduled})
    await post("roles", {"name": "r", "permissions": ["models.get"]})
    robot = (await post("service-users", {"name": mark}))["id"]
    assignment = (await post("role-assignments", {"user_id": robot, "role": "r"}))["id"]
    levels = {level: f"{level}environment-variables" for level in ("", "models/m/", "models/m/versions/v/")}
    variable = {"name": "KEY", "value": mark, "secret": False}
    variables = {level: (await post(what, variable))["id"] for level, what in levels.items()}
    blob = await desk.client.post(f"/projects/{desk.project.name}/blobs", files={"file": ("f", mark.encode())})
    (batch,) = await post("models/m/versions/v/request-batch", [mark])
    (flow,) = await post("pipelines/p/request-batch", [mark])
    assert (await post("models/m/versions/v/request", mark))["result"] == mark
    assert (await post("pipelines/p/request", mark))["model_requests"][0]["result"] == mark
    return {
        f"service-users/{robot}": "",
        f"role-assignments/{assignment}": "",
        **{f"{levels[level]}/{id_}": "" for level, id_ in variables.items()},
        f"blobs/{blob.json()['id']}": "",
        f"models/m/versions/v/request-batch/{batch['id']}": "models/m/versions/v/request-batch",
        f"pipelines/p/request-batch/{flow['id']}": "pipelines/p/request-batch",
    }


#: What has the same address in both projects, below the project's.
SHARED = (
    *("", "models", "models/m", "models/m/versions", "models/m/versions/v", "credentials", "credentials/c"),
    *("connectors", "connectors/c", "pipelines", "pipelines/p", "pipelines/p/objects", "pipelines/p/objects/o"),
    *("pipelines/p/attachments", "pipelines/p/objects/o/environment-variables", "schedules", "schedules/s"),
    *("roles", "roles/r", "service-users", "blobs", "environment-variables", "models/m/environment-variables"),
    *("models/m/versions/v/environment-variables", "models/m/versions/v/download", "resources", "usage"),
    *("models/m/versions/v/request-batch", "pipelines/p/request-batch"),
)


async def check_records(here: Desk, there: Desk, serving: ServingHouse) -> None:
    """Logs and metrics."""
    mine, theirs = f"/projects/{here.project.name}", f"/projects/{there.project.name}"

    async def lines(**filters: Any) -> str:
        body = {"filters": filters, "limit": 500, "date_range": -3600}
        answer = await here.client.post(f"{mine}/logs", json=body)
        assert answer.status_code == 201, answer.text
        return answer.text

    async def written() -> bool:
        return (await lines()).count("seen mark-of-here") == 4

    await serving.until(written)
    for filters in ({}, {"model_name": "m"}, {"pipeline_name": "p"}, {"connector_name": "c"}):
        assert "there" not in await lines(**filters)
    body = {"filters": {}, "limit": 500, "date_range": -3600}
    assert (await here.client.post(f"{theirs}/logs", json=body)).status_code == 404
    version = (await there.client.get(f"{theirs}/models/m/versions/v")).json()["id"]
    span = {"start_time": "2026-01-01", "end_time": "2026-01-02", "object_type": "model_version", "object_id": version}
    assert (await here.client.get(f"{mine}/metrics/requests", params=span)).status_code == 404


async def test_equal_names_lead_to_ones_own_things_only(running_desk: Desk, serving: ServingHouse):
    here, there = running_desk, await sit_down(running_desk.house)
    own = await furnish(here, serving, "mark-of-here")
    foreign = await furnish(there, serving, "mark-of-there")
    mine, theirs = f"/projects/{here.project.name}", f"/projects/{there.project.name}"
    for what in SHARED:
        answer = await here.client.get(f"{mine}/{what}".rstrip("/"))
        assert answer.status_code == 200, what
        assert "there" not in answer.text, what
        assert (await here.client.get(f"{theirs}/{what}".rstrip("/"))).status_code == 404, what
    for what in own:
        assert (await here.client.get(f"{mine}/{what}")).status_code == 200, what
    for what, collection in foreign.items():
        # The other's id below one's own names, and below theirs.
        for project in (mine, theirs):
            assert (await here.client.get(f"{project}/{what}")).status_code == 404, what
            assert (await here.client.delete(f"{project}/{what}")).status_code == 404, what
        assert (await there.client.get(f"{theirs}/{what}")).status_code == 200, what
        if collection:
            for verb in ("collect", "delete"):
                body = [what.rpartition("/")[2]]
                assert (await here.client.post(f"{mine}/{collection}-{verb}", json=body)).status_code == 404

    await check_records(here, there, serving)
    # Their things in one's own requests, schedules and roles.
    blob = next(what for what in foreign if what.startswith("blobs/")).rpartition("/")[2]
    kinds = {"input_type": "structured", "output_type": "plain", "input_fields": [{"name": "f", "data_type": "blob"}]}
    await here.client.post(f"{mine}/models", json={"name": "of-files", **kinds})
    await here.client.post(f"{mine}/models/of-files/versions", json={"version": "v", "memory_allocation": 256})
    scheduled = {"object_type": "model", "object_name": "of-files", "version": "v", "schedule": "* * * * *"}
    body = {"name": "with-their-file", "request_data": {"f": blob}, **scheduled}
    assert (await here.client.post(f"{mine}/schedules", json=body)).status_code == 400
    robot = next(what for what in foreign if what.startswith("service-users/")).rpartition("/")[2]
    for user_id in (robot, str(there.person.caller.uuid)):
        body = {"user_id": user_id, "role": "r"}
        assert (await here.client.post(f"{mine}/role-assignments", json=body)).status_code in {400, 404}
