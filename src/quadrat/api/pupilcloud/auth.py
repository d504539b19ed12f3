"""The credential of the areas-of-interest API: ``api-key: <token>`` or ``api-key: Bearer <token>``.

The header ``workspace-id`` that its client sends too is ignored: the path decides.
"""

from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader

from quadrat.api.guard import Guard
from quadrat.identity.actions.access import unauthenticated
from quadrat.identity.authenticator import Authenticator
from quadrat.identity.types import Caller

_api_key = APIKeyHeader(name="api-key", scheme_name="api_key", auto_error=False)
_bearer = APIKeyHeader(name="Authorization", scheme_name="bearer", auto_error=False)


async def _identify(request: Request) -> Caller:
    api_key = request.headers.get("api-key")
    words = (api_key or request.headers.get("authorization") or "").split()
    # With Authorization the scheme has to be there; with api-key it may be.
    has_scheme = len(words) == 2 and words[0].lower() == "bearer"
    if not has_scheme and not (len(words) == 1 and api_key):
        raise unauthenticated()
    authenticator: Authenticator = request.state.authenticator
    return await authenticator.caller(words[-1])


_signed_in = Guard(_identify)


async def _caller(
    caller: Annotated[Caller, Depends(_signed_in)],
    _documented: Annotated[str | None, Security(_api_key)],
    _documented_too: Annotated[str | None, Security(_bearer)],
) -> Caller:
    return caller


SignedIn = Annotated[Caller, Depends(_caller)]
"""The caller; without a valid credential the request ends with 401."""
