"""Tokens; never their secrets."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base.clock import now
from quadrat.base.ids import new_uuid
from quadrat.identity.tables import token
from quadrat.identity.types import Token, TokenKind, UserId

_COLUMNS = (
    token.c.id,
    token.c.user_id,
    token.c.name,
    token.c.kind,
    token.c.created_at,
    token.c.expires_at,
    token.c.last_used_at,
)
_Row = tuple[UUID, int, str, str, datetime, datetime | None, datetime | None]


def _to_token(row: _Row) -> Token:
    id_, user_id, name, kind, created_at, expires_at, last_used_at = row
    return Token(id_, UserId(user_id), name, TokenKind(kind), created_at, expires_at, last_used_at)


async def insert_token(
    tx: AsyncConnection, user_id: UserId, hash_: bytes, name: str, kind: TokenKind, expires_at: datetime | None
) -> Token | None:
    """The new token; None when the secret is in use already."""
    statement = (
        insert(token)
        .values(id=new_uuid(), user_id=user_id, hash=hash_, name=name, kind=kind, expires_at=expires_at)
        .on_conflict_do_nothing(index_elements=[token.c.hash])
        .returning(*_COLUMNS)
    )
    row = (await tx.execute(statement)).one_or_none()
    return None if row is None else _to_token(row)


async def find_token(tx: AsyncConnection, hash_: bytes) -> Token | None:
    """The token with this hash, whether it has ended or not."""
    row = (await tx.execute(select(*_COLUMNS).where(token.c.hash == hash_))).one_or_none()
    return None if row is None else _to_token(row)


async def list_tokens(tx: AsyncConnection, user_id: UserId, kind: TokenKind) -> list[Token]:
    """The user's tokens of one kind, newest first."""
    query = (
        select(*_COLUMNS)
        .where(token.c.user_id == user_id, token.c.kind == kind)
        .order_by(token.c.created_at.desc(), token.c.id.desc())
    )
    return [_to_token(row) for row in await tx.execute(query)]


async def delete_token(tx: AsyncConnection, user_id: UserId, token_id: UUID) -> bool:
    """Whether there was such a token of the user."""
    result = await tx.execute(delete(token).where(token.c.id == token_id, token.c.user_id == user_id))
    return result.rowcount > 0


async def delete_tokens(tx: AsyncConnection, user_id: UserId, kind: TokenKind | None = None) -> None:
    """Remove all tokens of the user, or those of one kind."""
    of_kind = and_(token.c.user_id == user_id, token.c.kind == kind) if kind else token.c.user_id == user_id
    await tx.execute(delete(token).where(of_kind))


async def delete_ended_tokens(tx: AsyncConnection, user_id: UserId) -> None:
    """Remove what no longer opens anything."""
    await tx.execute(delete(token).where(token.c.user_id == user_id, token.c.expires_at <= now()))
