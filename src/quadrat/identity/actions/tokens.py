"""API tokens and the tokens of sessions."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base.ids import new_token
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity import rules
from quadrat.identity.actions.access import hash_token
from quadrat.identity.audit import record
from quadrat.identity.changes import announce_change
from quadrat.identity.store import tokens as store
from quadrat.identity.store import users as user_store
from quadrat.identity.types import Token, TokenKind, UserId


async def create_token(
    tx: AsyncConnection,
    user_id: UserId,
    name: str,
    kind: TokenKind = TokenKind.API,
    expires_at: datetime | None = None,
    secret: str | None = None,
) -> tuple[Token, str]:
    """Make a token; its secret is in the answer and nowhere else.

    Args:
        tx: The transaction.
        user_id: Whose token.
        name: What it is for.
        kind: Session tokens end with the password that they were given for.
        expires_at: When it ends; None for never.
        secret: 40 lower-case hex digits, when someone chose them; else they are random.

    Raises:
        QuadratError: invalid name or secret; already_exists when the secret is in use.
    """
    label = rules.check_text(name, "name")
    chosen = new_token() if secret is None else rules.check_token(secret)
    made = await store.insert_token(tx, user_id, hash_token(chosen), label, kind, expires_at)
    if made is None:
        raise QuadratError(ErrorKind.ALREADY_EXISTS, "This token is in use already.", field="token")
    await _record(tx, "session.opened" if kind is TokenKind.SESSION else "token.created", user_id, name=label)
    return made, chosen


async def list_tokens(tx: AsyncConnection, user_id: UserId) -> Sequence[Token]:
    """The user's API tokens, newest first."""
    return await store.list_tokens(tx, user_id, TokenKind.API)


async def revoke_token(tx: AsyncConnection, user_id: UserId, token_id: UUID) -> None:
    """End a token at once, for every process.

    Raises:
        QuadratError: not_found, also for another user's token.
    """
    if not await store.delete_token(tx, user_id, token_id):
        raise QuadratError(ErrorKind.NOT_FOUND, f"Token {token_id} does not exist.", field="token")
    await _record(tx, "token.revoked", user_id, token=str(token_id))
    await announce_change(tx)


async def revoke_tokens(tx: AsyncConnection, user_id: UserId, kind: TokenKind | None = None) -> None:
    """End all tokens of a user, or those of one kind."""
    await store.delete_tokens(tx, user_id, kind)
    await _record(tx, "tokens.revoked", user_id, kind=kind or "all")
    await announce_change(tx)


async def _record(tx: AsyncConnection, action: str, user_id: UserId, **detail: Any) -> None:
    user = await user_store.find_user(tx, user_id)
    await record(tx, action, "" if user is None else user.email, **detail)
