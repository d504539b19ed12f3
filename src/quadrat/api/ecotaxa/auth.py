"""The credentials of the object-set API: ``Authorization: Bearer <token>``, or the cookie ``session``."""

from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer

from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.authenticator import Authenticator
from quadrat.identity.types import Caller

_bearer = HTTPBearer(scheme_name="BearerOrCookieAuth", auto_error=False)
_cookie = APIKeyCookie(name="session", scheme_name="cookieAuth", auto_error=False)


async def _caller(
    request: Request,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
    cookie: Annotated[str | None, Security(_cookie)],
) -> Caller:
    secret = cookie if bearer is None else bearer.credentials
    if not secret:
        # No credentials at all are 403 in this API; wrong ones are 401.
        raise QuadratError(ErrorKind.FORBIDDEN, "Not authenticated")
    authenticator: Authenticator = request.state.authenticator
    return await authenticator.caller(secret)


SignedIn = Annotated[Caller, Depends(_caller)]
