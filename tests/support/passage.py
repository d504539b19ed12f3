"""A way to an HTTP service that can be closed for a while: what passes is passed on unchanged and counted."""

import contextlib
import http.client
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from urllib.parse import urlsplit

_OWN_HEADERS = {"connection", "transfer-encoding", "content-length", "keep-alive"}
_MOST_S = 300


@dataclass
class Passage:
    """What passes.

    Args:
        url: Its address.
        stops: Whether a request (method, path with query) waits until the passage is opened.
        waiting: Set when a request waits.
        open: Set to let all pass.
        passed: How many requests of each method were passed on.
    """

    url: str = ""
    stops: Callable[[str, str], bool] = lambda _method, _path: False
    waiting: Event = field(default_factory=Event)
    open: Event = field(default_factory=Event)
    passed: Counter[str] = field(default_factory=Counter)
    lock: Lock = field(default_factory=Lock)


@contextmanager
def passage_to(target: str) -> Iterator[Passage]:
    """A passage to the service at an address."""
    passage = Passage()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if not passage.open.is_set() and passage.stops(self.command, self.path):
                passage.waiting.set()
                passage.open.wait(_MOST_S)
            with passage.lock:
                passage.passed[self.command] += 1
            there = http.client.HTTPConnection(urlsplit(target).netloc, timeout=60)
            try:
                there.request(self.command, self.path, body or None, dict(self.headers))
                answer = there.getresponse()
                content = answer.read()
            finally:
                there.close()
            self.send_response(answer.status, answer.reason)
            for name, value in answer.getheaders():
                if name.lower() not in _OWN_HEADERS | {"date", "server"}:
                    self.send_header(name, value)
            length = answer.getheader("Content-Length") if self.command == "HEAD" else None
            self.send_header("Content-Length", length or str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _pass  # noqa: N815 - names of the library

        def log_message(self, format: str, *args: object) -> None:
            pass

        def handle(self) -> None:
            with contextlib.suppress(ConnectionError):  # whoever asked was killed
                super().handle()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    passage.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield passage
    finally:
        passage.open.set()
        server.shutdown()
        thread.join()
        server.server_close()
