"""A lab at work with the areas-of-interest API: synthetic gaze whose statistics are known by brute force."""

import base64
import io
import math
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx2
import numpy as np
from PIL import Image

from quadrat.api.pupilcloud.app import PREFIX, create_app
from support.house import House, Person

WIDTH, HEIGHT = 400, 300
START_NS = 1_760_676_788_219_000_000
PERIOD_NS = 5_000_000


def png(pixels: np.ndarray) -> bytes:
    target = io.BytesIO()
    Image.fromarray(pixels).save(target, "PNG")
    return target.getvalue()


def data_url(inside: np.ndarray) -> str:
    pixels = np.zeros((*inside.shape, 4), np.uint8)
    pixels[inside] = (200, 30, 30, 255)
    return "data:image/png;base64," + base64.b64encode(png(pixels)).decode()


def rectangle(left: int, top: int, right: int, bottom: int) -> np.ndarray:
    inside = np.zeros((HEIGHT, WIDTH), bool)
    inside[top:bottom, left:right] = True
    return inside


def inside_at(inside: np.ndarray, x: float, y: float) -> bool:
    if not (0 <= x < WIDTH and 0 <= y < HEIGHT):
        return False
    height, width = inside.shape
    return bool(inside[math.floor(y * height / HEIGHT), math.floor(x * width / WIDTH)])


@dataclass
class Recording:
    """Gaze of one recording, as rows."""

    id: str = field(default_factory=lambda: str(uuid4()))
    section: str = field(default_factory=lambda: str(uuid4()))
    wearer: str = "Ada"
    samples: list[tuple[int, bool, float, float]] = field(default_factory=list)
    fixations: list[tuple[int, int, int, bool, float, float]] = field(default_factory=list)


