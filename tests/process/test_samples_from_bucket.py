"""`quadrat samples import s3://...`: images of a bucket of a real S3 service become samples and stay where they are."""

import csv
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import pytest

from support import servers
from support.gallery import picture
from support.passage import Passage, passage_to
from support.server import ADMIN_TOKEN, Server, environment, quadrat, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

# More than two pages of a listing, and more than two blocks of an import.
PLAIN = 2100
BLOCK = 1000
ODD = ["odd/a b.png", "odd/ü #1 100%.png", "odd/100%25.png", "odd/q?x=1&y.png", "odd/it's~*(1).png", "odd/x\\y.png"]
LEFT_OUT = {
    "0001.txt": "no image by its name",
    "odd/notes": "no image by its name",
    "odd/empty.png": "empty",
    "odd/ü.csv": "no image by its name",
}
_SIGNED = {"Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request"}


@dataclass
class Bucket:
    """A bucket, and the passage through which Quadrat reaches it."""

    url: str
    passage: Passage

    @property
    def settings(self) -> dict[str, str]:
        return {
            "QUADRAT_STORE_ENDPOINT": self.passage.url,
            "QUADRAT_IMPORT_ROOTS": '["s3://pictures/raw"]',
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
        }

    def put(self, name: str, content: bytes) -> None:
        answer = httpx2.put(f"{self.url}/pictures/raw/{quote(name)}", headers=_SIGNED, content=content)
        assert answer.status_code == 200, answer.text


@pytest.fixture
def bucket(tmp_path: Path) -> Iterator[Bucket]:
    folder = tmp_path / "s3"
    folder.mkdir()
    with servers.moto(folder) as url, passage_to(url) as passage:
        assert httpx2.put(f"{url}/pictures", headers=_SIGNED).status_code == 200
        yield Bucket(url, passage)


@dataclass
class Run:
    """An import as somebody sees it at a terminal."""

    process: subprocess.Popen[str]
    terminal: int
    shown: bytearray
    reader: threading.Thread

    def end(self) -> tuple[int, str]:
        out, _ = self.process.communicate(timeout=300)
        self.reader.join(60)
        os.close(self.terminal)
        return self.process.returncode, out


def start(data_dir: Path, bucket: Bucket, *options: str) -> Run:
    """Start the command with its messages on a terminal."""
    terminal, its_end = os.openpty()
    command = [sys.executable, "-m", "quadrat.cli.main", "--data-dir", str(data_dir), "samples", "import"]
    process = subprocess.Popen(
        [*command, "s3://pictures/raw", "--dataset", "from a bucket", *options],
        env=environment(**bucket.settings),
        stdout=subprocess.PIPE,
        stderr=its_end,
        text=True,
    )
    os.close(its_end)
    shown = bytearray()

    def read() -> None:
        try:
            while piece := os.read(terminal, 4096):
                shown.extend(piece)
        except OSError:
            pass  # how Linux says that nobody writes to the terminal any more

    reader = threading.Thread(target=read)
    reader.start()
    return Run(process, terminal, shown, reader)


def get(server: Server, path: str, **params: Any) -> Any:
    answer = server.get(f"/v1{path}", params={"token": ADMIN_TOKEN, **params})
    assert answer.status_code == 200, answer.text
    return answer.json()


def fill(bucket: Bucket) -> dict[str, bytes]:
    """Put the images and what is none; the images by their names."""
    images = {f"{number:04}.png": picture((16, 16)) for number in range(PLAIN)}
    images |= {name: picture((20, 10)) for name in ODD} | {"odd/broken.png": b"no picture"}
    others = {name: b"" if reason == "empty" else b"text" for name, reason in LEFT_OUT.items()}
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(bucket.put, *zip(*(images | others).items(), strict=True)))
    return images


def until_read(server: Server, dataset: str) -> dict[str, int]:
    path = f"/datasets/{dataset}/uploads/summary"
    wait_for(lambda: get(server, path)["waiting"] == 0, timeout_s=400)
    found: dict[str, int] = get(server, path)
    return found


