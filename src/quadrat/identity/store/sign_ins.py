"""Failed attempts to sign in."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.identity.tables import sign_in_failure


async def lock_subjects(tx: AsyncConnection, subjects: Iterable[str]) -> None:
    """Let one transaction at a time count and add, so that a burst of attempts cannot slip through."""
    for subject in sorted(subjects):
        await tx.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(subject, 0))))


async def list_failures(tx: AsyncConnection, subject: str, since: datetime, limit: int) -> list[datetime]:
    """The newest failures, newest first."""
    query = (
        select(sign_in_failure.c.at)
        .where(sign_in_failure.c.subject == subject, sign_in_failure.c.at > since)
        .order_by(sign_in_failure.c.at.desc())
        .limit(limit)
    )
    return list((await tx.execute(query)).scalars())


async def insert_failures(tx: AsyncConnection, subjects: Iterable[str], at: datetime) -> list[int]:
    """One for each subject; returns their numbers."""
    statement = (
        insert(sign_in_failure)
        .values([{"subject": subject, "at": at} for subject in subjects])
        .returning(sign_in_failure.c.id)
    )
    return list((await tx.execute(statement)).scalars())


async def delete_failures(tx: AsyncConnection, ids: Iterable[int]) -> None:
    """These were none."""
    await tx.execute(delete(sign_in_failure).where(sign_in_failure.c.id.in_(list(ids))))


async def delete_failures_of(tx: AsyncConnection, subject: str) -> None:
    """Start counting anew."""
    await tx.execute(delete(sign_in_failure).where(sign_in_failure.c.subject == subject))


async def delete_failures_before(tx: AsyncConnection, at: datetime) -> None:
    """Forget what no longer counts; rows that another transaction is forgetting are left to it."""
    old = select(sign_in_failure.c.id).where(sign_in_failure.c.at <= at).with_for_update(skip_locked=True)
    await tx.execute(delete(sign_in_failure).where(sign_in_failure.c.id.in_(old)))
