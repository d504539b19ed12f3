"""Files that are read as a whole, small and in memory: answered where the request arrives, without a task or a parser.

Only a GET that says nothing beside what every program says, with an address as this server signs it. What is unusual in
any way, refusals among it, goes the usual way.
"""

import re
import time
from collections.abc import Mapping
from typing import Any

import structlog

from quadrat.api.files import headers_of_all
from quadrat.api.state import BlobGuard
from quadrat.api.tally import TALLY
from quadrat.base.ids import new_uuid
from quadrat.errors import QuadratError
from quadrat.storage.blobs import BlobStore
from quadrat.storage.signing import PATH_PREFIX

_log = structlog.get_logger("quadrat.access")
_API = "files"
_BEGINNING = b"GET " + PATH_PREFIX.encode()
_TARGET = re.compile(
    rb"GET (?P<path>" + re.escape(PATH_PREFIX.encode()) + rb"(?P<key>[a-z0-9_./-]+))"
    rb"\?(?P<query>method=GET&expires=[0-9]+(?:&name=[A-Za-z0-9_-]*)?&signature=[0-9a-f]+) HTTP/1\.1"
)
_END_OF_LINE, _END_OF_HEAD = b"\r\n", b"\r\n\r\n"
_MOST_BYTES = 1024 * 1024
_MOST_HEADS, _MOST_HEAD_BYTES = 4096, 2048
# What a request may say about itself. Of all else somebody may know what it means, so it is left to them.
_PLAIN = frozenset(
    {b"host", b"accept", b"accept-encoding", b"accept-language", b"user-agent", b"connection", b"authorization"}
    | {b"referer", b"origin", b"sec-fetch-dest", b"sec-fetch-mode", b"sec-fetch-site"}
)


class QuickFiles:
    """Remembers what programs say beside the address, and answers those that say it again."""

    def __init__(self) -> None:
        self._heads: set[bytes] = set()
        # For all files in turn: memory that is asked for anew costs more than reading the file.
        self._content = memoryview(bytearray(_MOST_BYTES))

    @staticmethod
    def may_know(data: bytes) -> bool:
        """Whether this looks like the beginning of such a request."""
        return data.startswith(_BEGINNING)

    def remember(self, data: bytes, scope: Mapping[str, Any]) -> None:
        """Remember what a request said beside its address, when that is plain and its connection stays open.

        Args:
            data: The whole request and nothing else.
            scope: What the web server has made of it.
        """
        names = {name for name, _ in scope["headers"]}
        head = data[data.find(_END_OF_LINE) :]
        if (
            scope["http_version"] == "1.1"
            and _PLAIN.issuperset(names)
            and len(names) == len(scope["headers"])
            and len(head) <= _MOST_HEAD_BYTES
            and head.find(_END_OF_HEAD) == len(head) - len(_END_OF_HEAD)
        ):
            if len(self._heads) >= _MOST_HEADS:
                self._heads.clear()
            self._heads.add(head)

    def answer(self, state: Mapping[str, Any], data: bytes) -> tuple[bytes, memoryview] | None:
        """Headers and content of the answer to the request that this is; None when it has to go the usual way.

        The content is to be used before the next is asked for.

        Args:
            state: What the parent application opened.
            data: What has come, on a line on which nobody waits for an answer.
        """
        began = time.perf_counter()
        end = data.find(_END_OF_LINE)
        if data[end:] not in self._heads or (target := _TARGET.fullmatch(data, 0, end)) is None:
            return None
        key = target["key"].decode()
        guard: BlobGuard = state["blob_guard"]
        if not guard.admits_at_once(key):
            return None
        blobs: BlobStore = state["blobs"]
        query = dict(pair.split("=") for pair in target["query"].decode().split("&"))
        try:
            permit = blobs.permit(key, query)
        except QuadratError:
            return None
        found = blobs.read_cached(key, self._content)
        if found is None:
            return None
        facts, content = found
        request_id = new_uuid().hex
        said = headers_of_all(facts, content, permit) | {"X-Request-ID": request_id}
        headers = "".join([f"{name.lower()}: {value}\r\n" for name, value in said.items()]).encode("latin-1")
        seconds = time.perf_counter() - began
        TALLY.count(_API, "GET", 200, seconds)
        _log.debug(
            "request.finished",
            method="GET",
            path=target["path"].decode(),
            status=200,
            duration_ms=round(seconds * 1000, 1),
            request_id=request_id,
            api=_API,
        )
        return headers, content
