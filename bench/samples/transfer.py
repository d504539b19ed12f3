"""Signed PUT and GET of images beside what nginx moves on the same machine, in turn in one run.

    apt-get install --no-install-recommends nginx-light
    python bench/samples/transfer.py [--seconds 4] [--rounds 3]

Both write to the same disk and talk to the same client: 16 connections that each wait for an answer. nginx is a plain
static server with PUT (module DAV) and one worker, without signatures, records or a look at what came. Ends with 1 when
an aim is missed.
"""

import argparse
import asyncio
import contextlib
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from million import call, serving

SIZE = 300_000
CONNECTIONS = 16
FILES = 64
SHARE = 0.6
CONFIG = """
daemon off; worker_processes 1; error_log stderr error; pid {folder}/nginx.pid; {user}
events {{ worker_connections 256; }}
http {{
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000; client_max_body_size 10m;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{ listen 127.0.0.1:{port}; root {folder}/files; dav_methods PUT; create_full_put_path on; }}
}}
"""


@contextlib.contextmanager
def nginx(folder: Path) -> Iterator[str]:
    """A static server that takes files too: its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "files").mkdir(parents=True)
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(CONFIG.format(folder=folder, port=port, user=user))
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    process = subprocess.Popen([program, "-p", str(folder), "-c", str(folder / "nginx.conf")])
    try:
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            if process.poll() is not None:
                raise SystemExit("nginx did not start")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


async def move(urls: Sequence[str], body: bytes | None, seconds: float) -> float:
    """MB per second over connections that go through the addresses in turn; PUT with a body, GET without."""
    stop = time.perf_counter() + seconds
    moved = 0

    async def one(number: int) -> None:
        nonlocal moved
        host = urlsplit(urls[0]).netloc
        reader, writer = await asyncio.open_connection(*host.split(":"), limit=2**20)
        at = number
        while time.perf_counter() < stop:
            path = urls[at % len(urls)].partition(host)[2]
            length = f"Content-Length: {len(body)}\r\n" if body else ""
            head = f"{'PUT' if body else 'GET'} {path} HTTP/1.1\r\nHost: {host}\r\n{length}\r\n"
            writer.write(head.encode() + (body or b""))
            await writer.drain()
            answer = await reader.readuntil(b"\r\n\r\n")
            if int(answer.split(b" ", 2)[1]) >= 300:
                raise SystemExit(answer.decode())
            found = re.search(rb"content-length: (\d+)", answer.lower())
            left = int(found[1]) if found else 0
            moved += SIZE
            while left:
                left -= len(await reader.read(min(left, 2**20)))
            at += CONNECTIONS
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(one(number) for number in range(CONNECTIONS)))
    return moved / 1e6 / (time.perf_counter() - began)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    # Behind the first bytes of a JPEG, so that it is served as a picture.
    body = b"\xff\xd8\xff\xe0" + os.urandom(SIZE - 4)
    missed = False
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        with serving(folder / "data") as (url, _), nginx(folder / "nginx") as plain:
            dataset = call(url, "POST", "/datasets", {"name": "moved", "type": "Images"})["id"]
            samples = f"/datasets/{dataset}/samples"
            ids = [call(url, "POST", samples, {"fileName": f"{number}.jpg"})["id"] for number in range(FILES)]
            puts = [call(url, "GET", f"{samples}/{id_}/writeurl?isThumbnail=False") for id_ in ids]
            for address in puts:
                urllib.request.urlopen(urllib.request.Request(address, body, method="PUT"), timeout=60).close()
            gets = [call(url, "GET", f"{samples}/{id_}/readurl") for id_ in ids]
            files = [f"{plain}/{number}.jpg" for number in range(FILES)]
            for address in files:
                urllib.request.urlopen(urllib.request.Request(address, body, method="PUT"), timeout=60).close()
            for name, ours, theirs, content in (("PUT", puts, files, body), ("GET", gets, files, None)):
                rates: dict[str, list[float]] = {"quadrat": [], "nginx": []}
                for _ in range(options.rounds):
                    rates["quadrat"].append(asyncio.run(move(ours, content, options.seconds)))
                    rates["nginx"].append(asyncio.run(move(theirs, content, options.seconds)))
                found = {who: statistics.median(each) for who, each in rates.items()}
                share = found["quadrat"] / found["nginx"]
                missed |= share < SHARE
                print(
                    f"signed {name} of 300 kB: {found['quadrat']:.0f} MB/s, nginx {found['nginx']:.0f} MB/s: "
                    f"{share:.0%} (aim: {SHARE:.0%}){'  MISSED' if share < SHARE else ''}",
                    flush=True,
                )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
