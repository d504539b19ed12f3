"""The credential of the serving API: ``Authorization: Token <40 hex>`` or ``Bearer <token>``, scheme in any case."""

from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader

from quadrat.api.guard import Guard
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.actions.access import unauthenticated
from quadrat.identity.authenticator import Authenticator
from quadrat.identity.types import Caller

_header = APIKeyHeader(
    name="Authorization", scheme_name="api_key", description="Token <token> or Bearer <token>", auto_error=False
)
_SCHEMES = frozenset({"token", "bearer"})


def secret_of(header: str | None) -> str:
    """The token in the header.

    Raises:
        QuadratError: unauthenticated, also for a token without its scheme.
    """
    scheme, _, secret = (header or "").partition(" ")
    if scheme.lower() not in _SCHEMES or not secret.strip():
        raise unauthenticated()
    return secret.strip()


async def _identify(request: Request) -> Caller:
    authenticator: Authenticator = request.state.authenticator
    return await authenticator.caller(secret_of(request.headers.get("authorization")))


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
    caller: Annotated[Caller, Depends(_signed_in)], _documented: Annotated[str | None, Security(_header)]
) -> Caller:
    return caller


SignedIn = Annotated[Caller, Depends(_caller)]
"""The caller; without a valid credential the request ends with 401."""

Anyone = Annotated[Caller | None, Depends(_anyone)]
"""The caller of an operation that is open to all, where the credential is known."""
