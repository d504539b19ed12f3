from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from quadrat.serving.meter import Meter
from quadrat.serving.rules.metrics import Metric
from support.pages import PASSWORD, Browser

pytestmark = pytest.mark.anyio

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
ASKED, ANSWERED = Metric.VERSION_REQUESTS, Metric.VERSION_OUTPUTS


async def test_requests_and_failures_of_versions_are_counted_in_a_span_for_who_may_see_metrics(
    browser: Browser,
) -> None:
    owner, stranger = [await browser.house.make_person(password=PASSWORD) for _ in range(2)]
    project = await browser.house.make_project(owner)
    headers = {"X-Quadrat-CSRF": await browser.sign_in(owner.caller.email)}
    models = f"/v2.1/projects/{project.name}/models"
    model = {"name": "echo", "input_type": "plain", "output_type": "plain"}
    assert (await browser.client.post(models, json=model, headers=headers)).status_code == 201
    ids = []
    for name in ("v1", "v2", "never"):
        made = await browser.client.post(f"{models}/echo/versions", json={"version": name}, headers=headers)
        ids.append(made.json()["id"])
    meter = Meter(browser.house.db)
    for metric, version, minutes in (
        (ASKED, 0, 1),
        (ASKED, 0, 2),
        (ASKED, 0, 59),
        (ANSWERED, 0, 2),
        (ASKED, 1, 5),
        (ANSWERED, 1, 5),
        (ASKED, 1, 60),
        (ASKED, 0, -1),
    ):
        meter.count(project.id, metric, UUID(ids[version]), 1, NOON + timedelta(minutes=minutes))
    await meter.flush()
    at = f"/ui/api/projects/{project.id}/requests"
    query = {"start_time": "2026-03-14T12:20:00Z", "end_time": "2026-03-14T13:00:00Z", "interval": "hour"}
    found = await browser.client.get(at, params=query)
    assert (found.status_code, found.json()) == (
        200,
        [
            {"version_id": ids[0], "model": "echo", "version": "v1", "requests": 3, "failed": 2},
            {"version_id": ids[1], "model": "echo", "version": "v2", "requests": 1, "failed": 0},
        ],
    )
    found = await browser.client.get(at, params={**query, "interval": "minute"})
    assert [(row["version"], row["requests"]) for row in found.json()] == [("v1", 1)]
    assert (await browser.client.get(at, params={**query, "start_time": "2026-03-14"})).status_code == 422
    await browser.sign_in(stranger.caller.email)
    assert (await browser.client.get(at, params=query)).status_code == 404
