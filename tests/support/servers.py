"""Real servers and emulators that connectors write to, each in a process of its own."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx2
import pymysql
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

_START_S = 60


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(command: list[str | Path], answers: Callable[[], bool], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A server in a process of its own, from its first answer to the end of the block."""
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=folder, start_new_session=True)
    try:
        deadline = time.monotonic() + _START_S
        while not answers():
            assert process.poll() is None, (folder / "server.log").read_text()[-3000:]
            assert time.monotonic() < deadline, (folder / "server.log").read_text()[-3000:]
            time.sleep(0.05)
        yield process
    finally:
        process.kill()
        process.wait()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def speaks_http(url: str) -> bool:
    try:
        httpx2.get(url, timeout=5)
    except httpx2.TransportError:
        return False
    return True


@contextmanager
def moto(folder: Path) -> Iterator[str]:
    """S3 and Kinesis."""
    port = free_port()
    program = Path(sys.executable).with_name("moto_server")
    command = [program, "--host", "127.0.0.1", "--port", str(port)]
    with running(command, lambda: speaks_http(f"http://127.0.0.1:{port}/"), folder):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def azurite(folder: Path) -> Iterator[str]:
    """A connection string; the account and its key are the emulator's well-known ones."""
    port = free_port()
    command = ["azurite-blob", "--blobHost", "127.0.0.1", "--blobPort", str(port), "--inMemoryPersistence"]
    command += ["--skipApiVersionCheck", "--silent"]
    key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
    endpoint = f"http://127.0.0.1:{port}/devstoreaccount1"
    with running([*command], lambda: listens(port), folder):
        yield f"AccountName=devstoreaccount1;AccountKey={key};BlobEndpoint={endpoint};"


@dataclass
class MariaDb:
    """A MariaDB that can go away and come back."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def credentials(self) -> dict[str, str]:
        return {"username": "writer", "password": "pass%word", "host": "127.0.0.1", "port": str(self.port)}

    def start(self) -> None:
        socket_path = self.folder / "s"
        command = ["mariadbd", "--no-defaults", f"--datadir={self.folder / 'data'}", f"--socket={socket_path}"]
        command += [f"--port={self.port}", "--bind-address=127.0.0.1", "--innodb-flush-log-at-trx-commit=1"]
        if os.getuid() == 0:
            command.append("--user=root")
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + _START_S
        while not listens(self.port):
            assert self.process.poll() is None, (self.folder / "server.log").read_text()[-3000:]
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def run(self, *statements: str) -> list[tuple[Any, ...]]:
        conn = pymysql.connect(unix_socket=str(self.folder / "s"), user="root", autocommit=True)
        try:
            with conn.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
                return list(cursor.fetchall())
        finally:
            conn.close()


@contextmanager
def mariadb(folder: Path) -> Iterator[MariaDb]:
    server = MariaDb(folder, free_port())
    command = ["mariadb-install-db", "--no-defaults", f"--datadir={folder / 'data'}"]
    command += ["--auth-root-authentication-method=normal", "--skip-test-db"]
    if os.getuid() == 0:
        command.append("--user=root")
    subprocess.run(command, check=True, capture_output=True)
    server.start()
    server.run(
        "CREATE DATABASE target",
        "CREATE USER 'writer'@'%' IDENTIFIED BY 'pass%word'",
        "GRANT ALL ON target.* TO 'writer'@'%'",
    )
    try:
        yield server
    finally:
        server.kill()


def has(program: str) -> bool:
    return shutil.which(program) is not None


# BigQuery has no emulator in the registries; this speaks the documented wire format of the calls that are made.


@dataclass
class BigQuery:
    """Tables by their path, with rows as they came, by insert id."""

    url: str = ""
    columns: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    failures: list[int] = field(default_factory=list)
    """Statuses with which the next calls are answered."""

    def key_file(self) -> str:
        """Of a service account whose token comes from this server."""
        private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        return json.dumps(
            {
                "type": "service_account",
                "project_id": "p",
                "private_key_id": "1",
                "private_key": pem,
                "client_email": "robot@p.iam.gserviceaccount.com",
                "token_uri": f"{self.url}/token",
            }
        )

    def insert(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        columns = {item["name"]: item["type"] for item in self.columns[path]}
        errors = []
        for number, row in enumerate(body["rows"]):
            for name, value in row["json"].items():
                if name not in columns:
                    errors.append((number, name, "no such field"))
                elif columns[name] == "INTEGER" and isinstance(value, int) and abs(value) > 2**63:
                    errors.append((number, name, f"Cannot convert value to integer: {value}"))
        if errors:
            return {
                "insertErrors": [
                    {"index": number, "errors": [{"reason": "invalid", "location": name, "message": message}]}
                    for number, name, message in errors
                ]
            }
        self.rows.setdefault(path, {}).update({row["insertId"]: row["json"] for row in body["rows"]})
        return {}


@contextmanager
def bigquery() -> Iterator[BigQuery]:
    state = BigQuery()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_args: Any) -> None:
            return

        def answer(self, status: int, body: dict[str, Any]) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_GET(self) -> None:
            path = self.path.partition("?")[0].removeprefix("/bigquery/v2")
            if path not in state.columns:
                self.answer(404, {"error": {"code": 404, "message": f"Not found: Table {path}"}})
                return
            _, _, project, _, dataset, _, table = path.split("/")
            reference = {"projectId": project, "datasetId": dataset, "tableId": table}
            self.answer(200, {"tableReference": reference, "schema": {"fields": state.columns[path]}})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/token":
                self.answer(200, {"access_token": "t", "expires_in": 3600, "token_type": "Bearer"})
            elif state.failures:
                status = state.failures.pop(0)
                self.answer(status, {"error": {"code": status, "message": "try again"}})
            else:
                path = self.path.partition("?")[0].removeprefix("/bigquery/v2").removesuffix("/insertAll")
                self.answer(200, state.insert(path, json.loads(body)))

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
