"""The credential of the areas-of-interest API: ``api-key: <token>`` or ``api-key: Bearer <token>``.

The header ``workspace-id`` that its client sends too is ignored: the path decides.
"""

from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader

from quadrat.identity.actions.access import unauthenticated
from quadrat.identity.authenticator import Authenticator
from quadrat.identity.types import Caller

_api_key = APIKeyHeader(name="api-key", scheme_name="api_key", auto_error=False)
_bearer = APIKeyHeader(name="Authorization", scheme_name="bearer", auto_error=False)


async def _caller(
    request: Request,
    api_key: Annotated[str | None, Security(_api_key)],
    bearer: Annotated[str | None, Security(_bearer)],
) -> Caller:
    words = (api_key or bearer or "").split()
    # With Authorization the scheme has to be there; with api-key it may be.
    has_scheme = len(words) == 2 and words[0].lower() == "bearer"
    if not has_scheme and not (len(words) == 1 and api_key):
        raise unauthenticated()
    authenticator: Authenticator = request.state.authenticator
    return await authenticator.caller(words[-1])


SignedIn = Annotated[Caller, Depends(_caller)]
