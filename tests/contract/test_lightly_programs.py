"""The programs of lightly 1.2.46 with real images, and lightly 1.5.22 reading what they made, against the live server.

They pull in torch, so they are no part of the tests' own environments. QUADRAT_TEST_LIGHTLY_PYTHON names an interpreter
that has lightly 1.2.46, QUADRAT_TEST_LIGHTLY_LATE_PYTHON one that has 1.5.22; without them these tests do not run.
"""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from PIL import Image

PYTHON = os.environ.get("QUADRAT_TEST_LIGHTLY_PYTHON")
LATE_PYTHON = os.environ.get("QUADRAT_TEST_LIGHTLY_LATE_PYTHON")
pytestmark = [
    pytest.mark.clients,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(PYTHON is None, reason="QUADRAT_TEST_LIGHTLY_PYTHON names no interpreter"),
]
SOFTWARE, COMMENT = 0x0131, 0x9C9C
LATE = """
import json, sys
from lightly.api import ApiWorkflowClient
client = ApiWorkflowClient(dataset_id=sys.argv[1])
names = client.get_filenames()
samples = client._samples_api.get_samples_by_dataset_id(dataset_id=sys.argv[1])
print(json.dumps({
    "names": sorted(names),
    "shapes": {s.file_name: s.meta_data.shape for s in samples if s.meta_data},
    "tags": [t.name for t in client.get_all_tags()],
    "custom": {s.file_name: s.custom_meta_data for s in samples if s.custom_meta_data},
}))
"""


