"""The pages' own interface takes the session cookie, or a token as ``Authorization: Bearer <token>``."""

from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPBearer

from quadrat.api.guard import Guard
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.actions.access import unauthenticated
from quadrat.identity.authenticator import Authenticator
from quadrat.identity.types import Caller

_bearer = HTTPBearer(scheme_name="session", auto_error=False)


async def _identify(request: Request) -> Caller:
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise unauthenticated()
    authenticator: Authenticator = request.state.authenticator
    return await authenticator.caller(secret.strip())


async def _identify_if_possible(request: Request) -> Caller | None:
    try:
        return await _identify(request)
    except QuadratError as error:
        if error.kind is not ErrorKind.UNAUTHENTICATED:
            raise
        return None


_signed_in = Guard(_identify)
_anyone = Guard(_identify_if_possible)


async def _caller(
    caller: Annotated[Caller, Depends(_signed_in)], _documented: Annotated[object, Security(_bearer)]
) -> Caller:
    return caller


SignedIn = Annotated[Caller, Depends(_caller)]
"""The caller; without a session the request ends with 401."""

Anyone = Annotated[Caller | None, Depends(_anyone)]
"""The caller, if there is one."""
