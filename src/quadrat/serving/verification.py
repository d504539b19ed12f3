"""Jobs that try whether credentials and connectors really connect."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

from quadrat.base.sealing import Sealer, SealError
from quadrat.jobs.registry import Handler, JobContext
from quadrat.serving.actions.connectors import VERIFY_CONNECTOR, VERIFY_CREDENTIALS, find_spec, open_values
from quadrat.serving.connector_types import ConnectorId, ConnectorSpec, CredentialsId, Verification
from quadrat.serving.log_types import LogPlace
from quadrat.serving.logbook import LogBook
from quadrat.serving.rules.connectors import cut_error
from quadrat.serving.signals import announce_deliveries
from quadrat.serving.store import connectors as store
from quadrat.serving.targets.base import RefusedError, UnreachableError, unexpected_as_unreachable
from quadrat.serving.targets.places import Places


class VerificationResources(Protocol):
    """What a worker process has to offer these jobs."""

    @property
    def sealer(self) -> Sealer:
        """Opens credentials."""
        ...

    @property
    def places(self) -> Places:
        """Where connectors write to."""
        ...


class _NoBlobs:
    """Verifying writes nothing."""

    def fetch(self, blob_id: UUID) -> AbstractAsyncContextManager[tuple[str, Path]]:
        raise RefusedError(f"Blob {blob_id} is not written while a connector is verified.")


async def verify_credentials(
    context: JobContext[VerificationResources], params: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Try credentials without any table or bucket."""
    credentials_id, number = CredentialsId(int(params["credentials_id"])), int(params["number"])
    async with context.db.begin() as tx:
        found = await store.get_credentials(tx, credentials_id)
    if found is None or found.check != number:
        return {"outcome": "superseded"}
    problem = await _try(context, lambda: ConnectorSpec(found.type, open_values(context.resources.sealer, found)))
    status = Verification.AVAILABLE if problem is None else Verification.FAILED
    async with context.db.begin() as tx:
        await store.end_credentials_check(tx, credentials_id, number, status, cut_error(problem or ""))
    return {"outcome": status, "message": problem}


async def verify_connector(context: JobContext[VerificationResources], params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Try a connector: its bucket, stream or table with all columns."""
    connector_id, number = ConnectorId(int(params["connector_id"])), int(params["number"])
    try:
        async with context.db.begin() as tx:
            found = await find_spec(tx, context.resources.sealer, connector_id)
            connector = await store.get_connector(tx, connector_id)
    except SealError as error:
        return await _end(context, connector_id, number, str(error))
    if found is None or connector is None or connector.check != number:
        return {"outcome": "superseded"}
    problem = await _try(context, lambda: found[1])
    await _log(context, LogPlace(connector.project_id, connector_id=connector_id), problem)
    return await _end(context, connector_id, number, problem)


async def _end(
    context: JobContext[VerificationResources], connector_id: ConnectorId, number: int, problem: str | None
) -> Mapping[str, Any]:
    status = Verification.AVAILABLE if problem is None else Verification.FAILED
    async with context.db.begin() as tx:
        await store.end_connector_check(tx, connector_id, number, status, cut_error(problem or ""))
        if problem is None:
            # What waits for it is tried at once.
            await announce_deliveries(tx, connector_id)
    return {"outcome": status, "message": problem}


async def _try(context: JobContext[VerificationResources], spec: Any) -> str | None:
    """What keeps a place from being written to; None when nothing does."""
    target = None
    try:
        opened = spec()
        with unexpected_as_unreachable():
            target = await context.resources.places.open(opened, _NoBlobs())
            await target.verify()
    except (RefusedError, UnreachableError, SealError) as error:
        return cut_error(str(error)) or "The connection failed."
    finally:
        if target is not None:
            with suppress(Exception):
                await target.close()
    return None


async def _log(context: JobContext[VerificationResources], place: LogPlace, problem: str | None) -> None:
    logbook = LogBook(context.db)
    logbook.start()
    try:
        logbook.write(place, "The connector is verified." if problem is None else f"Verification failed: {problem}")
    finally:
        await logbook.stop()


HANDLERS = (Handler(VERIFY_CREDENTIALS, verify_credentials), Handler(VERIFY_CONNECTOR, verify_connector))
