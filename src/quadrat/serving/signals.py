"""What wakes the engines of all processes: sent in the transaction that changes something, released by its commit."""

from collections.abc import Collection

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.db.notify import notify
from quadrat.serving.types import VersionId

VERSIONS = "quadrat_serving_versions"
"""Payload: the number of a version that changed or went, or nothing when any of them may have."""

REQUESTS = "quadrat_serving_requests"
"""Payload: the number of a version whose batch requests wait; with a minus sign when some were deleted."""

PIPELINES = "quadrat_serving_pipelines"
"""Payload: nothing; a pipeline or something in one has changed or gone."""

PIPELINE_REQUESTS = "quadrat_serving_pipeline_requests"
"""Payload: the number of a pipeline whose batch requests wait; with a minus sign when some were deleted."""

DELIVERIES = "quadrat_serving_deliveries"
"""Payload: the number of a connector for which messages wait, or which has changed."""

LOGS = "quadrat_serving_logs"
"""Payload: the number of a project in whose logs new lines stand."""


async def announce_version(tx: AsyncConnection, version_id: VersionId) -> None:
    """Call in every transaction that changes or deletes a version."""
    await notify(tx, VERSIONS, str(version_id))


async def announce_models(tx: AsyncConnection) -> None:
    """Call in every transaction that changes or deletes a model or something else that many versions share."""
    await notify(tx, VERSIONS)


async def announce_requests(tx: AsyncConnection, version_id: VersionId) -> None:
    """Call in every transaction that lets batch requests wait."""
    await notify(tx, REQUESTS, str(version_id))


async def announce_deleted_requests(tx: AsyncConnection, version_id: VersionId) -> None:
    """Call in every transaction that deletes batch requests."""
    await notify(tx, REQUESTS, str(-version_id))


async def announce_lines(tx: AsyncConnection, project_ids: Collection[int]) -> None:
    """Call in every transaction that writes lines of logs."""
    for project_id in project_ids:
        await notify(tx, LOGS, str(project_id))


async def announce_pipelines(tx: AsyncConnection) -> None:
    """Call in every transaction that changes a pipeline, its graph, or a connector in it."""
    await notify(tx, PIPELINES)


async def announce_pipeline_requests(tx: AsyncConnection, pipeline_id: int, *, deleted: bool = False) -> None:
    """Call in every transaction that lets batch requests of a pipeline wait, or deletes some."""
    await notify(tx, PIPELINE_REQUESTS, str(-pipeline_id if deleted else pipeline_id))


async def announce_deliveries(tx: AsyncConnection, connector_id: int) -> None:
    """Call in every transaction that lets messages for a connector wait, or changes it."""
    await notify(tx, DELIVERIES, str(connector_id))
