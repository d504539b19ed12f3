"""The digits as an object set: an archive with measured features, imported over the object-set API."""

import io
import json
import time
import zipfile
from typing import Any

import urllib3
from PIL import Image
from rich.progress import Progress

TIMEOUT_S = 90
POLL_S = 0.1
FEATURES = ("ink", "mean", "width", "height", "center_x", "center_y", "symmetry")
Digit = tuple[str, bytes, int]


def measure(png: bytes) -> dict[str, float]:
    """What a microscope's software would measure: how much ink there is, and where."""
    with Image.open(io.BytesIO(png)) as image:
        width, height = image.size
        grey = list(image.convert("L").tobytes())
    rows = [grey[start : start + width] for start in range(0, width * height, width)]
    total = sum(grey) or 1
    inked = [(x, y) for y, row in enumerate(rows) for x, value in enumerate(row) if value > 64]
    across, down = [x for x, _ in inked] or [0], [y for _, y in inked] or [0]
    mirrored = sum(abs(value - other) for row in rows for value, other in zip(row, reversed(row), strict=True))
    return {
        "ink": float(len(inked)),
        "mean": total / len(grey),
        "width": float(max(across) - min(across) + 1),
        "height": float(max(down) - min(down) + 1),
        "center_x": sum(x * value for row in rows for x, value in enumerate(row)) / total,
        "center_y": sum(y * value for y, row in enumerate(rows) for value in row) / total,
        "symmetry": 1 - mirrored / (2 * total),
    }


def write_archive(images: list[Digit], validated: int) -> bytes:
    """A zip with an index file; the first ones come with their labels, validated."""
    names = ["object_id", "img_file_name", "sample_id", "acq_id", "process_id"]
    names += ["object_annotation_status", "object_annotation_category", *(f"object_{name}" for name in FEATURES)]
    types = ["[t]"] * 7 + ["[f]"] * len(FEATURES)
    lines = [names, types]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for place, (name, png, label) in enumerate(images):
            known = ["validated", str(label)] if place < validated else ["", ""]
            features = measure(png)
            parents = ["digits", "scan", "none"]
            lines.append([name.removesuffix(".png"), name, *parents, *known, *(f"{features[f]:.5g}" for f in FEATURES)])
            archive.writestr(name, png)
        archive.writestr("ecotaxa_digits.tsv", "".join("\t".join(line) + "\n" for line in lines))
    return packed.getvalue()


class ObjectSet:
    """A project as an object set, over HTTP as any script would speak to it."""

    def __init__(self, url: str, token: str) -> None:
        self.address = f"{url}/api"
        self.web = urllib3.PoolManager()
        self.headers = {"Authorization": f"Bearer {token}"}
        self.project_id = 0

    def ask(self, method: str, path: str, **options: Any) -> Any:
        """One request; its JSON answer."""
        answer = self.web.request(method, self.address + path, headers=self.headers, **options)
        if answer.status != 200:
            raise RuntimeError(f"{method} {path}: {answer.status} {answer.data!r}")
        return json.loads(answer.data)

    def post(self, path: str, body: Any) -> Any:
        """One request with a JSON body."""
        headers = {**self.headers, "Content-Type": "application/json"}
        answer = self.web.request("POST", self.address + path, headers=headers, body=json.dumps(body))
        if answer.status != 200:
            raise RuntimeError(f"POST {path}: {answer.status} {answer.data!r}")
        return json.loads(answer.data)

    def load(self, archive: bytes) -> None:
        """A new project with what is in the archive."""
        self.project_id = self.post("/projects/create", {"title": "Handwritten digits", "instrument": "scanner"})
        path = self.ask("POST", "/my_files/", fields={"file": ("digits.zip", archive, "application/zip")})
        self.done(self.post(f"/file_import/{self.project_id}", {"source_path": path})["job_id"])

    def done(self, job_id: int) -> Any:
        """The job, once it has finished."""
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            job = self.ask("GET", f"/jobs/{job_id}/")
            if job["state"] == "F":
                return job
            if job["state"] in "EA":
                raise RuntimeError(
                    f"{job['type']} ended with {job['progress_msg']}: {job['errors'][:3]} {job['question']}"
                )
            if time.monotonic() > deadline:
                raise RuntimeError(f"{job['type']} is still at {job['progress_msg']} after {TIMEOUT_S} s")
            time.sleep(POLL_S)

    def load_checked(self, images: list[Digit], validated: int, progress: Progress) -> None:
        """Images with their measures, the first ones validated; and a look whether all are there."""
        task = progress.add_task("Importing them as objects", total=len(images))
        self.load(write_archive(images, validated))
        progress.update(task, completed=len(images))
        if self.counts() != (len(images), validated):
            raise RuntimeError(f"The object set has {self.counts()} objects and validated ones")

    def counts(self) -> tuple[int, int]:
        """All objects, and the validated ones."""
        found = self.post(f"/object_set/{self.project_id}/summary?only_total=false", {})
        return found["total_objects"], found["validated_objects"]
