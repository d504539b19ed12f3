"""`quadrat samples` as a user types it."""

import csv
import json
from pathlib import Path

import pytest

from support.gallery import picture
from support.server import launch, quadrat, wait_for

# Each command starts a process that loads the whole program.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_folder_is_imported_and_exported(tmp_path: Path):
    folder = tmp_path / "images"
    (folder / "b").mkdir(parents=True)
    for name in ("a.png", "b/ü c.png"):
        (folder / name).write_bytes(picture())
    (folder / "notes.txt").write_text("none")
    data = tmp_path / "data"
    server = launch(data)
    try:
        options = ("--dataset", "my images", "--user", "admin@example.org")
        report = tmp_path / "skipped.csv"
        first = quadrat(data, "samples", "import", str(folder), *options, "--report", str(report))
        assert first.returncode == 0, first.stderr
        assert first.stdout.strip() == "2 new, 0 known already, 0 changed, 1 skipped in my images."
        assert report.read_text().splitlines() == ["file,reason", "notes.txt,no image by its name"]
        second = quadrat(data, "samples", "import", str(folder), *options)
        assert second.stdout.startswith("0 new, 2 known already")
        (dataset,) = server.get("/v1/datasets", params={"token": "ad" * 20}).json()
        uploads = f"/v1/datasets/{dataset['id']}/uploads/summary"
        wait_for(lambda: server.get(uploads, params={"token": "ad" * 20}).json()["waiting"] == 0)
        samples = f"/v1/datasets/{dataset['id']}/samples"
        listed = server.get(samples, params={"token": "ad" * 20}).json()
        box = {"objects": [{"category": "copepod", "bbox": [4, 8, 16, 24]}, {"no": "box"}]}
        path = f"{samples}/{listed[0]['id']}"
        changed = server.request("PUT", path, params={"token": "ad" * 20}, json={"customMetaData": box})
        assert changed.status_code == 200
        for form in ("coco", "yolo", "pascalvoc", "csv"):
            done = quadrat(data, "samples", "export", str(tmp_path / form), *options, "--format", form)
            assert done.returncode == 0, done.stderr
            assert done.stdout.startswith("2 samples with 1 boxes")
        coco = json.loads((tmp_path / "coco" / "coco.json").read_text())
        assert [image["file_name"] for image in coco["images"]] == ["a.png", "b/ü c.png"]
        assert coco["annotations"][0]["bbox"] == [4, 8, 16, 24]
        label = (tmp_path / "yolo" / "labels" / "a.txt").read_text().split()
        assert [round(float(number), 4) for number in label] == [0, 0.1875, 0.4167, 0.25, 0.5]
        assert (tmp_path / "pascalvoc" / "annotations" / "b" / "ü c.xml").exists()
        assert "a.png,64,48," in (tmp_path / "csv" / "samples.csv").read_text()
        missing = quadrat(data, "samples", "import", str(tmp_path / "nothing"), *options)
        assert missing.returncode == 1
        assert "no folder" in missing.stderr
    finally:
        server.stop()


def test_import_before_there_are_users_says_what_to_do(tmp_path: Path):
    options = ("--dataset", "early", "--user", "ada@example.org")
    early = quadrat(tmp_path / "data", "samples", "import", str(tmp_path), *options)
    assert early.returncode == 1
    assert "There is no user ada@example.org. Make one with `quadrat user create --email" in early.stderr


def test_report_names_every_file_that_was_left_out(tmp_path: Path):
    folder = tmp_path / "notes"
    folder.mkdir()
    names = {f"{number}.txt" for number in range(1001)}
    for name in names:
        (folder / name).touch()
    report = tmp_path / "skipped.csv"
    options = ("--dataset", "none", "--user", "admin@example.org", "--report", str(report))
    server = launch(tmp_path / "data")
    try:
        done = quadrat(tmp_path / "data", "samples", "import", str(folder), *options)
    finally:
        server.stop()
    assert done.stdout == "0 new, 0 known already, 0 changed, 1001 skipped in none.\n", done.stderr
    with report.open(newline="") as file:
        assert {row["file"] for row in csv.DictReader(file)} == names
