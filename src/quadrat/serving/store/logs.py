"""Lines of logs: written in blocks, read in windows. What a line belongs to stands apart, once for many lines."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Executable,
    FromClause,
    Select,
    TextualSelect,
    delete,
    func,
    lateral,
    select,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.identity.tables import project
from quadrat.identity.types import ProjectId
from quadrat.serving.log_types import LogEntry, LogFilter, LogPlace
from quadrat.serving.rules.logs import Window
from quadrat.serving.tables import log, log_source
from quadrat.serving.types import VersionId

_COPY = (
    "COPY serving.log (source_id, id, project_id, system, request_id, pipeline_request_id, text) "
    "FROM STDIN (FORMAT BINARY)"
)
_TYPES = ("int8", "bytea", "int8", "bool", "uuid", "uuid", "text")

_COLUMNS = (log.c.source_id, log.c.id, log.c.request_id, log.c.pipeline_request_id, log.c.system, log.c.text)
_OF_SOURCE = (
    f"(SELECT {', '.join(column.name for column in _COLUMNS)} FROM {log.fullname} "  # noqa: S608 - our own names
    "WHERE system = {system} AND source_id = {source} AND id >= :first AND id <= :last ORDER BY id {way} LIMIT :most)"
)

# More sources than these are not named one by one in a statement: planning it would take too long.
_NAMED_SOURCES = 128

# Of many sources, this many pages of ids are looked at to find where the page ends.
_LOOKED_AT_PAGES = 20

EVERYTHING = LogFilter()
"""Lets all lines through."""

Source = tuple[int, bool]
"""The number under which lines are written, and whether they are the system's."""

Found = tuple[int, bytes, UUID | None, UUID | None, bool, str]
"""Source, id, request, request of a pipeline, system, text."""


async def find_source(tx: AsyncConnection, place: LogPlace, *, system: bool) -> int:
    """The number under which lines of this place are written."""
    values = {
        "project_id": place.project_id,
        "version_id": place.version_id,
        "pipeline_id": place.pipeline_id,
        "pipeline_object_id": place.pipeline_object_id,
        "connector_id": place.connector_id,
        "system": system,
    }
    query = select(log_source.c.id).where(
        *(log_source.c[name].is_not_distinct_from(value) for name, value in values.items())
    )
    found = (await tx.execute(query)).scalar_one_or_none()
    if found is not None:
        return found
    made = insert(log_source).values(values).on_conflict_do_nothing().returning(log_source.c.id)
    return (await tx.execute(made)).scalar_one_or_none() or (await tx.execute(query)).scalar_one()


async def append_lines(tx: AsyncConnection, entries: Sequence[tuple[int, LogEntry]]) -> None:
    """Write a block of lines, each with the number of its source."""
    raw = await tx.get_raw_connection()
    connection = raw.driver_connection
    assert connection is not None  # noqa: S101 - the transaction is open
    async with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        copy.set_types(_TYPES)
        for source_id, entry in entries:
            await copy.write_row(
                (
                    source_id,
                    entry.id,
                    entry.place.project_id,
                    entry.system,
                    entry.request_id,
                    entry.place.pipeline_request_id,
                    entry.text,
                )
            )


async def list_sources(tx: AsyncConnection, project_id: ProjectId, wanted: LogFilter) -> list[Source]:
    """The sources in the project that a filter lets through."""
    query = select(log_source.c.id, log_source.c.system).where(log_source.c.project_id == project_id)
    if wanted.version_ids is not None:
        query = query.where(log_source.c.version_id.in_(wanted.version_ids))
    for column, value in (
        (log_source.c.pipeline_id, wanted.pipeline_id),
        (log_source.c.pipeline_object_id, wanted.pipeline_object_id),
        (log_source.c.connector_id, wanted.connector_id),
        (log_source.c.system, wanted.system),
    ):
        if value is not None:
            query = query.where(column == value)
    return [(*row,) for row in await tx.execute(query)]


async def find_places(tx: AsyncConnection, ids: Collection[int]) -> dict[int, LogPlace]:
    """What the lines of sources belong to."""
    query = select(
        log_source.c.id,
        log_source.c.project_id,
        log_source.c.version_id,
        log_source.c.pipeline_id,
        log_source.c.pipeline_object_id,
        log_source.c.connector_id,
    ).where(log_source.c.id.in_(ids))
    return {
        id_: LogPlace(
            ProjectId(project_id),
            None if version_id is None else VersionId(version_id),
            pipeline_id,
            object_id,
            connector_id,
        )
        for id_, project_id, version_id, pipeline_id, object_id, connector_id in await tx.execute(query)
    }


async def list_lines(
    tx: AsyncConnection,
    project_id: ProjectId,
    wanted: LogFilter,
    sources: Sequence[Source] | None,
    page: tuple[Window, int],
) -> list[Found]:
    """The lines in a window, from its near end on.

    Args:
        tx: The transaction.
        project_id: Where.
        wanted: Requests, and system; the rest of it is in `sources`.
        sources: Only lines of these; None when any source of the project will do.
        page: The window, and the most lines.
    """
    query: Executable
    if wanted.request_id is not None or wanted.pipeline_request_id is not None:
        query = _of_request(project_id, wanted, sources, page)
    elif sources is None:
        query = _select_in(page[0], *_COLUMNS).where(log.c.project_id == project_id).limit(page[1])
        if wanted.system is not None:
            query = query.where(log.c.system == wanted.system)
    elif len(sources) <= _NAMED_SOURCES:
        query = _merge(sources, page)
    else:
        query = _merge_many(sources, page)
    return [(*row,) for row in await tx.execute(query)]


