"""Batch requests that the house itself has made for one of its jobs, and does not want any more."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.serving.signals import announce_deleted_requests, announce_pipeline_requests
from quadrat.serving.store import pipeline_requests, requests


async def withdraw_requests(tx: AsyncConnection, ids: Collection[UUID]) -> None:
    """Remove requests of any versions and pipelines; what waits or runs for them is cancelled.

    Nobody's right is looked at: whoever asked for the job may have lost it since. Those that are gone stay so.
    """
    for version_id in await requests.QUEUE.delete(tx, ids):
        await announce_deleted_requests(tx, version_id)
    for pipeline_id in await pipeline_requests.QUEUE.delete(tx, ids):
        await announce_pipeline_requests(tx, pipeline_id, deleted=True)
