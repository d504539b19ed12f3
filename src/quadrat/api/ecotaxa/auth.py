"""The credentials of the object-set API: ``Authorization: Bearer <token>``, or the cookie ``session``."""

from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyCookie, HTTPBearer

from quadrat.api.guard import Guard
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.authenticator import Authenticator
from quadrat.identity.types import Caller

_bearer = HTTPBearer(scheme_name="BearerOrCookieAuth", auto_error=False)
_cookie = APIKeyCookie(name="session", scheme_name="cookieAuth", auto_error=False)


async def _identify(request: Request) -> Caller:
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    secret = bearer.strip() if scheme.lower() == "bearer" else ""
    secret = secret or request.cookies.get("session", "")
    if not secret:
        # No credentials at all are 403 in this API; wrong ones are 401.
        raise QuadratError(ErrorKind.FORBIDDEN, "Not authenticated")
    authenticator: Authenticator = request.state.authenticator
    return await authenticator.caller(secret)


_signed_in = Guard(_identify)


async def _caller(
    caller: Annotated[Caller, Depends(_signed_in)],
    _documented: Annotated[object, Security(_bearer)],
    _documented_too: Annotated[str | None, Security(_cookie)],
) -> Caller:
    return caller


SignedIn = Annotated[Caller, Depends(_caller)]
"""The caller; without a valid credential the request ends with 401 or 403."""
