"""A prediction whose worker is killed while it learns, or while it writes, ends whole and writes nothing twice."""

from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest

from quadrat.db.embedded import EmbeddedPostgres
from quadrat.db.engine import psycopg_dsn
from support.image_models import digit_archive
from support.many_objects import multiply
from support.server import ADMIN_TOKEN, launch, quadrat, wait_for

VALIDATED, COPIES = 100, 300
OBJECTS = 150 * COPIES


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_prediction_whose_worker_is_killed_ends_whole(data_dir: Path):
    server = launch(data_dir)
    try:
        headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}

        def api(method: str, path: str, **options: Any) -> Any:
            answer = httpx2.request(method, f"{server.url}/api{path}", headers=headers, timeout=60, **options)
            assert answer.status_code == 200, answer.text
            return answer.json()

        def done(job: int) -> dict[str, Any] | None:
            found = api("GET", f"/jobs/{job}/")
            return found if found["state"] in "FE" else None

        project = api("POST", "/projects/create", json={"title": "Killed while predicting"})
        path = api("POST", "/my_files/", files={"file": ("a.zip", digit_archive(VALIDATED + 150, VALIDATED))})
        job = api("POST", f"/file_import/{project}", json={"source_path": path})["job_id"]
        assert wait_for(lambda: done(job), 100)["state"] == "F"
        with psycopg.connect(psycopg_dsn(EmbeddedPostgres(data_dir.resolve()).url), autocommit=True) as conn:
            multiply(conn, project, COPIES, OBJECTS)
            taxa = [row[0] for row in conn.execute("SELECT DISTINCT taxon_id FROM objects.object WHERE state = 'V'")]
            request = {
                "project_id": project,
                "source_project_ids": [project],
                "features": ["fre.area", "obj.depth_min"],
            }
            body = {"filters": {}, "request": {**request, "categories": taxa, "pre_mapping": {}}}
            for _ in range(2):  # the second one replaces predictions, so that it leaves history
                job = api("POST", "/object_set/predict", json=body)["job_id"]
                wait_for(lambda job=job: api("GET", f"/jobs/{job}/")["state"] == "R")
                server.worker().kill()  # before anything is learned

                def written(job: int = job) -> int:
                    row = conn.execute(
                        "SELECT (facts ->> 'n_written')::int FROM objects.training WHERE job_id = %s", [job]
                    ).fetchone()
                    return 0 if row is None else row[0]

                wait_for(lambda written=written: 0 < written() < OBJECTS, 150)
                server.worker().kill()
                found = wait_for(lambda job=job: done(job), 150)
                assert (found["state"], found["result"], found["errors"]) == ("F", {"rowcount": OBJECTS}, [])
            lines = conn.execute(
                "SELECT count(*), count(DISTINCT object_id) FROM objects.history h JOIN objects.object o "
                "ON o.id = h.object_id WHERE o.project_id = %s",
                [project],
            ).fetchone()
            assert lines == (OBJECTS, OBJECTS)
            assert conn.execute("SELECT count(*) FROM objects.prediction_block").fetchone() == (0,)
        assert api("GET", f"/projects/{project}/check") == [f"{OBJECTS - 150} objects have no image"]
        with_shell(data_dir, project)
    finally:
        server.stop()


def with_shell(data_dir: Path, project: int) -> None:
    """The same from the shell, beside the server."""
    command = ("objects", "predict", "--project", str(project), "--user", "admin@example.org", "--limit", "5")
    ran = quadrat(data_dir, *command, "--feature", "fre.area", "--classifier", "extra_trees")
    assert ran.returncode == 0, ran.stderr
    assert f"{OBJECTS} objects predicted by job" in ran.stdout
    refused = quadrat(data_dir, *command, "--category", "no such taxon")
    assert refused.returncode != 0
    assert "There is no taxon no such taxon." in refused.stderr
