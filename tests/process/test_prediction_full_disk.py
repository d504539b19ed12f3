"""A prediction while the disk is full: nothing is written by halves, and it goes on when there is space again."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest

from quadrat.db.embedded import EmbeddedPostgres
from quadrat.db.engine import psycopg_dsn
from support.disks import fill_disk
from support.image_models import digit_archive
from support.many_objects import multiply
from support.server import ADMIN_TOKEN, Server, wait_for

VALIDATED, COPIES = 100, 200
TARGETS = 150 * COPIES


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_prediction_on_a_full_disk_goes_on_when_there_is_space(serve: Callable[..., Server], small_disk: Path) -> None:
    server = serve(small_disk / "data")
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}

    def ask(method: str, path: str, **options: Any) -> httpx2.Response:
        return httpx2.request(method, f"{server.url}/api{path}", headers=headers, timeout=60, **options)

    def api(method: str, path: str, **options: Any) -> Any:
        answer = ask(method, path, **options)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def ended(job: int) -> dict[str, Any] | None:
        answer = ask("GET", f"/jobs/{job}/")
        return answer.json() if answer.status_code == 200 and answer.json()["state"] in "FE" else None

    project = api("POST", "/projects/create", json={"title": "Full"})
    path = api("POST", "/my_files/", files={"file": ("a.zip", digit_archive(VALIDATED + 150, VALIDATED))})
    job = api("POST", f"/file_import/{project}", json={"source_path": path})["job_id"]
    assert wait_for(lambda: ended(job))["state"] == "F"
    address = psycopg_dsn(EmbeddedPostgres(server.data_dir.resolve()).url)
    with psycopg.connect(address, autocommit=True) as conn:
        multiply(conn, project, COPIES, TARGETS)
        taxa = [row[0] for row in conn.execute("SELECT DISTINCT taxon_id FROM objects.object WHERE state = 'V'")]
    request = {"project_id": project, "source_project_ids": [project], "features": ["fre.area"], "categories": taxa}
    body = {"filters": {}, "request": {**request, "pre_mapping": {}}}
    with psycopg.connect(address) as holder:
        # Everything is learned and guessed; what comes of it waits to be kept until there is no space for it.
        holder.execute("LOCK TABLE objects.prediction_block IN SHARE MODE")
        job = api("POST", "/object_set/predict", json=body)["job_id"]
        waiting = (
            "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
            "AND query LIKE 'INSERT INTO objects.prediction_block%'"
        )
        with psycopg.connect(address, autocommit=True) as watcher:
            wait_for(lambda: watcher.execute(waiting).fetchone(), 120)
        filler = fill_disk(small_disk)
    wait_for(lambda: "No space left" in server.log)
    filler.unlink()
    found = wait_for(lambda: ended(job), 120)
    if found["state"] == "E":  # it had tried often enough before there was space
        assert found["errors"] == ["The disk is full: nothing can be stored until there is space."]
        api("GET", f"/jobs/{job}/restart")
        found = wait_for(lambda: ended(job), 120)
    assert (found["state"], found["errors"], found["result"]) == ("F", [], {"rowcount": TARGETS})
    with psycopg.connect(address) as conn:
        states = conn.execute("SELECT state, count(*) FROM objects.object GROUP BY state ORDER BY state").fetchall()
        assert states == [("P", TARGETS), ("V", VALIDATED)]
        assert conn.execute("SELECT count(*) FROM objects.prediction").fetchone() == (TARGETS,)
        assert conn.execute("SELECT count(*) FROM objects.prediction_block").fetchone() == (0,)
        assert conn.execute("SELECT count(*) FROM objects.history").fetchone() == (0,)
    assert server.process.poll() is None