def test_bucket_is_imported_without_a_copy_goes_on_after_a_kill_and_takes_in_what_changed(
    serve: Callable[..., Server], bucket: Bucket, tmp_path: Path
):
    images = fill(bucket)
    server = serve(**bucket.settings)
    # Killed while it waits for the third page of the listing, when one block is stored.
    pages = iter(range(1, 100))
    bucket.passage.stops = lambda _, path: "list-type=2" in path and next(pages) == 3
    first = start(server.data_dir, bucket)
    assert bucket.passage.waiting.wait(120)
    (dataset,) = (one["id"] for one in get(server, "/datasets"))
    wait_for(lambda: get(server, f"/datasets/{dataset}")["nSamples"] == BLOCK)
    wait_for(lambda: f"{BLOCK} images".encode() in first.shown)
    first.process.kill()
    assert first.end()[0] == -9
    bucket.passage.open.set()
    assert get(server, f"/datasets/{dataset}")["nSamples"] == BLOCK

    report = tmp_path / "skipped.csv"
    second = start(server.data_dir, bucket, "--report", str(report))
    left = len(images) - BLOCK
    counts = f"{left} new, {BLOCK} known already, 0 changed, {len(LEFT_OUT)} skipped in from a bucket."
    assert second.end() == (0, counts + "\n")
    assert f"{len(images)} images".encode() in second.shown
    with report.open(newline="") as file:
        assert dict(csv.reader(file)) == {"file": "reason"} | LEFT_OUT
    assert until_read(server, dataset) == {
        "missing": 0, "stored": len(images) - 1, "undecodable": 1, "waiting": 0,
    }  # fmt: skip
    samples = {one["fileName"]: one for one in get(server, f"/datasets/{dataset}/samples")}
    assert set(samples) == set(images)
    found = get(server, f"/datasets/{dataset}")
    assert (found["nSamples"], found["sizeInBytes"]) == (len(images), sum(map(len, images.values())))
    for name in [*ODD, "odd/broken.png", "0000.png", f"{PLAIN - 1}.png"]:
        url = get(server, f"/datasets/{dataset}/samples/{samples[name]['id']}/readurl")
        # The bucket serves its images itself.
        assert url.startswith(bucket.passage.url), name
        assert httpx2.get(url).content == images[name], name
    assert samples["odd/q?x=1&y.png"]["metaData"]["shape"] == [10, 20, 3]
    assert list((server.data_dir / "store").rglob("full")) == []

    bucket.put("0000.png", picture((30, 40)))
    bucket.put("new.png", picture())
    third = start(server.data_dir, bucket)
    counts = f"1 new, {len(images) - 1} known already, 1 changed, {len(LEFT_OUT)} skipped in from a bucket."
    assert third.end() == (0, counts + "\n")
    until_read(server, dataset)
    changed = get(server, f"/datasets/{dataset}/samples/{samples['0000.png']['id']}")
    assert changed["metaData"]["shape"] == [40, 30, 3]


def test_bucket_that_was_opened_is_imported_over_the_api(serve: Callable[..., Server], bucket: Bucket):
    content = {name: picture() for name in ODD}
    for name in ODD:
        bucket.put(name, content[name])
    bucket.put("odd/empty.png", b"")
    server = serve(**bucket.settings)
    params = {"token": ADMIN_TOKEN}
    dataset = server.post("/v1/datasets", params=params, json={"name": "over the API"}).json()["id"]
    path = f"/v1/datasets/{dataset}/imports"
    made = server.post(path, params=params, json={"source": "s3://pictures/raw/odd"})
    assert made.status_code == 201, made.text
    look = f"/datasets/{dataset}/imports/{made.json()['id']}"
    wait_for(lambda: get(server, look)["state"] in {"finished", "failed"})
    result = get(server, look)["result"]
    assert (result["new"], result["n_skipped"], result["skipped"]) == (len(ODD), 1, {"empty.png": "empty"})
    names = {one["fileName"] for one in get(server, f"/datasets/{dataset}/samples")}
    assert names == {name.removeprefix("odd/") for name in ODD}
    assert server.post(path, params=params, json={"source": "s3://pictures/other"}).status_code == 403


@pytest.mark.parametrize("source", ["s3://nobody/has-this", "s3://pictures/broken"])
def test_bucket_that_cannot_be_listed_says_why(source: str, serve: Callable[..., Server], bucket: Bucket):
    # The library that lists buckets takes no key with an empty part.
    answer = httpx2.put(f"{bucket.url}/pictures/broken/a//b.png", headers=_SIGNED, content=picture())
    assert answer.status_code == 200
    server = serve(**bucket.settings)
    done = quadrat(server.data_dir, "samples", "import", source, "--dataset", "none", **bucket.settings)
    assert done.returncode == 1
    said = {"s3://nobody/has-this": "s3://nobody cannot be listed", "s3://pictures/broken": "broken/a//b.png"}
    assert said[source] in done.stderr
    assert "Traceback" not in done.stderr
