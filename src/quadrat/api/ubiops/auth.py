"""The credential of the serving API: ``Authorization: Token <40 hex>`` or ``Bearer <token>``, scheme in any case."""

from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader

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


async def _caller(request: Request, header: Annotated[str | None, Security(_header)]) -> Caller:
    authenticator: Authenticator = request.state.authenticator
    return await authenticator.caller(secret_of(header))


SignedIn = Annotated[Caller, Depends(_caller)]
