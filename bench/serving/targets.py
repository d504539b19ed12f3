"""Starts each server of the comparison with the same model: ``output = 2 * input``."""

import io
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
ENVIRONMENTS = ROOT / ".venvs" / "bench"
NUMBERS = [number / 7 for number in range(5300)]  # 100 KB as JSON
SMALL = json.dumps({"input": 21.123456789012345, "n": ""}).replace(', "n": ""', "").ljust(40)
BIG = json.dumps({"input": NUMBERS})
START_DEADLINE_S = 90
MODEL = """
import time
class Model:
    def request(self, data):
        {pause}
        given = data["input"]
        return {{"output": [item * 2 for item in given] if isinstance(given, list) else given * 2}}
"""


@dataclass(frozen=True, slots=True)
class Setup:
    """How the model is served."""

    instances: int = 1
    sleep_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers."""

    url: str
    bodies: Mapping[str, str]
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    urls: Mapping[str, str] = field(default_factory=dict)
    """Where a body does not go to `url`."""


BODIES = {"small": SMALL, "big": BIG}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def post(running: Running, body: str, timeout_s: float = 30) -> bytes:
    request = urllib.request.Request(running.url, body.encode(), dict(running.headers), method="POST")
    with urllib.request.urlopen(request, timeout=timeout_s) as answer:
        content: bytes = answer.read()
        return content


@contextmanager
def process(command: list[Any], folder: Path, cwd: Path = HERE, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / "log").open("wb") as log:
        child = subprocess.Popen(
            list(map(str, command)),
            cwd=cwd,
            env={**os.environ, **variables},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield child
    finally:
        child.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            child.wait(20)
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def ready(child: subprocess.Popen[bytes], running: Running, folder: Path) -> Running:
    """Return once the first request is answered."""
    deadline = time.monotonic() + START_DEADLINE_S
    while time.monotonic() < deadline:
        if child.poll() is not None:
            break
        try:
            post(running, running.bodies["small"])
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
        else:
            return running
    raise RuntimeError(f"did not start: {(folder / 'log').read_text(errors='replace')[-1500:]}")


def python_of(name: str) -> Path:
    python = ENVIRONMENTS / name / "bin" / "python"
    if not python.exists():
        raise RuntimeError(f"the environment of {name} is missing: make bench-peers")
    return python


def variables(setup: Setup, port: int) -> dict[str, str]:
    return {
        "BENCH_PORT": str(port),
        "BENCH_WORKERS": str(setup.instances),
        "BENCH_SLEEP_S": str(setup.sleep_s),
        "DO_NOT_TRACK": "1",
        "BENTOML_DO_NOT_TRACK": "true",
    }


def uvicorn(app: str, port: int) -> list[Any]:
    arguments = ["--port", port, "--no-access-log", "--log-level", "error", "--loop", "uvloop", "--http", "httptools"]
    return [sys.executable, "-m", "uvicorn", app, *arguments]


@contextmanager
def echo(setup: Setup, folder: Path) -> Iterator[Running]:
    if setup.sleep_s:
        raise RuntimeError("has no model")
    port = free_port()
    with process(uvicorn("echo:app", port), folder) as child:
        yield ready(child, Running(f"http://127.0.0.1:{port}/", BODIES), folder)


@contextmanager
def prototype(setup: Setup, folder: Path) -> Iterator[Running]:
    from quadrat.db.embedded import EmbeddedPostgres  # noqa: PLC0415 - of this target alone

    port, token = free_port(), secrets.token_hex(20)
    database = EmbeddedPostgres(folder / "data")
    (folder / "data").mkdir()
    database.start()
    try:
        chosen = {**variables(setup, port), "BENCH_TOKEN": token, "BENCH_DSN": database.url}
        with process(uvicorn("prototype:app", port), folder, **chosen) as child:
            headers = {"Content-Type": "application/json", "Authorization": f"Token {token}"}
            url = f"http://127.0.0.1:{port}/v2.1/projects/p/models/m/versions/v/request"
            yield ready(child, Running(url, BODIES, headers), folder)
    finally:
        database.stop()


class Api:
    """Quadrat's serving API."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self.headers = {"Content-Type": "application/json", "Authorization": f"Token {token}"}

    def call(self, method: str, path: str, body: Any = None) -> Any:
        data = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else None
        kind = {"Content-Type": "multipart/form-data; boundary=b"} if isinstance(body, bytes) else {}
        request = urllib.request.Request(self.url + path, data, {**self.headers, **kind}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{method} {path}: {error.code} {error.read()[:500]!r}") from error

    def deploy(self, model: str, source: str, kind: str, **settings: Any) -> str:
        """The path of a version that is available. One project `bench` holds all."""
        fields = {"input_fields": [{"name": "input", "data_type": kind}]}
        fields |= {"output_fields": [{"name": "output", "data_type": kind}]}
        form = {"name": model, "input_type": "structured", "output_type": "structured", **fields}
        self.call("POST", "/projects/bench/models", form)
        chosen = {"version": "v", "memory_allocation": 512, "maximum_instances": 1, **settings}
        self.call("POST", f"/projects/bench/models/{model}/versions", chosen)
        path = f"/projects/bench/models/{model}/versions/v"
        self.upload(path, source)
        return path

    def upload(self, path: str, source: str) -> None:
        """Upload a package and wait until it is available."""
        target = io.BytesIO()
        with zipfile.ZipFile(target, "w") as archive:
            archive.writestr("model_package/model.py", source)
        part = b'--b\r\nContent-Disposition: form-data; name="file"; filename="p.zip"\r\n\r\n'
        self.call("PUT", f"{path}/upload", part + target.getvalue() + b"\r\n--b--\r\n")
        deadline = time.monotonic() + START_DEADLINE_S
        while (status := self.call("GET", path)["status"]) != "available":
            if "failed" in status or time.monotonic() > deadline:
                raise RuntimeError(f"the version is {status}: {self.call('GET', path)['error_message']}")
            time.sleep(0.005)


@contextmanager
def serve(folder: Path, **more: str) -> Iterator[Api]:
    """A Quadrat as its users start it, with a project `bench`."""
    port, token = free_port(), secrets.token_hex(20)
    given = {"QUADRAT_ADMIN_EMAIL": "bench@example.org", "QUADRAT_ADMIN_PASSWORD": "Aa1!" + token}
    given |= {"QUADRAT_ADMIN_TOKEN": token, **more}
    command = [sys.executable, "-m", "quadrat.cli.main", "--data-dir", folder / "data", "serve", "--port", port]
    with process(command, folder, **given) as child:
        api = Api(f"http://127.0.0.1:{port}/v2.1", token)
        deadline = time.monotonic() + START_DEADLINE_S
        while True:
            try:
                api.call("GET", "/status")
                break
            except (urllib.error.URLError, ConnectionError):
                if child.poll() is not None or time.monotonic() > deadline:
                    log = (folder / "log").read_text(errors="replace")
                    raise RuntimeError(f"did not start: {log[-1500:]}") from None
                time.sleep(0.05)
        organization = {"name": "bench-lab", "subscription": "free", "subscription_agreed": True}
        api.call("POST", "/organizations", organization)
        api.call("POST", "/projects", {"name": "bench", "organization_name": "bench-lab"})
        yield api


@contextmanager
def quadrat(setup: Setup, folder: Path) -> Iterator[Running]:
    pause = f"time.sleep({setup.sleep_s})" if setup.sleep_s else "pass"
    counts = {"minimum_instances": setup.instances, "maximum_instances": setup.instances}
    with serve(folder) as api:
        small = api.deploy("small", MODEL.format(pause=pause), "double", **counts)
        running = Running(f"{api.url}{small}/request", {"small": SMALL}, api.headers)
        post(running, SMALL)
        if setup.sleep_s:
            yield running
            return
        big = api.deploy("big", MODEL.format(pause=pause), "array_double", **counts)
        post(Running(f"{api.url}{big}/request", {}, api.headers), BIG)
        yield Running(running.url, BODIES, api.headers, {"big": f"{api.url}{big}/request"})


@contextmanager
def litserve(setup: Setup, folder: Path) -> Iterator[Running]:
    port = free_port()
    command = [python_of("litserve"), "peers/litserve_server.py"]
    with process(command, folder, **variables(setup, port)) as child:
        yield ready(child, Running(f"http://127.0.0.1:{port}/predict", BODIES), folder)


@contextmanager
def mlserver(setup: Setup, folder: Path) -> Iterator[Running]:
    port, other, third = free_port(), free_port(), free_port()
    settings = {
        "host": "127.0.0.1",
        "http_port": port,
        "grpc_port": other,
        "metrics_port": third,
        "parallel_workers": setup.instances,
        "debug": False,
    }
    (folder / "settings.json").write_text(json.dumps(settings))
    model = {"name": "double", "implementation": "double.Double"}
    (folder / "model-settings.json").write_text(json.dumps(model))
    (folder / "double.py").write_text((HERE / "peers" / "mlserver" / "double.py").read_text())

    def body(values: list[float]) -> str:
        return json.dumps({"inputs": [{"name": "x", "shape": [len(values)], "datatype": "FP64", "data": values}]})

    command = [python_of("mlserver").with_name("mlserver"), "start", "."]
    more = variables(setup, port)
    with process(command, folder, cwd=folder, **more) as child:
        url = f"http://127.0.0.1:{port}/v2/models/double/infer"
        yield ready(child, Running(url, {"small": body([21.1]), "big": body(NUMBERS)}), folder)


@contextmanager
def bentoml(setup: Setup, folder: Path) -> Iterator[Running]:
    port = free_port()
    command = [python_of("bentoml").with_name("bentoml"), "serve", "bentoml_service:Double", "--port", port]
    more = {**variables(setup, port), "BENTOML_HOME": str(folder / "home")}
    with process(command, folder, cwd=HERE / "peers", **more) as child:
        yield ready(child, Running(f"http://127.0.0.1:{port}/predict", BODIES), folder)


@contextmanager
def cog(setup: Setup, folder: Path, source: str = "cog", concurrency: int = 1) -> Iterator[Running]:
    if setup.instances > 1:
        raise RuntimeError("has one instance")
    port = free_port()
    for file in (HERE / "peers" / source).glob("*.py"):
        (folder / file.name).write_bytes(file.read_bytes())
    settings = f"predict: predict.py:Predictor\nbuild:\n  python_version: '3.11'\nconcurrency:\n  max: {concurrency}\n"
    (folder / "cog.yaml").write_text(settings)
    command = [python_of("cog"), "-m", "cog.server.http", "--host", "127.0.0.1", "--threads", concurrency]
    bodies = {"small": json.dumps({"input": {"number": 21.1}}), "big": json.dumps({"input": {"text": str(NUMBERS)}})}
    # It starts its worker with whatever `python` it finds.
    path = f"{python_of('cog').parent}:{os.environ['PATH']}"
    more = {"PORT": str(port), "COG_PREDICT_TYPE_STUB": "predict.py:Predictor", "PATH": path}
    more["COG_MAX_CONCURRENCY"] = str(concurrency)
    with process(command, folder, cwd=folder, **variables(setup, port), **more) as child:
        yield ready(child, Running(f"http://127.0.0.1:{port}/predictions", bodies), folder)


@contextmanager
def cog_async(setup: Setup, folder: Path) -> Iterator[Running]:
    """As many requests at once as there are connections; a model that blocks would still run one at a time."""
    with cog(setup, folder, "cog_async", 64) as running:
        yield running


@contextmanager
def ray(setup: Setup, folder: Path) -> Iterator[Running]:
    port = free_port()
    more = {**variables(setup, port), "RAY_TMPDIR": "/tmp", "RAY_USAGE_STATS_ENABLED": "0"}
    with process([python_of("ray"), "peers/ray_serve.py"], folder, **more) as child:
        yield ready(child, Running(f"http://127.0.0.1:{port}/", BODIES), folder)


TARGETS: Mapping[str, Callable[[Setup, Path], AbstractContextManager[Running]]] = {
    "echo": echo,
    "prototype": prototype,
    "quadrat": quadrat,
    "litserve": litserve,
    "mlserver": mlserver,
    "bentoml": bentoml,
    "cog": cog,
    "cog-async": cog_async,
    "ray": ray,
}
