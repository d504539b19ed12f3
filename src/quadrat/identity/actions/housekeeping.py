"""What identity knows of things that have to go one day."""

from collections.abc import Collection, Sequence
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base.clock import now
from quadrat.identity.store import audit as audit_store
from quadrat.identity.store import projects as project_store
from quadrat.identity.store import subscriptions as plan_store
from quadrat.identity.store import users as user_store

AUDIT_KEPT = timedelta(days=731)


async def list_log_retention(tx: AsyncConnection) -> Sequence[tuple[int, int]]:
    """(project, days) of every project whose subscription says how long lines of logs are kept."""
    return await plan_store.list_retention(tx)


async def forget_old_audit(tx: AsyncConnection) -> int:
    """Forget what the audit trail has kept for two years; returns how many entries."""
    return await audit_store.delete_before(tx, now() - AUDIT_KEPT)


async def list_missing_projects(tx: AsyncConnection, ids: Collection[int]) -> Sequence[int]:
    """Those of the numbers that are no project's any more."""
    known = await project_store.list_known(tx, ids)
    return sorted(set(ids) - known)


async def list_missing_users(tx: AsyncConnection, ids: Collection[int]) -> Sequence[int]:
    """Those of the numbers that are no user's any more."""
    known = await user_store.list_known(tx, ids)
    return sorted(set(ids) - known)
