"""Where the caller belongs."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.identity.store import memberships as store
from quadrat.identity.types import Caller, Membership


async def list_memberships(tx: AsyncConnection, caller: Caller) -> Sequence[Membership]:
    """The organizations that the caller is a member of; none for a service user."""
    return await store.list_memberships(tx, caller.user_id)
