"""Batch requests, as their owner sees them. The engine works on them."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base.ids import new_uuid
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.types import Caller
from quadrat.serving.actions.access import VersionPath, open_version
from quadrat.serving.actions.blobs import find_blobs
from quadrat.serving.rules.values import blobs_in, check_input
from quadrat.serving.rules.versions import refuse_unless_available
from quadrat.serving.signals import announce_deleted_requests, announce_requests
from quadrat.serving.store import journal
from quadrat.serving.store import requests as store
from quadrat.serving.types import BatchRequest, BatchRequestSummary, RequestFilter, RequestRecord, Version, VersionId

MAX_ITEMS = 250
_IN_ROWS: Mapping[int, UUID] = {}


async def check_requests(tx: AsyncConnection, caller: Caller, path: VersionPath, items: Sequence[bytes]) -> Version:
    """Whether these requests may be made, and would be accepted now.

    Args:
        tx: The transaction.
        caller: Who asks.
        path: The version.
        items: The request data of each, as JSON text.

    Returns:
        The version.

    Raises:
        QuadratError: not_found, forbidden; wrong_state before the version is available; invalid.
    """
    project, model, version = await open_version(tx, caller, path, "models.versions.requests.create")
    refuse_unless_available(version.status)
    if not 1 <= len(items) <= MAX_ITEMS:
        raise QuadratError(ErrorKind.INVALID, f"One call takes 1 to {MAX_ITEMS} requests, not {len(items)}.")
    for item in items:
        check_input(model.input, item)
    if model.input.file_fields:
        await find_blobs(tx, project.id, [id_ for item in items for id_ in blobs_in(model.input, item)])
    return version


async def create_requests(
    tx: AsyncConnection,
    caller: Caller,
    path: VersionPath,
    items: Sequence[bytes],
    payloads: Mapping[int, UUID] = _IN_ROWS,
) -> tuple[list[UUID], datetime]:
    """Accept requests, all or none.

    Args:
        tx: The transaction.
        caller: Who asks.
        path: The version.
        items: The request data of each, as JSON text.
        payloads: For those of the items, by their position, that lie in the store already: under which payload.

    Returns:
        Their ids in the order of the items, and the time of their creation.

    Raises:
        QuadratError: As `check_requests`.
    """
    version = await check_requests(tx, caller, path, items)
    return await _insert(tx, version.id, items, payloads)


async def accept_requests(
    tx: AsyncConnection, version_id: VersionId, items: Sequence[bytes], payloads: Mapping[int, UUID] = _IN_ROWS
) -> list[UUID]:
    """Accept requests whose data was checked when they were planned; what does not fit any more fails when it runs."""
    return (await _insert(tx, version_id, items, payloads))[0]


async def _insert(
    tx: AsyncConnection, version_id: VersionId, items: Sequence[bytes], payloads: Mapping[int, UUID]
) -> tuple[list[UUID], datetime]:
    # Ids sort by time, but only between milliseconds.
    ids = sorted(new_uuid() for _ in items)
    stored = {ids[position]: payload_id for position, payload_id in payloads.items()}
    created_at = await store.insert_requests(tx, version_id, dict(zip(ids, items, strict=True)), stored)
    await announce_requests(tx, version_id)
    return ids, created_at


async def get_requests(
    tx: AsyncConnection, caller: Caller, path: VersionPath, ids: Collection[UUID]
) -> Sequence[BatchRequest]:
    """All of these requests, in the order of the ids; each once.

    Raises:
        QuadratError: forbidden; invalid when there are too many; not_found when one of them does not exist.
    """
    _, _, version = await open_version(tx, caller, path, "models.versions.requests.get")
    _refuse_too_many(ids)
    found = {item.id: item for item in await store.list_requests(tx, version.id, ids)}
    _refuse_missing(ids, found)
    return [found[id_] for id_ in dict.fromkeys(ids)]


async def get_record(tx: AsyncConnection, caller: Caller, path: VersionPath, request_id: UUID) -> RequestRecord:
    """When a request of the version was accepted, begun and finished, whether direct or batch.

    Raises:
        QuadratError: forbidden; not_found.
    """
    _, _, version = await open_version(tx, caller, path, "models.versions.requests.get")
    record = await journal.find_record(tx, version.id, request_id)
    if record is None:
        raise _missing(request_id)
    return record


async def list_requests(
    tx: AsyncConnection,
    caller: Caller,
    path: VersionPath,
    wanted: RequestFilter,
    page: tuple[int, int],
    *,
    newest_first: bool,
) -> Sequence[BatchRequestSummary]:
    """The batch requests of a version that are wanted, in order of creation; `page` is (offset, limit).

    Raises:
        QuadratError: not_found, forbidden.
    """
    _, _, version = await open_version(tx, caller, path, "models.versions.requests.list")
    return await store.QUEUE.page(tx, version.id, wanted, page, newest_first=newest_first)


async def delete_requests(tx: AsyncConnection, caller: Caller, path: VersionPath, ids: Collection[UUID]) -> None:
    """Remove all of these requests or none. What waits or runs for them is cancelled.

    Raises:
        QuadratError: forbidden; invalid when there are too many; not_found when one of them does not exist.
    """
    _, _, version = await open_version(tx, caller, path, "models.versions.requests.delete")
    _refuse_too_many(ids)
    _refuse_missing(ids, await store.QUEUE.lock(tx, version.id, ids))
    await store.QUEUE.delete(tx, ids)
    await announce_deleted_requests(tx, version.id)


def _refuse_too_many(ids: Collection[UUID]) -> None:
    if len(ids) > MAX_ITEMS:
        raise QuadratError(ErrorKind.INVALID, f"One call takes at most {MAX_ITEMS} ids, not {len(ids)}.")


def _refuse_missing(ids: Collection[UUID], found: Collection[UUID]) -> None:
    missing = next((id_ for id_ in ids if id_ not in found), None)
    if missing is not None:
        raise _missing(missing)


def _missing(request_id: UUID) -> QuadratError:
    return QuadratError(ErrorKind.NOT_FOUND, f"Request {request_id} does not exist for this version.")
