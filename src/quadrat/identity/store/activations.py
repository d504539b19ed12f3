"""Links that activate users; their secrets are stored as hashes."""

from datetime import datetime

from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.identity.tables import activation, user
from quadrat.identity.types import UserId, UserStatus


async def insert_activation(tx: AsyncConnection, hash_: bytes, user_id: UserId, expires_at: datetime) -> None:
    """Add one; those of the user that are over go."""
    is_over = activation.c.expires_at <= func.now()
    await tx.execute(delete(activation).where(activation.c.user_id == user_id, is_over))
    await tx.execute(insert(activation).values(hash=hash_, user_id=user_id, expires_at=expires_at))


async def find_activation(tx: AsyncConnection, hash_: bytes, at: datetime) -> UserId | None:
    """Whom it activates; None when it is over, or the user is pending no more."""
    query = (
        select(activation.c.user_id)
        .join(user, user.c.id == activation.c.user_id)
        .where(activation.c.hash == hash_, activation.c.expires_at > at, user.c.status == UserStatus.PENDING)
    )
    found = (await tx.execute(query)).scalar_one_or_none()
    return None if found is None else UserId(found)


async def delete_activations(tx: AsyncConnection, user_id: UserId) -> None:
    """Remove all of the user."""
    await tx.execute(delete(activation).where(activation.c.user_id == user_id))
