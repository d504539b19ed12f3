"""JPEGs taken in with their metadata and thumbnails, beside FiftyOne doing the same work in the same run.

    uv venv PEER && uv pip install --python PEER fiftyone==1.22.1
    python bench/samples/ingest.py --peer PEER/bin/python [--images 10000]

Quadrat: each image is created, sent to its signed address over 16 connections, measured, hashed and given a thumbnail
by its jobs. FiftyOne: the folder is added to a dataset, `compute_metadata` runs, and thumbnails of the same size are
written; both may use all processors. Ends with 1 when the aim is missed.
"""

import argparse
import concurrent.futures
import http.client
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from million import TOKEN, call, serving
from PIL import Image

CONNECTIONS = 16
TIMES = 3
PEER = """
import sys, time
import fiftyone as fo
import fiftyone.utils.image as foui
began = time.perf_counter()
dataset = fo.Dataset.from_images_dir(sys.argv[1])
dataset.compute_metadata()
foui.transform_images(dataset, size=(128, -1), output_field="thumbnail", output_dir=sys.argv[2])
assert len(dataset.exists("metadata").exists("thumbnail")) == int(sys.argv[3])
print(time.perf_counter() - began)
dataset.delete()
"""


def write_images(folder: Path, count: int) -> None:
    """Photographs of 640 x 480 px as a camera's JPEG has them: smooth, with some noise, each another one."""
    random = np.random.default_rng(4)
    across, down = np.meshgrid(np.arange(640), np.arange(480))
    for number in range(count):
        waves = [np.sin(across / random.uniform(20, 90) + down / random.uniform(20, 90)) for _ in range(3)]
        pixels = np.stack(waves, axis=-1) * 90 + 128 + random.normal(0, 6, (480, 640, 1))
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{number:05}.jpg", quality=85)


def upload(url: str, dataset: str, files: list[Path]) -> None:
    """Create and send them one after another over one connection."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=120)
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}

    def ask(method: str, path: str, body: bytes | None, **more: str) -> bytes:
        connection.request(method, path, body, more or headers)
        answer = connection.getresponse()
        content = answer.read()
        if answer.status >= 300:
            raise SystemExit(f"{method} {path}: {answer.status} {content[:200]!r}")
        return content

    samples = f"/v1/datasets/{dataset}/samples"
    for file in files:
        sample = json.loads(ask("POST", samples, json.dumps({"fileName": file.name}).encode()))["id"]
        address = json.loads(ask("GET", f"{samples}/{sample}/writeurl?isThumbnail=False", None))
        ask("PUT", address.removeprefix(url), file.read_bytes(), Accept="*/*")


def quadrat(folder: Path, images: list[Path]) -> float:
    """Seconds until every image is there, measured and shown small."""
    with serving(folder / "data") as (url, _):
        dataset = call(url, "POST", "/datasets", {"name": "ingest", "type": "Images"})["id"]
        began = time.perf_counter()
        with concurrent.futures.ThreadPoolExecutor(CONNECTIONS) as threads:
            parts = [images[number::CONNECTIONS] for number in range(CONNECTIONS)]
            list(threads.map(lambda part: upload(url, dataset, part), parts))
        while (counts := call(url, "GET", f"/datasets/{dataset}/uploads/summary"))["waiting"]:
            time.sleep(0.1)
        seconds = time.perf_counter() - began
        assert (counts["stored"], counts["undecodable"]) == (len(images), 0), counts
        return seconds


def fiftyone(python: str, folder: Path, source: Path, count: int) -> float:
    """Seconds of the same work, without the start of the program and of its database."""
    command = [python, "-c", PEER, str(source), str(folder / "thumbnails"), str(count)]
    environment = {"HOME": str(folder), "PATH": "/usr/local/bin:/usr/bin:/bin", "FIFTYONE_DO_NOT_TRACK": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])
    return float(done.stdout.split()[-1])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--peer", help="an interpreter that has fiftyone")
    options = parser.parse_args()
    count = options.images
    with tempfile.TemporaryDirectory() as work:
        source = Path(work) / "images"
        source.mkdir()
        write_images(source, count)
        ours = quadrat(Path(work), sorted(source.iterdir()))
        print(f"quadrat: {count} images in {ours:.1f} s, {count / ours:.0f} images/s", flush=True)
        if options.peer is None:
            return 0
        theirs = fiftyone(options.peer, Path(work), source, count)
        missed = theirs / ours < TIMES
        print(f"fiftyone: {theirs:.1f} s, {count / theirs:.0f} images/s; quadrat is {theirs / ours:.1f} times as fast "
              f"(aim: {TIMES}){'  MISSED' if missed else ''}")  # fmt: skip
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
