"""The caller itself, and signing up."""

from fastapi import Request

from quadrat.api.guard import new_router
from quadrat.api.ubiops.auth import Anyone, SignedIn
from quadrat.api.ubiops.convert.users import (
    to_new_user,
    to_user_changes,
    to_user_detail,
    to_user_pending_detail,
)
from quadrat.api.ubiops.schemas.user import UserDetail, UserPendingCreate, UserPendingDetail, UserUpdate
from quadrat.api.wire import Tx
from quadrat.db.engine import Database
from quadrat.identity.actions import signing_up, users
from quadrat.mail.actions import invite_to_activate
from quadrat.serving.actions.housekeeping import delete_user

router = new_router("User")


@router.post("/user", operation_id="user_create", status_code=201)
async def user_create(caller: Anyone, body: UserPendingCreate, request: Request) -> UserPendingDetail:
    """Open to everyone; the account is pending unless a platform administrator makes it."""
    db: Database = request.state.db
    user = await signing_up.sign_up(
        db,
        caller,
        to_new_user(body),
        address=None if request.client is None else request.client.host,
        terms_accepted=body.terms_conditions,
        also=invite_to_activate,
    )
    return to_user_pending_detail(user)


@router.get("/user", operation_id="user_get")
async def user_get(caller: SignedIn, tx: Tx) -> UserDetail:
    """Who the token belongs to, a service user included."""
    return to_user_detail(await users.get_own_user(tx, caller))


@router.patch("/user", operation_id="user_update")
async def user_update(caller: SignedIn, body: UserUpdate, tx: Tx) -> UserDetail:
    """A new password needs the previous one and ends all sessions."""
    return to_user_detail(await users.update_user(tx, caller, to_user_changes(body)))


@router.delete("/user", operation_id="user_delete", status_code=204)
async def user_delete(caller: SignedIn, tx: Tx) -> None:
    """Refused for the last administrator of an organization that still has projects."""
    await delete_user(tx, caller)