@dataclass
class Programs:
    """The commands beside the interpreter, aimed at a server."""

    url: str
    token: str

    def run(self, command: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        assert PYTHON is not None
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("QUADRAT_")},
            "LIGHTLY_SERVER_LOCATION": self.url,
            "LIGHTLY_TOKEN": self.token,
        }
        program = Path(PYTHON).with_name(command)
        return subprocess.run(
            [program, f"token={self.token}", *arguments],
            cwd=cwd,
            env=environment,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )

    def get(self, path: str, **params: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.token}"}
        answer = httpx2.get(f"{self.url}/v1{path}", params=params, headers=headers, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def dataset(self, name: str) -> str:
        return str(next(one["id"] for one in self.get("/datasets") if one["name"] == name))


@pytest.fixture(scope="module")
def programs(server: Any) -> Programs:
    return Programs(server.url, server.token)


def write_images(folder: Path) -> list[str]:
    """Real pictures of every troublesome kind; the names as they come out."""
    random = np.random.default_rng(1)
    noise = random.integers(0, 255, (60, 80, 3), np.uint8)
    deep = (random.integers(0, 4000, (50, 70)) + 30_000).astype(np.uint16)
    names = ["sub/with space.png", "sub/Übersicht 水母.jpg", "sub/deep/er/a#b%20c.png", "sub/exif.jpg"]
    names += ["sub/sixteen.png", "sub/large.jpg"]
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
    for name in names[:3]:
        Image.fromarray(noise).save(folder / name)
    exif = Image.Exif()
    exif[SOFTWARE] = "Soft\0\0\0"
    exif[COMMENT] = "hello".encode("utf-16-le")
    Image.fromarray(noise).save(folder / names[3], exif=exif)
    Image.fromarray(deep).save(folder / names[4])
    Image.fromarray(np.tile(noise, (100, 100, 1))).save(folder / names[5], quality=80)
    return names


def test_folder_is_uploaded_carries_metadata_and_is_read_by_a_later_client(programs: Programs, tmp_path: Path):
    folder = tmp_path / "images"
    names = write_images(folder)
    name = f"programs-{os.getpid()}"
    upload = (f"input_dir={folder}", "upload=full", "loader.num_workers=1")
    images = [{"id": number, "file_name": each} for number, each in enumerate(names)]
    metadata = [{"image_id": number, "haul": {"number": number, "none": None}} for number in range(len(names))]
    custom = tmp_path / "custom.json"
    custom.write_text(json.dumps({"images": images, "metadata": metadata}))
    given = (f"new_dataset_name={name}", f"custom_metadata={custom}")
    done = programs.run("lightly-upload", *upload, *given, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    dataset = programs.dataset(name)
    samples = {sample["fileName"]: sample for sample in programs.get(f"/datasets/{dataset}/samples")}
    assert sorted(samples) == sorted(names)
    assert samples["sub/large.jpg"]["metaData"]["shape"] == [6000, 8000, 3]
    assert samples["sub/exif.jpg"]["exif"]["Software"] == "Soft"
    for each, sample in samples.items():
        url = programs.get(f"/datasets/{dataset}/samples/{sample['id']}/readurl")
        assert httpx2.get(url, timeout=60).content == (folder / each).read_bytes(), each
    assert [tag["name"] for tag in programs.get(f"/datasets/{dataset}/tags")] == ["initial-tag"]
    assert [samples[each]["customMetaData"]["haul"]["number"] for each in names] == list(range(len(names)))

    out = tmp_path / "out"
    done = programs.run(
        "lightly-download", f"dataset_id={dataset}", "tag_name=initial-tag", f"input_dir={folder}",
        f"output_dir={out}", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    (listed,) = tmp_path.rglob("initial-tag.txt")
    assert sorted(listed.read_text().splitlines()) == sorted(names)
    assert sorted(str(path.relative_to(out)) for path in out.rglob("*.*")) == sorted(names)

    if LATE_PYTHON is not None:
        environment = {**os.environ, "LIGHTLY_SERVER_LOCATION": programs.url, "LIGHTLY_TOKEN": programs.token}
        late = subprocess.run(
            [LATE_PYTHON, "-c", LATE, dataset],
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert late.returncode == 0, late.stderr[-3000:]
        read = json.loads(late.stdout.splitlines()[-1])
        assert read["names"] == sorted(names)
        assert read["tags"] == ["initial-tag"]
        assert read["shapes"]["sub/large.jpg"] == [6000, 8000, 3]
        assert len(read["custom"]) == len(names)


def test_upload_that_a_corrupt_file_ended_is_resumed_with_what_is_missing(programs: Programs, tmp_path: Path):
    folder = tmp_path / "images" / "sub"
    folder.mkdir(parents=True)
    noise = np.random.default_rng(2).integers(0, 255, (8, 60, 80, 3), np.uint8)
    for number, pixels in enumerate(noise):
        Image.fromarray(pixels).save(folder / f"{number}.jpg")
    (folder / "zz.jpg").write_bytes((folder / "0.jpg").read_bytes()[:300])
    name = f"corrupt-{os.getpid()}"
    upload = (f"input_dir={folder.parent}", "upload=full", "loader.num_workers=1")
    programs.run("lightly-upload", *upload, f"new_dataset_name={name}", cwd=tmp_path)
    dataset = programs.dataset(name)
    first = programs.get(f"/datasets/{dataset}/samples")
    (folder / "zz.jpg").unlink()
    done = programs.run("lightly-upload", *upload, f"dataset_id={dataset}", cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    samples = programs.get(f"/datasets/{dataset}/samples")
    assert {sample["id"] for sample in first} <= {sample["id"] for sample in samples}
    assert {f"sub/{number}.jpg" for number in range(8)} <= {sample["fileName"] for sample in samples}
    assert [sample["index"] for sample in samples] == list(range(len(samples)))
    missing = {one["fileName"] for one in programs.get(f"/datasets/{dataset}/uploads", state="missing")}
    assert not missing - {"sub/zz.jpg"}


def test_two_uploads_of_one_dataset_at_once_make_each_sample_once(programs: Programs, tmp_path: Path):
    folder = tmp_path / "images" / "sub"
    folder.mkdir(parents=True)
    noise = np.random.default_rng(3).integers(0, 255, (30, 60, 80, 3), np.uint8)
    for number, pixels in enumerate(noise):
        Image.fromarray(pixels).save(folder / f"{number}.jpg")
    assert PYTHON is not None
    environment = {**os.environ, "LIGHTLY_SERVER_LOCATION": programs.url, "LIGHTLY_TOKEN": programs.token}
    name = f"racing {os.getpid()}"
    headers = {"Authorization": f"Bearer {programs.token}"}
    body = {"name": name, "type": "Images"}
    dataset = httpx2.post(f"{programs.url}/v1/datasets", json=body, headers=headers, timeout=60).json()["id"]
    command = [
        Path(PYTHON).with_name("lightly-upload"),
        f"token={programs.token}",
        f"input_dir={folder.parent}",
        "upload=full",
        "loader.num_workers=1",
    ]
    racing = []
    for number in range(2):
        own = tmp_path / str(number)
        own.mkdir()
        with (own / "log").open("w") as log:
            racing.append(
                subprocess.Popen([*command, f"dataset_id={dataset}"], env=environment, cwd=own, stdout=log, stderr=log)
            )
    for process in racing:
        process.wait(600)
    said = [(tmp_path / str(number) / "log").read_text()[-3000:] for number in range(2)]
    # Which of the two makes the initial tag is open; the other one is told that it is there.
    assert any(process.returncode == 0 for process in racing), said
    samples = programs.get(f"/datasets/{dataset}/samples")
    assert sorted(sample["fileName"] for sample in samples) == sorted(f"sub/{number}.jpg" for number in range(30))
    assert [sample["index"] for sample in samples] == list(range(30))
    assert programs.get(f"/datasets/{dataset}/uploads", state="missing") == []
    for sample in samples:
        url = programs.get(f"/datasets/{dataset}/samples/{sample['id']}/readurl")
        name = sample["fileName"].removeprefix("sub/")
        assert httpx2.get(url, timeout=60).content == (folder / name).read_bytes()
