"""What docs/platform.md says of backups, done as it says."""

import subprocess
from pathlib import Path

import httpx2
import pytest

from support.people import unique
from support.server import launch, quadrat

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


def test_copy_of_the_data_directory_serves_what_the_original_did(tmp_path: Path) -> None:
    name, secret, picture = unique("kept"), "a word that is sealed", b"not a real picture" * 1000
    original = launch(tmp_path / "srv" / "quadrat-data")
    organization = original.get("/v2.1/organizations").json()[0]["name"]
    assert original.post("/v2.1/projects", json={"name": name, "organization_name": organization}).status_code == 201
    variable = {"name": "SECRET", "value": secret, "secret": True}
    assert original.post(f"/v2.1/projects/{name}/environment-variables", json=variable).status_code == 201
    sent = original.post(f"/v2.1/projects/{name}/blobs", files={"file": ("kept.png", picture)})
    assert sent.status_code == 201, sent.text
    assert original.stop() == 0

    archive = tmp_path / "quadrat.tgz"
    subprocess.run(["tar", "-czf", archive, "-C", tmp_path / "srv", "quadrat-data"], check=True)
    again = tmp_path / "again"
    again.mkdir()
    subprocess.run(["tar", "-xzf", archive, "-C", again], check=True)
    copy = launch(again / "quadrat-data")
    try:
        assert copy.get(f"/v2.1/projects/{name}/blobs/{sent.json()['id']}").content == picture
        person = {"email": "admin@example.org", "password": "Correct-horse-1"}
        with httpx2.Client(base_url=copy.url, timeout=60) as browser:
            assert browser.post("/ui/api/session", json=person).status_code == 200
            kept = browser.get("/ui/api/administration").json()["kept"]
        assert kept["data_dir"] == str(again / "quadrat-data")
        assert "Sealed 1 secret" in quadrat(copy.data_dir, "secrets", "rotate").stdout, "the key came with it"
    finally:
        assert copy.stop() == 0
