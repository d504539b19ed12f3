"""Ten thousand batch requests while whatever works on them is killed at random: each ends once, with its own result."""

import io
import random
import sys
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import httpx2
import psutil
import psycopg
import pytest

from quadrat.db.embedded import EmbeddedPostgres
from quadrat.db.engine import psycopg_dsn
from support.server import Server, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
REQUESTS, AT_ONCE = 10_000, 250
MODEL = """
import time

class Model:
    def request(self, data):
        time.sleep(0.01)
        return {"square": data["number"] ** 2}
"""
FIELDS = {
    "input_type": "structured",
    "output_type": "structured",
    "input_fields": [{"name": "number", "data_type": "int"}],
    "output_fields": [{"name": "square", "data_type": "int"}],
}
COUNT_ENDS = """
CREATE TABLE public.ended (request_id uuid NOT NULL);
CREATE FUNCTION public.count_end() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN INSERT INTO public.ended VALUES (NEW.id); RETURN NULL; END';
CREATE TRIGGER count_end AFTER UPDATE ON serving.request FOR EACH ROW
    WHEN (NEW.state IN ('completed', 'failed')) EXECUTE FUNCTION public.count_end();
"""


def deploy(server: Server) -> str:
    """Address of a version that is available."""
    organization = server.get("/v2.1/organizations").json()[0]["name"]
    server.post("/v2.1/projects", json={"name": "killed", "organization_name": organization})
    assert server.post("/v2.1/projects/killed/models", json={"name": "square", **FIELDS}).status_code == 201
    at = "/v2.1/projects/killed/models/square/versions"
    settings = {"version": "v1", "memory_allocation": 256, "maximum_instances": 4}
    assert server.post(at, json=settings).status_code == 201
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as package:
        package.writestr("model_package/model.py", MODEL)
    files = {"file": ("package.zip", archive.getvalue(), "application/zip")}
    assert server.request("PUT", f"{at}/v1/upload", files=files).status_code == 200
    wait_for(lambda: server.get(f"{at}/v1").json()["status"] == "available", 120)
    return f"{at}/v1"


def instances_of(server: Server) -> list[psutil.Process]:
    found = []
    for child in psutil.Process(server.process.pid).children(recursive=True):
        with suppress(psutil.Error):
            if any("shim" in word for word in child.cmdline()):
                found.append(child)
    return found


class Killer:
    """Kills parts of a server, and starts again what does not come back by itself."""

    def __init__(self, serve: Callable[..., Server], server: Server, seed: int) -> None:
        self.server = server
        self._serve = serve
        self._random = random.Random(seed)
        self.killed: dict[str, int] = {"instance": 0, "worker": 0, "database": 0, "server": 0}

    def strike(self) -> None:
        (victim,) = self._random.choices(list(self.killed), weights=[12, 3, 1, 3])
        processes = {
            "instance": lambda: instances_of(self.server)[:1],
            "worker": lambda: [self.server.worker()],
            "database": self._database,
            "server": lambda: [psutil.Process(self.server.process.pid)],
        }[victim]()
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()
                self.killed[victim] += 1
        if victim == "server":
            self.server.kill()
            self.server = self._serve(self.server.data_dir)

    def _database(self) -> list[psutil.Process]:
        postmaster = self.server.postmaster()
        return [postmaster, *postmaster.children()]


def test_ten_thousand_requests_end_once_each_whatever_is_killed(serve: Callable[..., Server]):
    killer = Killer(serve, serve(), seed=10_000)
    at = deploy(killer.server)
    url = psycopg_dsn(EmbeddedPostgres(killer.server.data_dir.resolve()).url)
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(COUNT_ENDS)
    accepted: dict[str, int] = {}
    while len(accepted) < REQUESTS:
        numbers = range(len(accepted), len(accepted) + AT_ONCE)
        with suppress(httpx2.TransportError):
            answer = killer.server.post(f"{at}/request-batch", json=[{"number": number} for number in numbers])
            assert answer.status_code in {200, 503}, answer.text
            if answer.status_code == 200:
                accepted.update({item["id"]: number for item, number in zip(answer.json(), numbers, strict=True)})
        if len(accepted) % 2000 == 0:
            killer.strike()

    def ended() -> int | None:
        with suppress(psycopg.Error), psycopg.connect(url, autocommit=True) as conn:
            row = conn.execute("SELECT count(*) FROM serving.request WHERE state IN ('completed', 'failed')").fetchone()
            return row and int(row[0])
        return None

    # The next blow falls when some more have ended: at a moment that depends on nothing but the work.
    struck_at = -1
    while (count := wait_for(ended, 120)) < REQUESTS:
        if count >= struck_at + 150:
            struck_at = count
            killer.strike()
        assert killer.server.process.poll() is None
    sys.stderr.write(f"killed {killer.killed}\n")
    assert min(killer.killed[victim] for victim in ("instance", "worker", "server")) >= 3
    with psycopg.connect(url, autocommit=True) as conn:
        query = "SELECT id::text, state, convert_from(result, 'UTF8'), error_message FROM serving.request"
        found = {row[0]: row[1:] for row in conn.execute(query)}
        (twice,) = conn.execute("SELECT count(*) - count(DISTINCT request_id) FROM public.ended").fetchone() or ()
        (once,) = conn.execute("SELECT count(DISTINCT request_id) FROM public.ended").fetchone() or ()
    assert set(accepted) <= set(found)
    wrong = {
        id_: found[id_]
        for id_, number in accepted.items()
        if found[id_] != ("completed", f'{{"square":{number**2}}}', None)
    }
    assert wrong == {}
    assert (twice, once) == (0, len(found))
    # Nothing of the dead servers is left.
    wait_for(lambda: len(list((killer.server.data_dir / "runner" / "run").iterdir())) <= 2)
    assert {Path(entry).name.split("-")[0] for entry in (killer.server.data_dir / "runner" / "run").iterdir()} <= {
        str(killer.server.process.pid),
        str(killer.server.worker().pid),
    }
