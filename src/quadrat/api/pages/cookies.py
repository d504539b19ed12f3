"""The pages' session: an HttpOnly cookie, and a header against requests that other sites make a browser send.

Each API reads its own credential and knows nothing of pages. `CookieCredential` stands in front of them and hands the
cookie's token on in the words of the API that is asked, so that a page is a client like any other.
"""

import hmac
from collections.abc import Callable
from hashlib import sha256
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

COOKIE = "quadrat_session"
CSRF_HEADER = b"x-quadrat-csrf"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_CREDENTIALS = frozenset({b"authorization", b"api-key"})
_QUERY_CREDENTIALS = ("token", "publicToken")


def csrf_token(key: bytes, session: str) -> str:
    """What a page has to send with everything that changes something; bound to its session.

    Args:
        key: The installation's.
        session: The token in the cookie.
    """
    return hmac.new(key, b"quadrat csrf " + session.encode(), sha256).hexdigest()


def session_of(scope: Scope) -> str | None:
    """The token in the cookie."""
    for name, value in scope["headers"]:
        if name == b"cookie":
            try:
                morsel = SimpleCookie(value.decode("latin-1")).get(COOKIE)
            except CookieError:
                continue
            if morsel is not None and morsel.value:
                return morsel.value
    return None


def set_session(response: Response, request: Request, session: str, life_s: float) -> None:
    """Have the browser keep the session."""
    response.set_cookie(
        COOKIE,
        session,
        max_age=int(life_s),
        path="/",
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )


def drop_session(response: Response) -> None:
    """Have the browser forget the session."""
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")


def _bearer(token: str) -> tuple[bytes, bytes]:
    return (b"authorization", f"Bearer {token}".encode("latin-1"))


def _api_key(token: str) -> tuple[bytes, bytes]:
    return (b"api-key", token.encode("latin-1"))


_WORDS: dict[str, Callable[[str], tuple[bytes, bytes]]] = {
    "v2.1": _bearer,
    "v1": _bearer,
    "api": _bearer,
    "v2": _api_key,
    "ui": _bearer,
}


class CookieCredential:
    """Hands the session of a page to the API that the page asks.

    A request with a credential of its own is left alone. One that changes something counts as a page's only with the
    header that `csrf_token` gives; otherwise it stays without a credential, and the API refuses it in its own words.

    Args:
        app: The APIs.
        key: The installation's.
    """

    def __init__(self, app: ASGIApp, key: bytes) -> None:
        self._app = app
        self._key = key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on."""
        if scope["type"] == "http":
            words = _WORDS.get(scope["path"].split("/", 2)[1] if scope["path"].startswith("/") else "")
            if words is not None and not _has_credential(scope):
                session = session_of(scope)
                if session is not None and self._is_ours(scope, session):
                    scope = {**scope, "headers": [*scope["headers"], words(session)]}
        await self._app(scope, receive, send)

    def _is_ours(self, scope: Scope, session: str) -> bool:
        if scope["method"] in _SAFE:
            return True
        sent = next((value for name, value in scope["headers"] if name == CSRF_HEADER), b"")
        return hmac.compare_digest(sent, csrf_token(self._key, session).encode())


def _has_credential(scope: Scope) -> bool:
    if any(name in _CREDENTIALS for name, _ in scope["headers"]):
        return True
    query = scope.get("query_string", b"")
    return bool(query) and any(name in parse_qs(query.decode("latin-1")) for name in _QUERY_CREDENTIALS)
