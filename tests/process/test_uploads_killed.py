"""A server killed while images are sent to signed addresses keeps what it has answered, and asks for the rest alone."""

import io
import json
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Event
from typing import Any

import httpx2
import pytest
from PIL import Image

from support.server import ADMIN_TOKEN, Server, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SAMPLES = 1000
ANSWERED_AT_KILL = 400
AT_A_TIME = 16


def image(number: int, *, edition: int = 0) -> bytes:
    """A small picture that no other sample has, made long by what decoders pass over: 20 kB to 300 kB."""
    source = random.Random(f"{number}/{edition}")
    encoded = io.BytesIO()
    Image.frombytes("L", (16, 16), source.randbytes(256)).save(encoded, "PNG")
    return encoded.getvalue() + source.randbytes(source.randrange(20_000, 300_000))


class Uploader:
    """Sends images as the uploader of lightly does: an address each, then the bytes, several at a time."""

    def __init__(self, server: Server, dataset: str, cleanup: ExitStack) -> None:
        self.server = server
        limits = httpx2.Limits(max_connections=AT_A_TIME, max_keepalive_connections=AT_A_TIME)
        self.web = cleanup.enter_context(httpx2.Client(base_url=f"{server.url}/v1", timeout=60, limits=limits))
        self.dataset = dataset

    def ask(self, method: str, path: str, body: Any = None, **params: Any) -> Any:
        answer = self.web.request(method, path, json=body, params={"token": ADMIN_TOKEN, **params})
        assert answer.status_code in {200, 201}, answer.text
        return answer.json()

    def each(self, do: Callable[[int], Any], numbers: Iterable[int]) -> dict[int, Any]:
        wanted = list(numbers)
        with ThreadPoolExecutor(AT_A_TIME) as threads:
            return dict(zip(wanted, threads.map(do, wanted), strict=True))

    def address(self, sample: str) -> str:
        return str(self.ask("GET", f"/datasets/{self.dataset}/samples/{sample}/writeurl", isThumbnail=False))

    def states(self) -> dict[int, str]:
        """The state of each sample, by the number in its name."""
        listed = self.ask("GET", f"/datasets/{self.dataset}/uploads")
        return {int(one["fileName"].partition(".")[0]): one["state"] for one in listed}

    def bytes_of(self, sample: str) -> bytes:
        url = self.ask("GET", f"/datasets/{self.dataset}/samples/{sample}/readurl")
        answer = self.web.get(url)
        assert answer.status_code == 200, answer.text
        return answer.content

    def until_read(self) -> None:
        """Wait until all that came has been looked into."""
        wait_for(lambda: self.ask("GET", f"/datasets/{self.dataset}/uploads/summary")["waiting"] == 0, timeout_s=300)

    def check(self, made: dict[int, str], content: dict[int, bytes]) -> None:
        """The server's numbers are those of these images."""
        found = self.ask("GET", f"/datasets/{self.dataset}")
        samples = {one["id"]: one for one in self.ask("GET", f"/datasets/{self.dataset}/samples")}
        for number, one in content.items():
            assert samples[made[number]]["metaData"]["sizeInBytes"] == len(one), number
        assert (found["nSamples"], found["sizeInBytes"]) == (len(made), sum(map(len, content.values())))


def asked_of(server: Server, start: int) -> Counter[str]:
    """How often the server was asked for what, counted in its log from a position on."""
    found: Counter[str] = Counter()
    for line in server.log[start:].splitlines():
        entry = json.loads(line) if line.startswith("{") else {}
        if entry.get("event") == "request.finished":
            path = entry["path"]
            found[f"{entry['method']} {'/files' if path.startswith('/files/') else path.rpartition('/')[2]}"] += 1
    return found


@pytest.fixture
def cleanup() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def interrupted(uploader: Uploader, addresses: dict[int, str]) -> set[int]:
    """Send every image and kill the server in the middle; whose were answered."""
    answered: set[int] = set()
    enough = Event()

    def send(number: int) -> None:
        try:
            answer = uploader.web.put(addresses[number], content=image(number, edition=1))
        except httpx2.TransportError:
            return
        assert answer.status_code == 200, answer.text
        answered.add(number)
        if len(answered) >= ANSWERED_AT_KILL:
            enough.set()

    with ThreadPoolExecutor(1) as aside:
        run = aside.submit(uploader.each, send, addresses)
        assert enough.wait(300)
        uploader.server.kill()
        run.result()
    assert ANSWERED_AT_KILL <= len(answered) < SAMPLES
    return answered


def resume(uploader: Uploader, made: dict[int, str]) -> set[int]:
    """A run that asks what is missing and sends that; whose images it sent."""
    before = len(uploader.server.log)
    listed = uploader.ask("GET", f"/datasets/{uploader.dataset}/uploads", state="missing")
    missing = {int(one["fileName"].partition(".")[0]): one["sampleId"] for one in listed}
    assert missing.items() <= made.items()

    def send(number: int) -> int:
        address = uploader.address(missing[number])
        return uploader.web.put(address, content=image(number, edition=1)).status_code

    assert set(uploader.each(send, missing).values()) == {200}
    count = len(missing)
    asked = {"GET uploads": 1, "GET writeurl": count, "PUT /files": count}
    wait_for(lambda: asked_of(uploader.server, before) == asked)
    return set(missing)


def test_answered_uploads_survive_a_kill_and_the_next_run_sends_what_is_missing(
    serve: Callable[..., Server], cleanup: ExitStack
):
    server = serve()
    dataset = str(server.post("/v1/datasets", params={"token": ADMIN_TOKEN}, json={"name": "killed"}).json()["id"])
    first = Uploader(server, dataset, cleanup)
    samples = f"/datasets/{dataset}/samples"
    made = first.each(lambda number: first.ask("POST", samples, {"fileName": f"{number}.png"})["id"], range(SAMPLES))
    addresses = first.each(lambda number: first.address(made[number]), made)
    # Half of them have an image already, which the run replaces.
    replaced = set(range(0, SAMPLES, 2))
    old = first.each(lambda number: first.web.put(addresses[number], content=image(number)).status_code, replaced)
    assert set(old.values()) == {200}
    answered = interrupted(first, addresses)

    server = serve(server.data_dir)
    second = Uploader(server, dataset, cleanup)
    second.until_read()
    states = second.states()
    there = {number for number, state in states.items() if state == "stored"}
    missing = {number for number, state in states.items() if state == "missing"}
    assert there | missing == set(made)
    assert answered | replaced <= there
    content = second.each(lambda number: second.bytes_of(made[number]), there)
    second.check(made, content)
    for number in answered:
        assert content[number] == image(number, edition=1), number
    # What was sent and not answered is whole all the same, be it the image of before or the new one.
    for number in there - answered:
        assert content[number] in {image(number), image(number, edition=1)}, number

    assert resume(second, made) == missing
    second.until_read()
    second.check(made, content | {number: image(number, edition=1) for number in missing})
    # Nothing is left of what the killed server had begun to write.
    stored = server.data_dir / "store" / "samples"
    assert [path.name for path in stored.rglob("*#*")] == []
