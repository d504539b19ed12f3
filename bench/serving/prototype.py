"""The whole way of a direct request and nothing else: what Quadrat's own hot path is measured against.

Token, cached route, field check, raw body to an isolated worker over a pipelined Unix socket, envelope, and a log row
by COPY every 250 ms. It has no second user, no second model, no timeouts, no crash handling, no metrics.

Usage: BENCH_WORKERS=1 BENCH_SLEEP_S=0 BENCH_DSN=postgresql://... uvicorn prototype:app
"""

import asyncio
import os
import socket
import struct
import subprocess
import sys
import time
from contextlib import suppress
from hashlib import sha256
from typing import Any
from uuid import UUID

import msgspec
import psycopg

TOKEN = os.environ.get("BENCH_TOKEN", "0" * 40)
WORKERS = int(os.environ.get("BENCH_WORKERS", "1"))
SLEEP_S = float(os.environ.get("BENCH_SLEEP_S", "0"))
FRAME = struct.Struct(">IQ")
DEPTH = 64 if not SLEEP_S else 1

WORKER = """
import socket, struct, sys, time
import msgspec
FRAME = struct.Struct(">IQ")
line = socket.socket(fileno=int(sys.argv[1]))
pause = float(sys.argv[2])
decode, encode = msgspec.json.Decoder().decode, msgspec.json.Encoder().encode
buffer = bytearray()
while True:
    data = line.recv(262144)
    if not data:
        break
    buffer += data
    position, answers = 0, []
    while len(buffer) - position >= 12:
        length, number = FRAME.unpack_from(buffer, position)
        if len(buffer) - position - 12 < length:
            break
        value = decode(bytes(buffer[position + 12 : position + 12 + length]))
        position += 12 + length
        if pause:
            time.sleep(pause)
        given = value["input"]
        answer = encode({"output": [x * 2 for x in given] if isinstance(given, list) else given * 2})
        line.sendall(FRAME.pack(len(answer), number) + answer)
    del buffer[:position]
"""


class Line(asyncio.Protocol):
    """One worker."""

    def __init__(self) -> None:
        self.pending: dict[int, asyncio.Future[bytes]] = {}
        self.transport: Any = None
        self._buffer = bytearray()
        self._out: list[bytes] = []
        self._number = 0
        near, far = socket.socketpair()
        near.setblocking(False)
        self.near = near
        arguments = [sys.executable, "-S", "-c", "import site; site.main()\n" + WORKER, str(far.fileno()), str(SLEEP_S)]
        self.process = subprocess.Popen(arguments, pass_fds=[far.fileno()])
        far.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def send(self, data: bytes) -> "asyncio.Future[bytes]":
        loop = asyncio.get_running_loop()
        self._number += 1
        future: asyncio.Future[bytes] = loop.create_future()
        self.pending[self._number] = future
        if not self._out:
            loop.call_soon(self._flush)
        self._out.append(FRAME.pack(len(data), self._number))
        self._out.append(data)
        return future

    def _flush(self) -> None:
        self.transport.write(b"".join(self._out))
        self._out.clear()

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        position = 0
        while len(buffer) - position >= FRAME.size:
            length, number = FRAME.unpack_from(buffer, position)
            start = position + FRAME.size
            if len(buffer) - start < length:
                break
            position = start + length
            self.pending.pop(number).set_result(bytes(buffer[start:position]))
        del buffer[:position]


class Prototype:
    """State of the process."""

    def __init__(self) -> None:
        self.tokens = {sha256(TOKEN.encode()).digest(): ("ada", frozenset({"models.versions.requests.create"}))}
        self.routes = {"/v2.1/projects/p/models/m/versions/v/request": {"input": (int, float, list)}}
        self.lines: list[Line] = []
        self.free: asyncio.Semaphore | None = None
        self.rows: list[tuple[UUID, float, float, int]] = []
        self.decode = msgspec.json.Decoder().decode
        self.writer: asyncio.Task[None] | None = None

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self.lines = [Line() for _ in range(WORKERS)]
        for line in self.lines:
            await loop.create_unix_connection(lambda line=line: line, sock=line.near)
        self.free = asyncio.Semaphore(DEPTH * WORKERS)
        self.writer = asyncio.create_task(self.write_often())

    async def write_often(self) -> None:
        async with await psycopg.AsyncConnection.connect(os.environ["BENCH_DSN"], autocommit=True) as connection:
            await connection.execute(
                "CREATE TABLE IF NOT EXISTS prototype (id uuid PRIMARY KEY, began float8, took float8, size int8)"
            )
            while True:
                await asyncio.sleep(0.25)
                rows, self.rows = self.rows, []
                if rows:
                    statement = "COPY prototype FROM STDIN (FORMAT BINARY)"
                    async with connection.cursor() as cursor, cursor.copy(statement) as copy:
                        copy.set_types(["uuid", "float8", "float8", "int8"])
                        for row in rows:
                            await copy.write_row(row)

    async def answer(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        began = time.time()
        message = await receive()
        body = message["body"]
        while message.get("more_body", False):
            message = await receive()
            body += message["body"]
        headers = dict(scope["headers"])
        user = self.tokens[sha256(headers[b"authorization"].partition(b" ")[2]).digest()]
        fields = self.routes[scope["path"]]
        assert "models.versions.requests.create" in user[1]
        value = self.decode(body)
        assert all(isinstance(value[name], kinds) for name, kinds in fields.items())
        assert self.free is not None
        async with self.free:
            result = await min(self.lines, key=lambda line: len(line.pending)).send(body)
        self.decode(result)
        id_ = UUID(bytes=time.time_ns().to_bytes(8, "big") + os.urandom(8))
        content = b'{"request_id":"%b","success":true,"result":%b,"error_message":null}' % (str(id_).encode(), result)
        length = str(len(content)).encode()
        answer_headers = [(b"content-type", b"application/json"), (b"content-length", length)]
        await send({"type": "http.response.start", "status": 200, "headers": answer_headers})
        await send({"type": "http.response.body", "body": content})
        self.rows.append((id_, began, time.time() - began, len(body)))


_prototype = Prototype()


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        await _prototype.answer(scope, receive, send)
        return
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await _prototype.start()
        elif message["type"] == "lifespan.shutdown":
            for line in _prototype.lines:
                line.process.kill()
            if _prototype.writer is not None:
                _prototype.writer.cancel()
                with suppress(asyncio.CancelledError):
                    await _prototype.writer
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
