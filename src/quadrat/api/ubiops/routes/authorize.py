"""Signing in with a password, as the command line program does."""

from fastapi import Request

from quadrat.api.guard import new_router
from quadrat.api.state import Limits
from quadrat.api.ubiops.schemas.authorize import Authorization, Authorize
from quadrat.identity.actions.sessions import Attempt, sign_in

router = new_router("User")


@router.post("/authorize", operation_id="authorize")
async def authorize(request: Request, body: Authorize) -> Authorization:
    """A token for `Authorization: Bearer`; 429 after too many failures."""
    limits: Limits = request.state.limits
    address = None if request.client is None else request.client.host
    attempt = Attempt(body.email, body.password, address)
    secret = await sign_in(request.state.db, attempt, limit=limits.sign_in_attempts, life=limits.session_life)
    return Authorization(access=secret)
