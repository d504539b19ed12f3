"""Tells every process that what it remembers of users and permissions may be wrong now."""

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.db.notify import notify

CHANNEL = "quadrat_identity"


async def announce_change(tx: AsyncConnection) -> None:
    """Call in every transaction that changes or ends users, tokens, members, projects, roles or assignments.

    Making something new needs none, unless it changes what a known caller may do: nobody remembers what is not there.
    """
    await notify(tx, CHANNEL)
