"""What is known of users beside what signs them in, and where they have worked last."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.identity.types import Caller, ProjectId, UserId
from quadrat.objects.store import profiles as store
from quadrat.objects.store import sets as set_store
from quadrat.objects.types import UserProfile

_MOST_RECENT = 10


@dataclass(frozen=True, slots=True)
class OwnProfile:
    """What users see of themselves."""

    profile: UserProfile
    recent: Sequence[tuple[ProjectId, str]]


async def own_profile(tx: AsyncConnection, caller: Caller) -> OwnProfile:
    """The caller's profile and last used projects."""
    known = await store.read_profiles(tx, [caller.user_id])
    return OwnProfile(known[caller.user_id], await set_store.recent_projects(tx, caller.user_id, _MOST_RECENT))


async def profiles_of(tx: AsyncConnection, user_ids: Collection[UserId]) -> dict[UserId, UserProfile]:
    """Profiles of users whom the caller may see."""
    return await store.read_profiles(tx, user_ids)


async def write_profile(tx: AsyncConnection, user_id: UserId, profile: UserProfile) -> None:
    """Set what is known of a user whom the caller may change."""
    await store.write_profile(tx, user_id, profile)


async def note_status(tx: AsyncConnection, user_id: UserId, comment: str | None) -> None:
    """Keep when and why a user was let in or kept out."""
    await store.note_status(tx, user_id, comment)
