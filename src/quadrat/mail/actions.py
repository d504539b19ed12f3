"""Letters to users."""

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.identity.types import User, UserStatus
from quadrat.jobs.actions import enqueue

ACTIVATION = "mail.activation"


async def invite_to_activate(tx: AsyncConnection, user: User) -> None:
    """Let a user who signed up alone show that the address is theirs; no letter for one who is active.

    The link is made when the letter is, so no job holds it.
    """
    if user.status is UserStatus.PENDING:
        await enqueue(tx, ACTIVATION, {"user_id": user.id})
