"""Direct requests of callers who leave, and of servers that are told to stop."""

import io
import os
import signal
import subprocess
import sys
import tempfile
import threading
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

MODEL = """
import os, time

class Model:
    def request(self, data):
        folder, name = data.rsplit("/", 1)
        open(os.path.join(folder, f"{name}.{os.getpid()}.began"), "w").close()
        while not os.path.exists(os.path.join(folder, name + ".open")):
            time.sleep(0.01)
        return f"{name} through"
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """Models of any user write into it."""
    with tempfile.TemporaryDirectory(prefix="qs-") as made:
        Path(made).chmod(0o777)
        yield Path(made)


def deploy(server: Server, source: str = MODEL) -> str:
    """Address of a version with one instance."""
    organization = server.get("/v2.1/organizations").json()[0]["name"]
    server.post("/v2.1/projects", json={"name": "gated", "organization_name": organization})
    plain = {"name": "gate", "input_type": "plain", "output_type": "plain"}
    assert server.post("/v2.1/projects/gated/models", json=plain).status_code == 201
    at = "/v2.1/projects/gated/models/gate/versions"
    settings = {"version": "v1", "memory_allocation": 256, "maximum_instances": 1}
    assert server.post(at, json=settings).status_code == 201
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as package:
        package.writestr("model_package/model.py", source)
    files = {"file": ("package.zip", archive.getvalue(), "application/zip")}
    assert server.request("PUT", f"{at}/v1/upload", files=files).status_code == 200
    wait_for(lambda: server.get(f"{at}/v1").json()["status"] == "available", 60)
    return f"{at}/v1"


def began(folder: Path, name: str) -> bool:
    return bool(list(folder.glob(f"{name}.*.began")))


def hang_up_on(server: Server, at: str, data: str, seconds: float) -> None:
    with suppress(httpx2.TimeoutException):
        headers = {"Authorization": f"Token {ADMIN_TOKEN}"}
        httpx2.post(f"{server.url}{at}", json=data, headers=headers, timeout=seconds)
        raise AssertionError("the gate was shut, and yet there was an answer")


@pytest.mark.parametrize("way", ["model", pytest.param("pipeline", marks=pytest.mark.slow)])
def test_caller_who_hangs_up_frees_the_instance_and_is_in_the_request_log(
    serve: Callable[..., Server], folder: Path, way: str
):
    server = serve()
    at = deploy(server)
    asked = f"{at}/request"
    if way == "pipeline":
        line = "/v2.1/projects/gated/pipelines"
        server.post(line, json={"name": "line", "input_type": "plain"})
        reference = {"name": "one", "reference_type": "model", "reference_name": "gate", "version": "v1"}
        assert server.post(f"{line}/line/objects", json=reference).status_code == 201
        ends = {"source_name": "pipeline_start", "destination_name": "one", "mapping": []}
        assert server.post(f"{line}/line/attachments", json=ends).status_code == 201
        asked = f"{line}/line/request"
    (folder / "next.open").touch()
    hang_up_on(server, asked, f"{folder}/shut", 3.0)
    assert began(folder, "shut")
    answered = server.post(f"{at}/request?timeout=20", json=f"{folder}/next").json()
    assert (answered["success"], answered["result"]) == (True, "next through")
    url = psycopg_dsn(EmbeddedPostgres(server.data_dir.resolve()).url)
    with psycopg.connect(url, autocommit=True) as conn:

        def logged() -> Any:
            query = "SELECT id::text FROM serving.direct_request WHERE NOT success"
            return conn.execute(query).fetchall()

        ((request_id,),) = wait_for(logged)
    record = server.get(f"{at}/requests/{request_id}").json()
    assert (record["status"], record["batch"]) == ("failed", False)
    assert record["error_message"] == "The request was given up by its caller before it was answered."
    assert record["time_created"] < record["time_completed"]


def test_caller_who_hangs_up_while_waiting_is_never_run(serve: Callable[..., Server], folder: Path):
    server = serve()
    at = deploy(server)
    answers: list[Any] = []
    first = threading.Thread(target=lambda: answers.append(server.post(f"{at}/request", json=f"{folder}/first").json()))
    first.start()
    wait_for(lambda: began(folder, "first"))
    hang_up_on(server, f"{at}/request", f"{folder}/gone", 2.0)
    (folder / "last.open").touch()
    (folder / "first.open").touch()
    assert server.post(f"{at}/request", json=f"{folder}/last").json()["result"] == "last through"
    first.join(30)
    assert answers[0]["result"] == "first through"
    assert not began(folder, "gone")


def test_server_that_is_told_to_stop_answers_what_it_has_begun(serve: Callable[..., Server], folder: Path):
    server = serve()
    at = deploy(server)
    answers: list[Any] = []
    asking = threading.Thread(
        target=lambda: answers.append(server.post(f"{at}/request", json=f"{folder}/running").json())
    )
    asking.start()
    wait_for(lambda: began(folder, "running"))
    opening = threading.Timer(1.5, (folder / "running.open").touch)
    opening.start()
    assert server.stop(signal.SIGTERM) == 0
    asking.join(30)
    opening.join()
    assert (answers[0]["success"], answers[0]["result"]) == (True, "running through")
    assert not list((server.data_dir / "runner" / "run").iterdir()), "an instance has left its files"


FLEEING = """
import subprocess

class Model:
    def request(self, data):
        subprocess.Popen(["sleep", data], start_new_session=True)
        return data
"""


def sleepers(seconds: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.cmdline() == ["sleep", seconds] and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def test_what_fled_from_an_instance_ends_with_a_killed_server(serve: Callable[..., Server]):
    server = serve()
    at = deploy(server, FLEEING)
    seconds = f"{86_400 + os.getpid()}"
    assert server.post(f"{at}/request", json=seconds).json()["success"]
    wait_for(lambda: sleepers(seconds))
    server.kill()
    wait_for(lambda: not sleepers(seconds))


# Holds on to the directory of its instances for a while after the pipe to its worker has ended.
SLOW_TO_DIE = """
import fcntl, os, subprocess, sys, time

data, go = sys.argv[1:]
place = os.path.join(data, "runner", "run", f"{os.getpid()}-slow")
os.mkdir(place)
lock = os.open(os.path.join(place, "lock"), os.O_RDWR | os.O_CREAT)
fcntl.flock(lock, fcntl.LOCK_EX)
command = [sys.executable, "-m", "quadrat.cli.main", "--data-dir", data, "worker", "--stop-with-parent"]
worker = subprocess.Popen(command, stdin=subprocess.PIPE)
while not os.path.exists(go):
    time.sleep(0.02)
worker.stdin.close()
time.sleep(1)
os._exit(0)
"""


def test_what_a_server_left_that_takes_its_time_to_die_is_cleared_away(serve: Callable[..., Server], tmp_path: Path):
    server = serve()
    data = server.data_dir.resolve()
    with psycopg.connect(psycopg_dsn(EmbeddedPostgres(data).url), autocommit=True) as conn:

        def at_work() -> int:
            return int((conn.execute("SELECT count(*) FROM procrastinate_workers").fetchone() or (0,))[0])

        before = wait_for(at_work)
        dying = subprocess.Popen([sys.executable, "-c", SLOW_TO_DIE, str(data), str(tmp_path / "go")])
        left = data / "runner" / "run" / f"{dying.pid}-slow"
        wait_for(lambda: at_work() > before)
        assert left.is_dir()
        (tmp_path / "go").touch()
        assert dying.wait(30) == 0
        wait_for(lambda: not left.exists())
