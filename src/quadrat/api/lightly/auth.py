"""The credentials of the samples API: the query parameter ``token``, or ``Authorization: Bearer <token>``."""

from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyQuery, HTTPBearer

from quadrat.api.guard import Guard
from quadrat.db.engine import Database
from quadrat.identity.actions.access import unauthenticated
from quadrat.identity.authenticator import Authenticator
from quadrat.identity.types import Caller
from quadrat.samples.actions.links import is_public, open_link
from quadrat.samples.types import DatasetId

_query = APIKeyQuery(name="token", scheme_name="ApiKeyAuth", auto_error=False)
_bearer = HTTPBearer(scheme_name="auth0Bearer", auto_error=False)
_public = APIKeyQuery(name="publicToken", scheme_name="ApiPublicJWTAuth", auto_error=False)


async def _identify_by(request: Request, *parameters: str) -> Caller:
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        secret = ""
    for parameter in parameters:
        secret = secret or request.query_params.get(parameter, "")
    if not secret.strip():
        raise unauthenticated()
    authenticator: Authenticator = request.state.authenticator
    return await authenticator.caller(secret.strip())


async def identify(request: Request) -> Caller:
    """The caller of any operation.

    Raises:
        QuadratError: unauthenticated.
    """
    return await _identify_by(request, "token")


async def _identify_link(request: Request) -> Caller:
    secret = request.query_params.get("publicToken", "").strip()
    if not is_public(secret):
        return await _identify_by(request, "token", "publicToken")
    db: Database = request.state.db
    async with db.begin() as tx:
        return await open_link(tx, secret, DatasetId(request.path_params["datasetId"]))


_signed_in = Guard(identify)
_link = Guard(_identify_link)


async def _caller(
    caller: Annotated[Caller, Depends(_signed_in)],
    _documented: Annotated[str | None, Security(_query)],
    _documented_too: Annotated[object, Security(_bearer)],
) -> Caller:
    return caller


async def _link_caller(
    caller: Annotated[Caller, Depends(_link)], _documented: Annotated[str | None, Security(_public)]
) -> Caller:
    return caller


SignedIn = Annotated[Caller, Depends(_caller)]
"""The caller; without a valid credential the request ends with 401."""

LinkHolder = Annotated[Caller, Depends(_link_caller)]
"""Who opens a link: as ``publicToken`` it carries a token of its dataset alone, or somebody's own."""
