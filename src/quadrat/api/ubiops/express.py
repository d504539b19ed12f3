"""Direct requests of callers who have asked the same way before: nothing of their head is read again.

A client that goes on asking says the same head each time, byte for byte: address, credential, length. What the web
server and the layer of direct requests have made of it once is remembered here, so that such a request is given to an
instance, and its answer written, without a task, a coroutine or a parser. What is unusual in any way goes the usual
way.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from uuid import UUID

from quadrat.api.hangups import HUNG_UP
from quadrat.api.tally import TALLY
from quadrat.api.ubiops.convert.requests import to_model_request_list
from quadrat.api.ubiops.direct import API, PREFIX, SUFFIX, Doors, timeout_of
from quadrat.errors import QuadratError
from quadrat.serving.direct import DirectRun
from quadrat.serving.engine import ServingEngine
from quadrat.serving.types import Answer

END_OF_HEAD = b"\r\n\r\n"
_MOST_HEADS = 4096
_MOST_HEAD_BYTES = 2048
_BEGINNING = b"POST " + PREFIX.encode()
# What a request may say about itself. Of all else somebody may know what it means, so it is left to them.
_PLAIN = frozenset(
    {b"host", b"authorization", b"content-type", b"content-length", b"accept", b"accept-encoding", b"user-agent"}
    | {b"connection", b"accept-language"}
)
OnContent = Callable[[bytes, bytes], None]


class _Head(NamedTuple):
    """What a head says.

    Args:
        where: The path of the address.
        authorization: The credential as it was sent.
        timeout_s: From the query.
        body_bytes: Length of the body.
    """

    where: str
    authorization: bytes
    timeout_s: int
    body_bytes: int


class Express:
    """Remembers heads, and runs requests that begin with one of them.

    Args:
        doors: Of the layer of direct requests: who may ask which version.
        max_body_bytes: Limit for bodies.
    """

    def __init__(self, doors: Doors, *, max_body_bytes: int) -> None:
        self._doors = doors
        self._max_body_bytes = max_body_bytes
        self._heads: dict[bytes, _Head] = {}

    @staticmethod
    def may_know(data: bytes) -> bool:
        """Whether this looks like the beginning of a direct request."""
        return data.startswith(_BEGINNING)

    def remember(self, data: bytes, scope: Mapping[str, Any]) -> None:
        """Remember the head of a request whose connection stays open.

        Args:
            data: The whole request and nothing else.
            scope: What the web server has made of it.
        """
        end = data.find(END_OF_HEAD)
        headers = dict(scope["headers"])
        authorization, length = headers.get(b"authorization"), headers.get(b"content-length", b"")
        if (
            not 0 < end <= _MOST_HEAD_BYTES
            or authorization is None
            or scope["http_version"] != "1.1"
            or not scope["path"].endswith(SUFFIX)
            or headers.get(b"content-type") != b"application/json"
            or len(headers) != len(scope["headers"])
            or not _PLAIN.issuperset(headers)
            or not length.isdigit()
            or int(length) != len(data) - end - len(END_OF_HEAD)
            or int(length) > self._max_body_bytes
        ):
            return
        try:
            timeout_s = timeout_of(scope["query_string"])
        except QuadratError:
            return
        if len(self._heads) >= _MOST_HEADS:
            self._heads.clear()
        self._heads[data[:end]] = _Head(scope["path"], authorization, timeout_s, int(length))

    def begin(self, state: Mapping[str, Any], data: bytes, on_content: OnContent) -> DirectRun | None:
        """Begin the request that this is.

        Args:
            state: What the parent application opened.
            data: What has come, on a line on which nobody waits for an answer.
            on_content: Is told the request's id and the body of the answer, once and later.

        Returns:
            What gives the request up; None when it has to go the usual way.
        """
        end = data.find(END_OF_HEAD)
        head = self._heads.get(data[:end])
        if head is None or end + len(END_OF_HEAD) + head.body_bytes != len(data):
            return None
        found = self._doors.find(state, head.where, head.authorization)
        if found is None:
            return None
        engine: ServingEngine = state["engine"]
        began = time.perf_counter()

        def on_answer(request_id: UUID, answer: Answer) -> None:
            shown = str(request_id)
            on_content(shown.encode(), to_model_request_list(shown, answer))
            TALLY.count(API, "POST", 200, time.perf_counter() - began)

        return engine.begin(found, data[end + len(END_OF_HEAD) :], head.timeout_s, on_answer)

    @staticmethod
    def give_up(run: DirectRun) -> None:
        """End a request whose caller has left, unless it has been answered meanwhile."""
        if run.give_up():
            TALLY.count(API, "POST", HUNG_UP, run.age_s)
