from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from quadrat.base.clock import now
from quadrat.serving.meter import Meter
from quadrat.serving.rules.metrics import Metric
from support.desk import Desk
from support.house import House

pytestmark = pytest.mark.anyio

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)


async def version_of(desk: Desk) -> str:
    """Id of a new version."""
    at = await desk.make_version()
    return (await desk.client.get(at)).json()["id"]


async def test_metrics_are_contiguous_aligned_and_end_before_the_end(desk: Desk):
    id_ = await version_of(desk)
    meter = Meter(desk.house.db)
    for minutes in (-60, 0, 0.5, 59, 61, 120):
        meter.count(desk.project.id, Metric.VERSION_REQUESTS, UUID(id_), 1, NOON + timedelta(minutes=minutes))
    await meter.flush()
    query = {"start_time": "2026-03-14 12:20:00", "end_time": "2026-03-14T14:00:00Z", "object_type": "model_version"}
    at = f"/projects/{desk.project.name}/metrics/requests"
    answer = await desk.client.get(at, params=query)
    assert answer.status_code == 200
    assert answer.json() == [
        {"start_time": "2026-03-14T12:00:00+00:00", "end_time": "2026-03-14T13:00:00+00:00", "value": 3.0},
        {"start_time": "2026-03-14T13:00:00+00:00", "end_time": "2026-03-14T14:00:00+00:00", "value": 1.0},
    ]
    for object_id, total in ((id_, 1.0), (await version_of(desk), 0.0)):
        found = await desk.client.get(at, params={**query, "object_id": object_id, "interval": "minute"})
        assert sum(item["value"] for item in found.json()) == total + total
    month = await desk.client.get(at, params={**query, "interval": "month"})
    assert [item["value"] for item in month.json()] == [6.0]


async def test_every_metric_of_every_type_is_known(desk: Desk):
    for metric in Metric:
        answer = await desk.client.get(
            f"/projects/{desk.project.name}/metrics/{metric.short}",
            params={"start_time": "2026-03-14", "end_time": "2026-03-15", "object_type": metric.object_type},
        )
        assert answer.status_code == 200, metric
        assert [item["value"] for item in answer.json()] == [0.0] * 24


@pytest.mark.parametrize(
    ("metric", "changed", "status"),
    [
        ("object_requests", {}, 400),
        ("requests", {"object_type": "model"}, 400),
        ("requests", {"interval": "year"}, 400),
        ("requests", {"start_time": "soon"}, 400),
        ("requests", {"end_time": "2026-03-13"}, 400),
        ("requests", {"start_time": "1026-03-13", "interval": "minute"}, 400),
        ("requests", {"start_time": "0001-01-01T00:00:00+14:00"}, 400),
        ("requests", {"end_time": "9999-12-31T23:59:59Z", "interval": "month"}, 400),
        ("requests", {"object_id": "no-uuid"}, 400),
        ("requests", {"object_id": str(uuid4())}, 404),
    ],
)
async def test_metrics_with_a_bad_value_is_refused(desk: Desk, metric: str, changed: dict, status: int):
    query = {"start_time": "2026-03-14", "end_time": "2026-03-15", "object_type": "model_version", **changed}
    answer = await desk.client.get(f"/projects/{desk.project.name}/metrics/{metric}", params=query)
    assert (answer.status_code, set(answer.json())) == (status, {"error"})


async def test_metrics_and_usage_of_another_tenant_are_404(desk: Desk, house: House):
    id_ = await version_of(desk)
    stranger = await house.make_person()
    own = await house.make_project(stranger)
    client = desk.client_of(stranger)
    query = {"start_time": "2026-03-14", "end_time": "2026-03-15", "object_type": "model_version"}
    at = f"/projects/{desk.project.name}"
    for path in (f"{at}/metrics/requests", f"{at}/usage", f"{at}/resources"):
        assert (await client.get(path, params=query)).status_code == 404
    foreign = {**query, "object_id": id_}
    assert (await client.get(f"/projects/{own.name}/metrics/requests", params=foreign)).status_code == 404
    for path in ("usage", "usage/details", "resources"):
        assert (await client.get(f"/organizations/{desk.project.organization_name}/{path}")).status_code == 404


async def test_usage_adds_up_billed_metrics_per_month_and_day(desk: Desk, house: House):
    await version_of(desk)
    other = await house.make_project(desk.person, None)
    meter = Meter(house.db)
    at = now()
    for project in (desk.project, other):
        for metric, amount in (
            (Metric.VERSION_GB_S, 1.5),
            (Metric.PIPELINE_INPUT_BYTES, 7),
            (Metric.VERSION_REQUESTS, 1),
        ):
            meter.count(project.id, metric, uuid4(), amount, at)
    meter.count(desk.project.id, Metric.CONNECTOR_BYTES, uuid4(), 3, at - timedelta(days=500))
    await meter.flush()
    month, day = at.strftime("%Y-%m-01T00:00:00Z"), at.strftime("%Y-%m-%dT00:00:00Z")

    def shown(key: str, when: str, factor: int) -> list[dict]:
        return [
            {"object_type": "model_version", "metric": "gb_seconds", "usage": [{key: when, "value": 1.5 * factor}]},
            {"object_type": "pipeline", "metric": "input_volume", "usage": [{key: when, "value": 7.0 * factor}]},
            {"object_type": "connector", "metric": "volume", "usage": []},
        ]

    at_project = f"/projects/{desk.project.name}/usage"
    at_organization = f"/organizations/{desk.project.organization_name}"
    same = desk.project.organization_name == other.organization_name
    assert (await desk.client.get(at_project)).json() == shown("month", month, 1)
    assert (await desk.client.get(f"{at_organization}/usage")).json() == shown("month", month, 1 + same)
    assert (await desk.client.get(f"{at_organization}/usage/details")).json() == shown("day", day, 1 + same)
    early = await desk.client.get(at_project, params={"start_month": "2020-01"})
    assert [item["value"] for item in early.json()[2]["usage"]] == [3.0]
    empty = await desk.client.get(f"{at_organization}/usage/details", params={"month": "2020-01"})
    assert [item["usage"] for item in empty.json()] == [[], [], []]
    for bad in ("2020-13", "2020", "x", "2020-1", "0000-01", "2020-01-01"):
        assert (await desk.client.get(at_project, params={"start_month": bad})).status_code == 400, bad
        assert (await desk.client.get(f"{at_organization}/usage/details", params={"month": bad})).status_code == 400


async def test_resources_are_counted_in_project_and_organization(desk: Desk):
    await version_of(desk)
    await version_of(desk)
    found = await desk.client.get(f"/projects/{desk.project.name}/resources")
    assert found.json() == {"models": 2, "versions": 2, "connectors": 0, "pipelines": 0}
    found = await desk.client.get(f"/organizations/{desk.project.organization_name}/resources")
    assert {"projects": 1, "users": 1, "models": 2, "versions": 2}.items() <= found.json().items()