def _of_request(
    project_id: ProjectId, wanted: LogFilter, sources: Sequence[Source] | None, page: tuple[Window, int]
) -> Select[Any]:
    """The first lines of a request.

    A request is of one project: that it is of this one is asked last, so that the database is not tempted to read
    through the lines of the project until it meets enough of the request's.
    """
    query = _select_in(page[0], *_COLUMNS, log.c.project_id).limit(page[1])
    for column, value in (
        (log.c.request_id, wanted.request_id),
        (log.c.pipeline_request_id, wanted.pipeline_request_id),
        (log.c.system, wanted.system),
    ):
        if value is not None:
            query = query.where(column == value)
    if sources is not None:
        query = query.where(log.c.source_id.in_([id_ for id_, _system in sources]))
    lines = query.subquery()
    ordered = lines.c.id.desc() if page[0].newest_first else lines.c.id
    found = [lines.c[column.name] for column in _COLUMNS]
    return select(*found).where(lines.c.project_id == project_id).order_by(ordered)


def _merge(sources: Sequence[Source], page: tuple[Window, int]) -> TextualSelect:
    """The first lines of all sources: the index of each gives them in order, and the merge takes no more than it needs.

    Written as text because the same as a hundred selects takes longer to compile than the database takes to answer.
    """
    window, limit = page
    way = "DESC" if window.newest_first else "ASC"
    parts = " UNION ALL ".join(
        _OF_SOURCE.format(source=int(id_), system=bool(system), way=way) for id_, system in sources
    )
    query = text(f"SELECT * FROM ({parts}) AS line ORDER BY id {way} LIMIT :most")  # noqa: S608 - numbers and constants
    return query.bindparams(first=window.first, last=window.last, most=limit).columns(*_COLUMNS)


def _merge_many(sources: Sequence[Source], page: tuple[Window, int]) -> Select[Any]:
    """The same of any number of sources: all lines of each up to where the page must end by then."""
    window, limit = page
    bound = _far_end(sources, page)
    source, of_source = _unnest(sources)
    lines = _select_in(window, *_COLUMNS).where(
        *of_source, log.c.id >= bound if window.newest_first else log.c.id <= bound
    )
    inner = lateral(lines.limit(limit)).alias("line")
    query = select(*inner.c).select_from(source.join(inner, true()))
    return query.order_by(inner.c.id.desc() if window.newest_first else inner.c.id).limit(limit)


def _far_end(sources: Sequence[Source], page: tuple[Window, int]) -> ColumnElement[bytes]:
    """An id beyond which no line of the page is, found by looking at only some ids of each source."""
    window, limit = page
    source, of_source = _unnest(sources)
    some = _select_in(window, log.c.id).where(*of_source)
    inner = lateral(some.limit(-(-_LOOKED_AT_PAGES * limit // len(sources)))).alias("some")
    near = select(inner.c.id).select_from(source.join(inner, true()))
    near = near.order_by(inner.c.id.desc() if window.newest_first else inner.c.id).offset(limit - 1).limit(1)
    return func.coalesce(near.scalar_subquery(), window.first if window.newest_first else window.last)


def _unnest(sources: Sequence[Source]) -> tuple[FromClause, tuple[ColumnElement[bool], ...]]:
    """Sources as rows, and what makes a line one of theirs."""
    ids, systems = [id_ for id_, _system in sources], [system for _id, system in sources]
    rows = func.unnest(ids, systems).table_valued("id", "system").render_derived()
    return rows, (log.c.source_id == rows.c.id, log.c.system == rows.c.system)


def _select_in(window: Window, *columns: Any) -> Select[Any]:
    query = select(*columns).where(log.c.id >= window.first, log.c.id <= window.last)
    return query.order_by(log.c.id.desc() if window.newest_first else log.c.id)


async def delete_before(tx: AsyncConnection, source_id: int, id_: bytes, limit: int) -> int:
    """Forget the oldest lines of a source that are older than this id; returns how many."""
    old = select(log.c.id).where(log.c.source_id == source_id, log.c.id < id_).order_by(log.c.id).limit(limit)
    return (await tx.execute(delete(log).where(log.c.source_id == source_id, log.c.id.in_(old)))).rowcount


async def list_missing_sources(tx: AsyncConnection) -> list[int]:
    """Sources of projects that are gone."""
    known = select(project.c.id)
    query = select(log_source.c.id).where(log_source.c.project_id.not_in(known)).order_by(log_source.c.id)
    return list((await tx.execute(query)).scalars())


async def delete_source(tx: AsyncConnection, source_id: int) -> None:
    """Forget a source; after its lines."""
    await tx.execute(delete(log_source).where(log_source.c.id == source_id))
