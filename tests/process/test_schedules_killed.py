"""Two servers over one database: a schedule fires once in each minute, whichever of them is killed."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from quadrat.db.embedded import EmbeddedPostgres
from support.server import Server, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(500)]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[str]:
    server = EmbeddedPostgres(tmp_path / "elsewhere")
    server.start()
    yield server.url
    server.stop()


def test_minute_fires_once_whichever_server_is_killed(serve: Callable[..., Server], database: str, tmp_path: Path):
    def start(name: str) -> Server:
        return serve(tmp_path / name, QUADRAT_DATABASE_URL=database, QUADRAT_WORKERS="0")

    first, second = start("first"), start("second")
    organization = first.get("/v2.1/organizations").json()[0]["name"]
    first.post("/v2.1/projects", json={"name": "timely", "organization_name": organization})
    project = "/v2.1/projects/timely"
    model = {"name": "m", "input_type": "plain", "output_type": "plain"}
    assert first.post(f"{project}/models", json=model).status_code == 201
    # Without a package: what is accepted waits, and can be counted.
    assert first.post(f"{project}/models/m/versions", json={"version": "v1"}).status_code == 201
    at = {"object_type": "model", "object_name": "m", "version": "v1", "schedule": "* * * * *"}
    made = first.post(f"{project}/schedules", json={"name": "tick", "request_data": "tick", **at})
    assert made.status_code == 201, made.text

    def minutes(server: Server, at_least: int) -> list[datetime] | None:
        listed = server.get(f"{project}/models/m/versions/v1/request-batch?sort=asc").json()
        found = [datetime.fromisoformat(item["time_created"]).replace(second=0, microsecond=0) for item in listed]
        return found if len(found) >= at_least else None

    wait_for(lambda: minutes(first, 1), 90)
    first.kill()
    wait_for(lambda: minutes(second, 2), 90)
    first = start("first")
    second.kill()
    fired = wait_for(lambda: minutes(first, 3), 90)
    start("second")
    fired = wait_for(lambda: minutes(first, 4), 90)
    assert fired == [fired[0] + timedelta(minutes=number) for number in range(len(fired))]
