"""Signing in, and who one is."""

from fastapi import Request

from quadrat.api.ecotaxa import convert
from quadrat.api.ecotaxa.auth import SignedIn
from quadrat.api.ecotaxa.schemas.users import LoginReq, UserModelWithRights
from quadrat.api.guard import new_router
from quadrat.api.state import Limits
from quadrat.api.wire import Tx
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.actions import sessions, users

router = new_router("users")


@router.post("/login", operation_id="login", tags=["authentification"])
async def login(request: Request, body: LoginReq) -> str:
    """A bearer token for an e-mail address and a password."""
    limits: Limits = request.state.limits
    attempt = sessions.Attempt(body.username, body.password, request.client.host if request.client else None)
    try:
        return await sessions.sign_in(
            request.state.db, attempt, limit=limits.sign_in_attempts, life=limits.session_life
        )
    except QuadratError as error:
        if error.kind in (ErrorKind.UNAUTHENTICATED, ErrorKind.INVALID):
            # A wrong password is 403 in this API, and what is no address is a wrong name.
            raise QuadratError(ErrorKind.FORBIDDEN, error.message) from error
        raise


@router.get("/users/me", operation_id="show_current_user")
async def show_current_user(tx: Tx, caller: SignedIn) -> UserModelWithRights:
    """The caller."""
    return convert.user_with_rights(await users.get_own_user(tx, caller))
