"""An import whose worker is killed in the middle ends whole, with nothing left over."""

import io
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from support.archives import row, table
from support.server import launch, wait_for

OBJECTS = 1500


def archive() -> bytes:
    packed = io.BytesIO()
    picture = io.BytesIO()
    Image.effect_noise((600, 600), 50).save(picture, "PNG")
    with zipfile.ZipFile(packed, "w") as made:
        made.writestr("ecotaxa.tsv", table([row(number) for number in range(OBJECTS)]))
        for number in range(OBJECTS):
            made.writestr(f"o{number}.png", picture.getvalue())
    return packed.getvalue()


@pytest.mark.slow
def test_import_whose_worker_is_killed_ends_whole_and_leaves_nothing_over(data_dir: Path):
    server = launch(data_dir)
    try:
        project = server.post("/api/projects/create", json={"title": "Killed"}).json()
        upload = {"file": ("a.zip", archive())}
        headers = {"Authorization": f"Bearer {'ad' * 20}"}
        import httpx2

        path = httpx2.post(f"{server.url}/api/my_files/", files=upload, headers=headers, timeout=60).json()

        def api(method: str, address: str, **options):
            return httpx2.request(method, server.url + address, headers=headers, timeout=60, **options).json()

        project = api("POST", "/api/projects/create", json={"title": "Killed"})
        job = api("POST", f"/api/file_import/{project}", json={"source_path": path})["job_id"]
        images = data_dir / "store" / "objects" / str(project) / "images"
        wait_for(lambda: images.exists() and len(list(images.iterdir())) > 300)
        server.worker().kill()
        at_kill = api("GET", f"/api/projects/{project}")["objcount"]
        assert at_kill is None

        def ended() -> dict | None:
            found = api("GET", f"/api/jobs/{job}/")
            return found if found["state"] in "FE" else None

        done = wait_for(ended, timeout_s=100)
        assert (done["state"], done["errors"], done["result"]) == ("F", [], {"rowcount": OBJECTS})
        assert api("GET", f"/api/projects/{project}")["objcount"] == OBJECTS
        stored = sorted(found.name for found in images.iterdir())
        assert len(stored) == 2 * OBJECTS  # each with a thumbnail, none of the lost run
        assert api("GET", f"/api/projects/{project}/check") == []
    finally:
        server.stop()
