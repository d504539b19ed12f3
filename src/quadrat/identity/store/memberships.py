"""The organizations of one user, and what the user is in each."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.identity.tables import member, organization
from quadrat.identity.types import MemberLevel, Membership, UserId


async def list_memberships(tx: AsyncConnection, user_id: UserId) -> list[Membership]:
    """In the order in which the user came to them."""
    query = (
        select(organization.c.uuid, organization.c.title, organization.c.personal_user_id, member.c.level)
        .join(member, member.c.organization_id == organization.c.id)
        .where(member.c.user_id == user_id)
        .order_by(member.c.created_at, organization.c.id)
    )
    return [
        Membership(uuid, title, MemberLevel(level), is_personal=personal_user_id == user_id)
        for uuid, title, personal_user_id, level in await tx.execute(query)
    ]
