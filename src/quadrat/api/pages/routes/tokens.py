"""The caller's own API tokens."""

from datetime import timedelta
from uuid import UUID

from quadrat.api.guard import new_router
from quadrat.api.pages.auth import SignedIn
from quadrat.api.pages.convert import to_token_card
from quadrat.api.pages.schemas import TokenAsked, TokenCard, TokenMade
from quadrat.api.wire import Tx
from quadrat.base.clock import now
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.actions import tokens
from quadrat.identity.types import Caller

router = new_router("Tokens")


@router.get("/tokens", operation_id="page_tokens_list")
async def page_tokens_list(caller: SignedIn, tx: Tx) -> list[TokenCard]:
    """Newest first, without the secrets, which nobody can read again."""
    return [to_token_card(token) for token in await tokens.list_tokens(tx, caller.user_id)]


@router.post("/tokens", operation_id="page_tokens_create", status_code=201)
async def page_tokens_create(body: TokenAsked, caller: SignedIn, tx: Tx) -> TokenMade:
    """A new token, which may do what the caller may."""
    _require_person(caller)
    end = None if body.life_days is None else now() + timedelta(days=body.life_days)
    token, secret = await tokens.create_token(tx, caller.user_id, body.name, expires_at=end)
    return TokenMade.model_validate({**to_token_card(token).model_dump(), "secret": secret})


@router.delete("/tokens/{token_id}", operation_id="page_tokens_delete", status_code=204)
async def page_tokens_delete(token_id: UUID, caller: SignedIn, tx: Tx) -> None:
    """It stops working at once."""
    _require_person(caller)
    await tokens.revoke_token(tx, caller.user_id, token_id)


def _require_person(caller: Caller) -> None:
    if caller.is_service:
        raise QuadratError(ErrorKind.FORBIDDEN, "A service user's token is changed by an administrator of its project.")
