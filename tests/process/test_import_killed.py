"""An import whose worker is killed in the middle ends whole, with nothing left over."""

import io
from pathlib import Path
from typing import Any

import httpx2
import pytest
from PIL import Image

from support.archives import archive, row, table
from support.server import ADMIN_TOKEN, launch, wait_for

OBJECTS = 800
STORED_AT_KILL = 100


def picture() -> bytes:
    """Large enough to get a thumbnail."""
    encoded = io.BytesIO()
    Image.linear_gradient("L").resize((450, 450)).save(encoded, "PNG")
    return encoded.getvalue()


# The job runs again once its worker has been given up, which takes its time.
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_import_whose_worker_is_killed_ends_whole_and_leaves_nothing_over(data_dir: Path, tmp_path: Path):
    images = {f"o{number}.png": picture() for number in range(OBJECTS)}
    index = table([row(number) for number in range(OBJECTS)])
    packed = archive(tmp_path / "a.zip", {"ecotaxa.tsv": index, **images})
    server = launch(data_dir)
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    with httpx2.Client(base_url=f"{server.url}/api", headers=headers, timeout=60) as client:

        def api(method: str, path: str, **options: Any) -> Any:
            answer = client.request(method, path, **options)
            assert answer.status_code == 200, answer.text
            return answer.json()

        try:
            path = api("POST", "/my_files/", files={"file": ("a.zip", packed.read_bytes())})
            project = api("POST", "/projects/create", json={"title": "Killed"})
            job = api("POST", f"/file_import/{project}", json={"source_path": path})["job_id"]
            folder = data_dir / "store" / "objects" / str(project) / "images"
            wait_for(lambda: folder.exists() and len(list(folder.iterdir())) > STORED_AT_KILL)
            server.worker().kill()
            assert api("GET", f"/projects/{project}")["objcount"] is None

            def ended() -> Any:
                found = api("GET", f"/jobs/{job}/")
                return found if found["state"] in "FE" else None

            done = wait_for(ended, timeout_s=400)
            assert (done["state"], done["errors"], done["result"]) == ("F", [], {"rowcount": OBJECTS})
            assert api("GET", f"/projects/{project}")["objcount"] == OBJECTS
            assert len(list(folder.iterdir())) == 2 * OBJECTS  # each with a thumbnail, none of the lost run
            assert api("GET", f"/projects/{project}/check") == []
        finally:
            server.stop()