def make_recording(seed: int, wearer: str = "Ada", *, n_samples: int = 600) -> Recording:
    """Half a second after its start the gaze begins; a fifth of it is unmapped, some of it off the image."""
    random = np.random.default_rng(seed)
    made = Recording(wearer=wearer)
    for number in range(n_samples):
        at = START_NS + 500_000_000 + number * PERIOD_NS
        x, y = (round(float(value), 3) for value in (random.uniform(-40, 440), random.uniform(-40, 340)))
        made.samples.append((at, bool(random.random() < 0.8), x, y))
    for number in range(n_samples // 50):
        start = START_NS + 500_000_000 + number * 50 * PERIOD_NS
        end = start + 200_000_000 + int(random.integers(0, 3_000_000))
        x, y = (round(float(value), 3) for value in (random.uniform(-20, 420), random.uniform(-20, 320)))
        made.fixations.append((number + 1, start, end, bool(random.random() < 0.8), x, y))
    return made


def expected(one: Recording, inside: np.ndarray) -> dict[str, Any]:
    """What statistics say of an area in a recording: the definitions, read one by one."""
    hits = [there and inside_at(inside, x, y) for _, _, _, there, x, y in one.fixations]
    on = [fixation for fixation, hit in zip(one.fixations, hits, strict=True) if hit]
    lengths = [math.floor((end - start) / 1e6 + 0.5) for _, start, end, *_ in on]
    gaze = [at for at, there, x, y in one.samples if there and inside_at(inside, x, y)]
    visits = sum(hit and not before for before, hit in zip([False, *hits], hits, strict=False))
    first = math.floor((on[0][1] - START_NS) / 1e6 + 0.5) if on else None
    return {
        "recording_id": one.id,
        "wearer_name": one.wearer,
        "total_fixations": len(on),
        "total_fixation_duration_ms": sum(lengths),
        "average_fixation_duration_ms": round(sum(lengths) / len(on), 3) if on else None,
        "time_to_first_fixation_ms": first,
        "time_to_first_fixation_from_section_ms": first,
        "first_fixation_duration_ms": lengths[0] if on else None,
        "visits": visits,
        "revisits": max(0, visits - 1),
        "gaze_samples": len(gaze),
        "total_gaze_duration_ms": len(gaze) * 5.0,
        "time_to_first_gaze_ms": math.floor((gaze[0] - START_NS) / 1e6 + 0.5) if gaze else None,
    }


def to_files(recordings: list[Recording]) -> dict[str, tuple[str, str]]:
    """A Reference Image Mapper download."""
    gaze = [
        "section id,recording id,timestamp [ns],gaze detected in reference image,"
        "gaze position in reference image x [px],gaze position in reference image y [px],fixation id,blink id"
    ]
    fixations = [
        "section id,recording id,fixation id,start timestamp [ns],end timestamp [ns],duration [ms],"
        "fixation detected in reference image,fixation x [px],fixation y [px]"
    ]
    sections = [
        "section id,recording id,recording name,wearer id,wearer name,section start time [ns],section end time [ns],"
        "start event name,end event name"
    ]
    for one in recordings:
        head = f"{one.section},{one.id}"
        for at, there, x, y in one.samples:
            position = f"{x},{y}" if there else ","
            gaze.append(f"{head},{at},{'true' if there else 'false'},{position},,")
        for number, start, end, there, x, y in one.fixations:
            length = (end - start) // 1_000_000
            fixations.append(f"{head},{number},{start},{end},{length},{'true' if there else 'false'},{x},{y}")
        end = one.samples[-1][0]
        sections.append(f"{head},rec {one.id[:4]},,{one.wearer},{START_NS},{end},recording.begin,recording.end")
    texts = {"gaze": gaze, "fixations": fixations, "sections": sections}
    return {part: (f"{part}.csv", "\n".join(lines) + "\n") for part, lines in texts.items()}


@dataclass
class Lab:
    """Someone's client with a project on a reference image.

    Args:
        at: Path of the enrichment.
    """

    house: House
    person: Person
    client: httpx2.AsyncClient
    workspace: str = ""
    project: str = ""
    markerless: str = ""
    enrichment: str = ""

    @property
    def at(self) -> str:
        return f"{self.place}/projects/{self.project}/enrichments/{self.enrichment}"

    @property
    def place(self) -> str:
        return f"/workspaces/{self.workspace}"

    def client_of(self, person: Person | None) -> httpx2.AsyncClient:
        return self.house.client_for(create_app, PREFIX, person)

    async def ask(self, method: str, path: str, status: int = 200, **options: Any) -> Any:
        """The result of a request that is answered with this status."""
        answer = await self.client.request(method, path, **options)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()["result" if status < 300 else "message"]

    async def upload(self, data: bytes) -> str:
        head = {"Tus-Resumable": "1.0.0", "Upload-Length": str(len(data)), "Upload-Metadata": "name cmVmLnBuZw=="}
        made = await self.ask("POST", f"{self.place}/files/", 201, headers=head)
        part = {"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
        sent = await self.client.patch(f"{self.place}/files/{made['id']}", headers=part, content=data)
        assert sent.status_code == 204, sent.text
        return str(made["id"])

    async def new_enrichment(self, kind: str = "slam-mapper", **args: str) -> str:
        body = {"name": "E", "from_event_name": "recording.begin", "to_event_name": "recording.end", "kind": kind}
        made = await self.ask("POST", f"{self.place}/projects/{self.project}/enrichments", json={**body, "args": args})
        return str(made["id"])

    async def load(self, files: Any, status: int = 201, **fields: str) -> Any:
        return await self.ask("POST", f"{self.at}/recordings:import", status, files=files, data=fields)

    async def draw(self, name: str, inside: np.ndarray, **fields: Any) -> Any:
        body = {"name": name, "enrichment_id": self.enrichment, "mask_image_data_url": data_url(inside)}
        return await self.ask("POST", f"{self.at}/aois", json={**body, **fields})

    async def statistics(self, **query: Any) -> Any:
        return await self.ask("GET", f"{self.at}/aois:stats", params=query)


async def set_up(house: House) -> Lab:
    person = await house.make_person()
    lab = Lab(house, person, house.client_for(create_app, PREFIX, person))
    lab.workspace = (await lab.ask("GET", "/auth/profile"))["default_workspace_id"]
    lab.project = (await lab.ask("POST", f"{lab.place}/projects/", json={"name": "Study"}))["id"]
    picture = await lab.upload(png(np.full((HEIGHT, WIDTH, 3), 200, np.uint8)))
    nobody = "00000000-0000-0000-0000-000000000000"
    plane = {"reference_image_id": picture, "scanning_recording_id": nobody}
    lab.markerless = (await lab.ask("POST", f"{lab.place}/markerless/", json=plane))["id"]
    lab.enrichment = await lab.new_enrichment(markerless_id=lab.markerless)
    return lab
