"""Rows of direct requests that have ended, and what is known of any request by its id."""

import asyncio
import struct
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, ScalarSelect, delete, func, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.serving.outcomes import Outcome
from quadrat.serving.tables import direct_request, payload, request
from quadrat.serving.types import RequestRecord, RequestState, VersionId

_COPY = (
    "COPY serving.direct_request (id, version_id, success, created_at, finished_at, input_bytes, output_bytes, "
    "started_at, error_message) FROM STDIN (FORMAT BINARY)"
)
# PostgreSQL's binary COPY: the number of columns, then length and value of each. Rows are packed here because there
# may be ten thousand in a second; through the driver's general way each costs as much as the model itself.
_HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
_COLUMNS = ">hi16siqi?iqiqiqiq"
_ROW = struct.Struct(_COLUMNS)
# That of a request that the model has answered well, nearly all: with its start and without a message.
_GOOD_ROW = struct.Struct(_COLUMNS + "iqi")
_TIME = struct.Struct(">iq")
_LENGTH = struct.Struct(">i")
_NULL = _LENGTH.pack(-1)
_END = struct.pack(">h", -1)
_PIECE = 500
_POSTGRES_EPOCH_US = 946_684_800_000_000
_MAX_MESSAGE = 2000


async def append(tx: AsyncConnection, rows: Sequence[bytes]) -> None:
    """Write a block of requests, each made by `to_row`. Between pieces of it others have their turn."""
    raw = await tx.get_raw_connection()
    connection = raw.driver_connection
    assert connection is not None  # noqa: S101 - the transaction is open
    async with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        await copy.write(_HEADER)
        for start in range(0, len(rows), _PIECE):
            await copy.write(b"".join(rows[start : start + _PIECE]))
            await asyncio.sleep(0)
        await copy.write(_END)


async def find_record(tx: AsyncConnection, version_id: VersionId, request_id: UUID) -> RequestRecord | None:
    """What is known of a request of the version."""
    return await _find_batch(tx, version_id, request_id) or await _find_direct(tx, version_id, request_id)


async def has_before(tx: AsyncConnection, moment: datetime) -> bool:
    """Whether there are rows of direct requests from before a moment."""
    query = select(direct_request.c.id).where(direct_request.c.id < _first_id_at(moment)).limit(1)
    return (await tx.execute(query)).first() is not None


async def delete_before(tx: AsyncConnection, moment: datetime, limit: int) -> int:
    """Remove old rows of direct requests; returns how many there were, at most `limit`."""
    oldest = select(direct_request.c.id).where(direct_request.c.id < _first_id_at(moment)).order_by(direct_request.c.id)
    return (await tx.execute(delete(direct_request).where(direct_request.c.id.in_(oldest.limit(limit))))).rowcount


async def _find_batch(tx: AsyncConnection, version_id: VersionId, request_id: UUID) -> RequestRecord | None:
    query = select(
        request.c.state,
        request.c.error_message,
        request.c.created_at,
        request.c.started_at,
        request.c.finished_at,
        func.coalesce(func.octet_length(request.c.data), _size_of(request.c.data_payload_id), literal(0)),
        func.coalesce(func.octet_length(request.c.result), _size_of(request.c.result_payload_id), literal(0)),
    ).where(request.c.version_id == version_id, request.c.id == request_id)
    row = (await tx.execute(query)).one_or_none()
    return None if row is None else RequestRecord(request_id, True, RequestState(row[0]), *row[1:])


async def _find_direct(tx: AsyncConnection, version_id: VersionId, request_id: UUID) -> RequestRecord | None:
    query = select(
        direct_request.c.success,
        direct_request.c.error_message,
        direct_request.c.created_at,
        direct_request.c.started_at,
        direct_request.c.finished_at,
        direct_request.c.input_bytes,
        direct_request.c.output_bytes,
    ).where(direct_request.c.version_id == version_id, direct_request.c.id == request_id)
    row = (await tx.execute(query)).one_or_none()
    if row is None:
        return None
    state = RequestState.COMPLETED if row[0] else RequestState.FAILED
    return RequestRecord(request_id, False, state, *row[1:])


def _size_of(payload_id: ColumnElement[UUID | None]) -> ScalarSelect[int]:
    return select(payload.c.size_bytes).where(payload.c.id == payload_id).scalar_subquery()


def to_row(outcome: Outcome) -> bytes:
    """A request that has ended, as `append` takes it: a tenth of the memory, and nothing of the answer is kept."""
    request_id, deployment, _, answer, input_bytes, queued_ns, started_ns, finished_ns, _, _ = outcome
    columns = (
        9,
        16,
        request_id.bytes,
        8,
        deployment.version_id,
        1,
        answer.success,
        8,
        queued_ns // 1000 - _POSTGRES_EPOCH_US,
        8,
        finished_ns // 1000 - _POSTGRES_EPOCH_US,
        8,
        input_bytes,
        8,
        0 if answer.result is None else len(answer.result),
    )
    if answer.error_message is None and started_ns is not None:
        return _GOOD_ROW.pack(*columns, 8, started_ns // 1000 - _POSTGRES_EPOCH_US, -1)
    fixed = _ROW.pack(*columns)
    started = _NULL if started_ns is None else _TIME.pack(8, started_ns // 1000 - _POSTGRES_EPOCH_US)
    if answer.error_message is None:
        return fixed + started + _NULL
    message = answer.error_message[:_MAX_MESSAGE].encode("utf-8", "replace")
    return fixed + started + _LENGTH.pack(len(message)) + message


def _first_id_at(moment: datetime) -> UUID:
    """The smallest id that a request of this moment can have: ids begin with Unix milliseconds."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)
