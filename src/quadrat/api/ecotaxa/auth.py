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


def _secret(request: Request) -> str:
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    secret = bearer.strip() if scheme.lower() == "bearer" else ""
    return secret or request.cookies.get("session", "")


async def _identify(request: Request) -> Caller:
    secret = _secret(request)
    if not secret:
        # No credentials at all are 403 in this API; wrong ones are 401.
        raise QuadratError(ErrorKind.FORBIDDEN, "Not authenticated")
    authenticator: Authenticator = request.state.authenticator
    try:
        return await authenticator.caller(secret)
    except QuadratError as error:
        if error.kind is not ErrorKind.UNAUTHENTICATED:
            raise
        raise QuadratError(error.kind, "Could not validate credentials") from error


async def _identify_if_possible(request: Request) -> Caller | None:
    secret = _secret(request)
    if not secret:
        return None
    authenticator: Authenticator = request.state.authenticator
    try:
        return await authenticator.caller(secret)
    except QuadratError as error:
        if error.kind is not ErrorKind.UNAUTHENTICATED:
            raise
        # Source: spec of the object-set API, section 7: a bad token counts as none where none is needed.
        return None


signed_in = Guard(_identify)
"""Finds the caller; refuses whoever has no valid credential."""
anyone = Guard(_identify_if_possible)
"""Finds the caller; None for a stranger."""


async def _caller(
    caller: Annotated[Caller, Depends(signed_in)],
    _documented: Annotated[object, Security(_bearer)],
    _documented_too: Annotated[str | None, Security(_cookie)],
) -> Caller:
    return caller


SignedIn = Annotated[Caller, Depends(_caller)]
"""The caller; without a valid credential the request ends with 401 or 403."""


async def _reader(
    caller: Annotated[Caller | None, Depends(anyone)],
    _documented: Annotated[object, Security(_bearer)],
    _documented_too: Annotated[str | None, Security(_cookie)],
) -> Caller | None:
    return caller


Anyone = Annotated[Caller | None, Depends(_reader)]
"""The caller, or None for a stranger: for what visible projects show to everybody."""
