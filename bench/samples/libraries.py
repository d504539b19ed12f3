"""Which image library: the same work by Pillow, libvips and OpenCV, on huge and on small JPEGs.

The work is what the server does for each stored image: the numbers of a sample (mean, deviation, sums, sharpness) and
a thumbnail of 128 pixels as WebP. The libraries are no dependencies of Quadrat, so run it in an environment that has
all three:

    uv run --no-project --with pillow --with 'pyvips[binary]' --with opencv-python-headless \
        bench/samples/libraries.py
"""

import argparse
import io
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

LIBRARIES = ("pillow", "pyvips", "opencv")


def from_histograms(counts: list[list[int]], pixels: int, grey: list[int]) -> dict[str, Any]:
    """Numbers of a sample from 256 counts per channel and those of the filtered grey image."""
    sums = [sum(value * count for value, count in enumerate(channel)) / 255 for channel in counts]
    squares = [sum(value * value * count for value, count in enumerate(channel)) / 65025 for channel in counts]
    mean = sum(value * count for value, count in enumerate(grey)) / pixels
    variance = sum(value * value * count for value, count in enumerate(grey)) / pixels - mean * mean
    return {"sumOfValues": sums, "sumOfSquares": squares, "sharpness": variance**0.5}


def with_pillow() -> Callable[[Path], dict[str, Any]]:
    from PIL import Image, ImageFilter  # noqa: PLC0415 - one library per process

    edges = ImageFilter.Kernel((3, 3), (-1, -1, -1, -1, 8, -1, -1, -1, -1), scale=1)

    def measure(path: Path) -> dict[str, Any]:
        image = Image.open(path)
        image.load()
        counts = image.histogram()
        grey = [0] * 256
        # In strips, so that only the picture itself is in memory as a whole.
        for top in range(0, image.height, 256):
            strip = image.crop((0, max(top - 1, 0), image.width, min(top + 257, image.height)))
            inner = strip.convert("L").filter(edges).crop((0, top and 1, image.width, min(256, image.height - top)))
            grey = [a + b for a, b in zip(grey, inner.histogram(), strict=True)]
        small = image.reduce(max(1, max(image.size) // 384))
        small.thumbnail((128, 128), Image.Resampling.LANCZOS)
        small.save(io.BytesIO(), "WEBP", quality=90, method=2)
        pixels = sum(grey)
        return from_histograms([counts[0:256], counts[256:512], counts[512:768]], pixels, grey)

    return measure


def with_pyvips() -> Callable[[Path], dict[str, Any]]:
    import pyvips  # noqa: PLC0415 - one library per process

    pyvips.cache_set_max(0)
    edges = pyvips.Image.new_from_array([[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]])

    def measure(path: Path) -> dict[str, Any]:
        # One pass over the file for all numbers, then the thumbnail from a decoder that shrinks while it reads.
        image = pyvips.Image.new_from_file(str(path), access="sequential")
        luma = (image * [0.299, 0.587, 0.114]).bandmean() * 3
        filtered = luma.cast("uchar").conv(edges, precision="integer").cast("uchar")
        table = image.bandjoin(filtered).hist_find()
        rows = [[int(count) for count in table.extract_band(band).tolist()[0]] for band in range(4)]
        pyvips.Image.thumbnail(str(path), 128, size="down").webpsave_buffer(Q=90)
        return from_histograms(rows[:3], sum(rows[3]), rows[3])

    return measure


def with_opencv() -> Callable[[Path], dict[str, Any]]:
    import cv2  # noqa: PLC0415 - one library per process
    import numpy as np  # noqa: PLC0415 - comes with it

    cv2.setNumThreads(1)
    edges = np.array([[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]], np.float32)

    def measure(path: Path) -> dict[str, Any]:
        image = cv2.imread(str(path), cv2.IMREAD_COLOR)
        counts = [cv2.calcHist([image], [band], None, [256], [0, 256]).ravel().tolist() for band in (2, 1, 0)]
        filtered = cv2.filter2D(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.CV_8U, edges)
        grey = cv2.calcHist([filtered], [0], None, [256], [0, 256]).ravel().tolist()
        scale = 128 / max(image.shape[:2])
        small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        cv2.imencode(".webp", small, [cv2.IMWRITE_WEBP_QUALITY, 90])
        return from_histograms(counts, sum(grey), grey)

    return measure


MEASURES = {"pillow": with_pillow, "pyvips": with_pyvips, "opencv": with_opencv}


def child(library: str, folder: Path) -> None:
    """Measure every image of a folder, and this process."""
    measure = MEASURES[library]()
    paths = sorted(folder.iterdir())
    before = resource.getrusage(resource.RUSAGE_SELF)
    start = time.perf_counter()
    found = [measure(path) for path in paths]
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    # The peak of getrusage would include that of the process which started this one.
    status = Path("/proc/self/status").read_text()
    peak_kib = int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])
    print(json.dumps({"s": seconds, "cpu_s": cpu, "peak_mib": peak_kib / 1024, "first": found[0]}))


def make_images(folder: Path, count: int, size: tuple[int, int]) -> None:
    from PIL import Image  # noqa: PLC0415 - not in the measured processes

    folder.mkdir()
    base = Image.effect_noise((size[0] // 8, size[1] // 8), 80).resize(size, Image.Resampling.BICUBIC)
    image = Image.merge("RGB", [base, base.rotate(90).resize(size), base.rotate(180)])
    encoded = io.BytesIO()
    image.save(encoded, "JPEG", quality=90)
    for number in range(count):
        (folder / f"{number:05}.jpg").write_bytes(encoded.getvalue())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", type=int, default=10_000)
    parser.add_argument("--huge", type=int, default=3)
    parser.add_argument("--child", nargs=2)
    options = parser.parse_args()
    if options.child:
        child(options.child[0], Path(options.child[1]))
        return
    with tempfile.TemporaryDirectory() as work:
        sets = {"8000 x 6000": (options.huge, (8000, 6000)), "320 x 240": (options.small, (320, 240))}
        for name, (count, size) in sets.items():
            folder = Path(work) / name.replace(" ", "")
            make_images(folder, count, size)
            print(f"{count} JPEG of {name}, {statistics.mean(p.stat().st_size for p in folder.iterdir()):.0f} bytes")
            for library in LIBRARIES:
                command = [sys.executable, __file__, "--child", library, str(folder)]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                got = json.loads(done.stdout)
                print(
                    f"  {library:8} {count / got['s']:8.2f} images/s  {got['cpu_s'] / count * 1000:8.1f} ms CPU each  "
                    f"{got['peak_mib']:6.0f} MiB peak  sharpness {got['first']['sharpness']:.4f}"
                )


if __name__ == "__main__":
    main()
