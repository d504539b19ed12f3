"""What is known of users beside what signs them in."""

from collections.abc import Collection

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.identity.types import UserId
from quadrat.objects.tables import user_profile
from quadrat.objects.types import UserProfile


async def read_profiles(tx: AsyncConnection, user_ids: Collection[UserId]) -> dict[UserId, UserProfile]:
    """Profiles of users; empty ones where nothing is known."""
    query = select(
        user_profile.c.user_id,
        user_profile.c.organisation,
        user_profile.c.country,
        user_profile.c.orcid,
        user_profile.c.reason,
        user_profile.c.status_comment,
        user_profile.c.status_at,
    ).where(user_profile.c.user_id.in_(user_ids))
    found = dict.fromkeys(user_ids, UserProfile())
    for row in await tx.execute(query):
        found[UserId(row[0])] = UserProfile(row[1], row[2], row[3], row[4], row[5], row[6])
    return found


async def write_profile(tx: AsyncConnection, user_id: UserId, profile: UserProfile) -> None:
    """Set what is known; when and why the status changed stays."""
    values = {
        "organisation": profile.organisation,
        "country": profile.country,
        "orcid": profile.orcid,
        "reason": profile.reason,
    }
    statement = insert(user_profile).values(user_id=user_id, **values)
    await tx.execute(statement.on_conflict_do_update(index_elements=[user_profile.c.user_id], set_=values))


async def note_status(tx: AsyncConnection, user_id: UserId, comment: str | None) -> None:
    """Set when and why the status changed."""
    values = {"status_comment": comment, "status_at": func.now()}
    statement = insert(user_profile).values(user_id=user_id, **values)
    await tx.execute(statement.on_conflict_do_update(index_elements=[user_profile.c.user_id], set_=values))
