"""The second act: a real eye-tracking recording in, three areas drawn, statistics and a heatmap out.

Speaks to the server as the areas-of-interest API's clients do, over plain HTTP.
"""

import argparse
import base64
import io
import os
import time
from pathlib import Path
from typing import Any

import urllib3
from PIL import Image, ImageDraw
from rich.console import Console
from rich.table import Table

SAMPLE = Path(__file__).parent / "gaze_sample"
WIDTH, HEIGHT = 1600, 1200
console = Console()


class Gaze:
    """The areas-of-interest API of the caller's own workspace."""

    def __init__(self, url: str, token: str) -> None:
        self._root = f"{url}/v2/workspaces/default"
        self._headers = {"api-key": token}
        self._web = urllib3.PoolManager()

    def ask(self, method: str, path: str, **options: Any) -> Any:
        """The result of one request."""
        options["headers"] = {**self._headers, **options.get("headers", {})}
        answer = self._web.request(method, path if "://" in path else self._root + path, **options)
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {answer.data!r}")
        is_json = answer.headers.get("content-type", "").startswith("application/json")
        return answer.json()["result"] if is_json else answer.data

    def upload(self, path: Path) -> str:
        """A file, in two parts as after an interruption; returns its id."""
        data = path.read_bytes()
        name = base64.b64encode(path.name.encode()).decode()
        tus = {"Tus-Resumable": "1.0.0"}
        made = self.ask(
            "POST", "/files/", headers={**tus, "Upload-Length": str(len(data)), "Upload-Metadata": f"name {name}"}
        )
        for offset in (0, len(data) // 2):
            part = data[offset : len(data) // 2 if offset == 0 else None]
            headers = {**tus, "Content-Type": "application/offset+octet-stream", "Upload-Offset": str(offset)}
            self.ask("PATCH", made["upload_url"], body=part, headers=headers)
        return str(made["id"])

    def create_enrichment(self) -> str:
        """A project with an enrichment on the reference image; returns its path."""
        project = self.ask("POST", "/projects/", json={"name": "Looking at a grid"})
        file = self.upload(SAMPLE / "reference_image.png")
        nobody = "00000000-0000-0000-0000-000000000000"
        plane = self.ask("POST", "/markerless/", json={"reference_image_id": file, "scanning_recording_id": nobody})
        body = {
            "name": "Grid",
            "kind": "slam-mapper",
            "from_event_name": "recording.begin",
            "to_event_name": "recording.end",
            "args": {"markerless_id": plane["id"]},
        }
        made = self.ask("POST", f"/projects/{project['id']}/enrichments", json=body)
        return f"/projects/{project['id']}/enrichments/{made['id']}"

    def import_recording(self, enrichment: str) -> Any:
        """The sample's files."""
        files = {
            part: (f"{part}.csv", (SAMPLE / f"{part}.csv").read_bytes()) for part in ("gaze", "fixations", "sections")
        }
        return self.ask("POST", f"{enrichment}/recordings:import", fields=files)


def masks() -> list[tuple[str, str, Image.Image]]:
    """Three areas that overlap: a ring with a hole, the left half, an ellipse. Name, colour, mask."""
    ring = Image.new("L", (WIDTH, HEIGHT))
    draw = ImageDraw.Draw(ring)
    draw.rectangle((450, 350, 1150, 950), fill=255)
    draw.rectangle((650, 550, 950, 750), fill=0)
    # A mask may be smaller than the image.
    left = Image.new("L", (WIDTH // 4, HEIGHT // 4))
    ImageDraw.Draw(left).rectangle((0, 0, WIDTH // 8, HEIGHT // 4), fill=255)
    ellipse = Image.new("L", (WIDTH, HEIGHT))
    ImageDraw.Draw(ellipse).ellipse((700, 200, 1500, 700), fill=255)
    return [("Ring", "#32CD32", ring), ("Left half", "#1E90FF", left), ("Upper right", "#FF6347", ellipse)]


def data_url(mask: Image.Image) -> str:
    """A mask as clients send it."""
    png = io.BytesIO()
    mask.save(png, "PNG")
    return "data:image/png;base64," + base64.b64encode(png.getvalue()).decode()


def tell(statistics: Any) -> None:
    """Print the numbers that are published."""
    table = Table(title="Areas of interest")
    for title in ("area", "share", "fixations", "mean", "first after", "visits", "gaze"):
        table.add_column(title)
    for aoi, metrics in zip(statistics["aois"], statistics["metrics"], strict=True):
        first = metrics["time_to_first_fixation_ms"]
        table.add_row(
            aoi["aoi_name"],
            f"{aoi['area_share']:.1%}",
            str(metrics["total_fixations"]),
            "" if first is None else f"{metrics['average_fixation_duration_ms']:.0f} ms",
            "" if first is None else f"{first} ms",
            str(metrics["visits"]),
            f"{metrics['total_gaze_duration_ms']:.0f} ms",
        )
    console.print(table)
    coverage = statistics["coverage"][0]
    console.print(f"{coverage['mapped_samples']} of {coverage['expected_samples']} expected samples were mapped.")


def main() -> None:
    """Run all steps."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--heatmap", type=Path, required=True)
    options = parser.parse_args()
    gaze = Gaze(options.url, os.environ["QUADRAT_DEMO_TOKEN"])
    began = time.monotonic()
    enrichment = gaze.create_enrichment()
    imported = gaze.import_recording(enrichment)
    for name, color, mask in masks():
        body = {"name": name, "color": color, "mask_image_data_url": data_url(mask)}
        gaze.ask("POST", f"{enrichment}/aois", json={**body, "enrichment_id": enrichment.rpartition("/")[2]})
    tell(gaze.ask("GET", f"{enrichment}/aois:stats"))
    project = enrichment.split("/")[2]
    where = {"project_id": project, "enrichment_id": enrichment.rpartition("/")[2], "width": "800"}
    options.heatmap.write_bytes(gaze.ask("GET", "/heatmap/", fields=where))
    took = time.monotonic() - began
    console.print(
        f"{imported['gaze_samples']} gaze samples and {imported['fixations']} fixations of a real recording in, "
        f"numbers and a heatmap out in {took:.1f} s: {options.heatmap}"
    )


if __name__ == "__main__":
    main()
