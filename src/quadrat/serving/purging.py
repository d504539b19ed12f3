"""The daily job of serving: removes what is older than it is to be, and what projects that are gone have left."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import structlog

from quadrat.base.clock import now
from quadrat.db.engine import Database
from quadrat.identity.actions.housekeeping import forget_old_audit, list_log_retention
from quadrat.identity.types import ProjectId
from quadrat.jobs.registry import Handler, JobContext
from quadrat.serving.actions.housekeeping import PURGE, purge_tomorrow
from quadrat.serving.actions.packages import clean_later
from quadrat.serving.rules.logs import ID_BYTES, first_id_at
from quadrat.serving.rules.metrics import Grain
from quadrat.serving.store import logs as log_store
from quadrat.serving.store import metrics as metric_store

_log = structlog.get_logger(__name__)
_BLOCK = 10_000
_KEPT = {Grain.MINUTE: timedelta(days=35), Grain.HOUR: timedelta(days=400)}
_END = b"\xff" * ID_BYTES


async def purge(context: JobContext[Any], params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Remove old lines and counts, and those of projects that are gone. Safe to repeat."""
    removed = {"lines": await _purge_logs(context.db), "counts": await _purge_metrics(context.db)}
    async with context.db.begin() as tx:
        removed["audit"] = await forget_old_audit(tx)
        await clean_later(tx)
        if params.get("daily"):
            await purge_tomorrow(tx, PURGE)
    _log.info("serving.purged", **removed)
    return removed


async def _purge_logs(db: Database) -> int:
    removed = 0
    async with db.begin() as tx:
        missing = await log_store.list_missing_sources(tx)
        retention = await list_log_retention(tx)
    for source_id in missing:
        removed += await _delete_lines(db, source_id, _END)
        async with db.begin() as tx:
            await log_store.delete_source(tx, source_id)
    for project_id, days in retention:
        before = first_id_at(now() - timedelta(days=days))
        async with db.begin() as tx:
            sources = await log_store.list_sources(tx, ProjectId(project_id), log_store.EVERYTHING)
        for source_id, _system in sources:
            removed += await _delete_lines(db, source_id, before)
    return removed


async def _delete_lines(db: Database, source_id: int, before: bytes) -> int:
    removed = 0
    while True:
        async with db.begin() as tx:
            count = await log_store.delete_before(tx, source_id, before, _BLOCK)
        removed += count
        if count < _BLOCK:
            return removed


async def _purge_metrics(db: Database) -> int:
    async with db.begin() as tx:
        removed = await metric_store.delete_of_missing_projects(tx)
    for grain, kept in _KEPT.items():
        while True:
            async with db.begin() as tx:
                count = await metric_store.delete_before(tx, grain, now() - kept, _BLOCK)
            removed += count
            if count < _BLOCK:
                break
    return removed


HANDLERS = (Handler(PURGE, purge),)
