"""All SQL of public tokens."""

from datetime import datetime

from sqlalchemy import delete, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.identity.types import UserId
from quadrat.samples.tables import public_token
from quadrat.samples.types import DatasetId, PublicLink


async def find_endless(tx: AsyncConnection, dataset_id: DatasetId, user_id: UserId) -> tuple[str, bytes] | None:
    """Id and sealed secret of the user's newest token for the dataset that does not end."""
    query = (
        select(public_token.c.id, public_token.c.sealed)
        .where(
            public_token.c.dataset_id == dataset_id,
            public_token.c.user_id == user_id,
            public_token.c.expires_at.is_(None),
        )
        .order_by(public_token.c.id.desc())
        .limit(1)
    )
    row = (await tx.execute(query)).one_or_none()
    return None if row is None else (row[0], row[1])


async def insert_token(tx: AsyncConnection, made: PublicLink, user_id: UserId, hash_: bytes, sealed: bytes) -> None:
    """A new token. Those of the dataset that have ended go."""
    ended = public_token.c.expires_at <= made.created_at
    await tx.execute(delete(public_token).where(public_token.c.dataset_id == made.dataset_id, ended))
    await tx.execute(
        insert(public_token).values(
            id=made.id,
            dataset_id=made.dataset_id,
            user_id=user_id,
            hash=hash_,
            sealed=sealed,
            created_at=made.created_at,
            expires_at=made.expires_at,
        )
    )


async def find_maker(tx: AsyncConnection, dataset_id: DatasetId, hash_: bytes, at: datetime) -> UserId | None:
    """In whose name a token opens the dataset; None for one that does not, or has ended."""
    query = select(public_token.c.user_id).where(
        public_token.c.hash == hash_,
        public_token.c.dataset_id == dataset_id,
        or_(public_token.c.expires_at.is_(None), public_token.c.expires_at > at),
    )
    found = (await tx.execute(query)).scalar_one_or_none()
    return None if found is None else UserId(found)


async def list_tokens(tx: AsyncConnection, dataset_id: DatasetId) -> list[PublicLink]:
    """Those of a dataset, newest first, whoever made them."""
    query = (
        select(public_token.c.id, public_token.c.dataset_id, public_token.c.created_at, public_token.c.expires_at)
        .where(public_token.c.dataset_id == dataset_id)
        .order_by(public_token.c.created_at.desc(), public_token.c.id.desc())
    )
    return [PublicLink(row[0], DatasetId(row[1]), row[2], row[3]) for row in await tx.execute(query)]


async def delete_token(tx: AsyncConnection, dataset_id: DatasetId, id_: str) -> bool:
    """Whether there was one."""
    statement = (
        delete(public_token)
        .where(public_token.c.dataset_id == dataset_id, public_token.c.id == id_)
        .returning(public_token.c.id)
    )
    return (await tx.execute(statement)).one_or_none() is not None
