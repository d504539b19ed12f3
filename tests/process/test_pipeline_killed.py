"""A pipeline whose server, models, database or worker are killed goes on from what was finished, large or small."""

import io
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2
import psutil
import psycopg
import pytest

from quadrat.db.embedded import EmbeddedPostgres
from quadrat.db.engine import psycopg_dsn
from support.server import ADMIN_TOKEN, Server, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
MIB = 1024**2
FOLDER_AND_NAME = 'folder, name = data.split("|")[0].rsplit("/", 1)'

# Two note their runs in files of the test, since what models leave goes with them; the second waits at a gate.
MODELS = {
    "first": f"""
import os

class Model:
    def request(self, data):
        {FOLDER_AND_NAME}
        with open(os.path.join(folder, "first"), "a") as runs:
            runs.write(name + "\\n")
        return data
""",
    "second": f"""
import os, time

class Model:
    def request(self, data):
        {FOLDER_AND_NAME}
        open(os.path.join(folder, f"{{name}}.{{os.getpid()}}.began"), "w").close()
        while not os.path.exists(os.path.join(folder, "open")):
            time.sleep(0.01)
        return data
""",
    "third": f"""
import os

class Model:
    def request(self, data):
        {FOLDER_AND_NAME}
        with open(os.path.join(folder, "third"), "a") as runs:
            runs.write(name + "\\n")
        return f"{{name}} {{len(data)}}"
""",
}


@pytest.fixture
def folder() -> Iterator[Path]:
    """Models of any user write into it."""
    with tempfile.TemporaryDirectory(prefix="qk-") as made:
        Path(made).chmod(0o777)
        for name in ("first", "third"):
            (Path(made) / name).touch()
            (Path(made) / name).chmod(0o666)
        yield Path(made)


def make_chain(server: Server) -> str:
    """Address of a pipeline with the three models behind each other."""
    organization = server.get("/v2.1/organizations").json()[0]["name"]
    server.post("/v2.1/projects", json={"name": "killed", "organization_name": organization})
    project, before = "/v2.1/projects/killed", "pipeline_start"
    assert server.post(f"{project}/pipelines", json={"name": "p", "input_type": "plain"}).status_code == 201
    for name, source in MODELS.items():
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as package:
            package.writestr("model_package/model.py", source)
        kinds = {"input_type": "plain", "output_type": "plain"}
        assert server.post(f"{project}/models", json={"name": name, **kinds}).status_code == 201
        at = f"{project}/models/{name}/versions"
        # The gate is narrow: what waits before it is claimed and holds no instance.
        settings = {"version": "v1", "memory_allocation": 512, "maximum_instances": 2}
        assert server.post(at, json=settings).status_code == 201
        files = {"file": ("package.zip", archive.getvalue(), "application/zip")}
        assert server.request("PUT", f"{at}/v1/upload", files=files).status_code == 200
        wait_for(lambda at=at: server.get(f"{at}/v1").json()["status"] == "available", 120)
        reference = {"name": name, "reference_type": "model", "reference_name": name, "version": "v1"}
        assert server.post(f"{project}/pipelines/p/objects", json=reference).status_code == 201
        ends = {"source_name": before, "destination_name": name, "mapping": []}
        assert server.post(f"{project}/pipelines/p/attachments", json=ends).status_code == 201
        before = name
    return f"{project}/pipelines/p"


def models_of(server: Server) -> list[psutil.Process]:
    return [child for child in psutil.Process(server.process.pid).children(recursive=True) if _has_shim(child)]


def victims_of(server: Server, victim: str) -> list[psutil.Process]:
    """The processes to kill, but for the server itself."""
    postmaster = server.postmaster()
    found = {
        "server": [],
        "models": models_of(server),
        "database": [postmaster, *postmaster.children()],
        "worker": [server.worker()],
    }
    assert found["models"]
    return found[victim] if victim in found else [process for some in found.values() for process in some]


def _has_shim(process: psutil.Process) -> bool:
    try:
        return any("shim" in word for word in process.cmdline())
    except psutil.Error:
        return False


@pytest.mark.parametrize("victim", ["server", "models", "database", "worker", "everything"])
def test_finished_objects_are_not_run_again_whatever_is_killed(serve: Callable[..., Server], folder: Path, victim: str):
    server = serve()
    at = make_chain(server)
    sizes = [0, 1, 300_000, 20 * MIB, 100, 300_000, 2, MIB]
    items = [f"{folder}/item-{number}|{'x' * size}" for number, size in enumerate(sizes)]
    ids = [item["id"] for item in server.post(f"{at}/request-batch", json=items).json()]

    url = psycopg_dsn(EmbeddedPostgres(server.data_dir.resolve()).url)
    with psycopg.connect(url, autocommit=True) as conn:

        def recorded() -> bool:
            query = "SELECT count(*) FROM serving.pipeline_run WHERE object_name = 'first'"
            return conn.execute(query).fetchone() == (len(items),)

        wait_for(recorded)
        inline = conn.execute("SELECT max(octet_length(data)), max(octet_length(result)) FROM serving.pipeline_run")
        assert max(inline.fetchone() or ()) < 256 * 1024
    wait_for(lambda: len({path.name.split(".")[0] for path in folder.glob("*.began")}) >= 2)

    for process in victims_of(server, victim):
        with suppress(psutil.NoSuchProcess):  # a part of the database that has noticed the end of the rest
            process.kill()
    if victim in {"server", "everything"}:
        server.kill()
        server = serve(server.data_dir)
    (folder / "open").touch()

    def ended() -> list[dict[str, Any]] | None:
        try:
            answer = server.post(f"{at}/request-batch-collect", json=ids)
        except httpx2.TransportError:
            return None
        found = answer.json() if answer.status_code == 200 else []
        return found if found and all(item["status"] in {"completed", "failed"} for item in found) else None

    found = {item["id"]: item for item in wait_for(ended, 150)}
    for number, id_ in enumerate(ids):
        item = found[id_]
        assert (item["status"], item["error_message"]) == ("completed", None)
        assert item["request_data"] == {"data": items[number]}
        assert [run["pipeline_object"] for run in item["model_requests"]] == list(MODELS)
        results = [run["result"] for run in item["model_requests"]]
        assert results == [items[number], items[number], f"item-{number} {len(items[number])}"]
    for name in ("first", "third"):
        runs = (folder / name).read_text().split()
        assert sorted(runs) == [f"item-{number}" for number in range(len(items))], name


def test_request_above_the_limit_is_refused_with_a_sentence(serve: Callable[..., Server]):
    server = serve()
    at = make_chain(server)
    limit = 100 * MIB
    headers = {"Authorization": f"Token {ADMIN_TOKEN}", "Content-Type": "text/plain"}
    for way in ("request", "request-batch"):
        pieces = (b"x" * MIB for _ in range(101))
        refused = httpx2.post(f"{server.url}{at}/{way}", content=pieces, headers=headers, timeout=60)
        assert (refused.status_code, set(refused.json())) == (413, {"error"})
        assert refused.json()["error"] == f"A request body may have at most {limit} bytes."
    accepted = httpx2.post(f"{server.url}{at}/request-batch", content=b"x" * limit, headers=headers, timeout=60)
    assert accepted.status_code == 200, accepted.text
    # The first model finds no name in it and fails: the request ends, and says so.
    address = f"{at}/request-batch/{accepted.json()[0]['id']}"
    wait_for(lambda: server.get(address).json()["status"] == "failed", 120)
    assert server.get(address).json()["request_data"] == {"data": "x" * limit}
