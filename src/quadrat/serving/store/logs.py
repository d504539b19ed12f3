"""Lines of models' logs, written in blocks."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.serving.types import LogEntry

_COPY = "COPY serving.log (id, at, project_id, version_id, request_id, system, text) FROM STDIN (FORMAT BINARY)"
_TYPES = ("text", "timestamptz", "int8", "int8", "uuid", "bool", "text")


async def append_lines(tx: AsyncConnection, entries: Sequence[LogEntry]) -> None:
    """Write a block of lines."""
    raw = await tx.get_raw_connection()
    connection = raw.driver_connection
    assert connection is not None  # noqa: S101 - the transaction is open
    async with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        copy.set_types(_TYPES)
        for entry in entries:
            await copy.write_row(
                (
                    entry.id,
                    entry.at,
                    entry.project_id,
                    entry.version_id,
                    entry.request_id,
                    entry.system,
                    entry.text,
                )
            )
