"""Reading the logs of a project."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base.clock import now
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.actions.access import ProjectRef, open_project
from quadrat.identity.types import Caller
from quadrat.serving.log_types import FoundLine, LogFilter, Names
from quadrat.serving.rules.logs import MAX_LINES, window
from quadrat.serving.store import log_names
from quadrat.serving.store import logs as store


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Which lines are asked for.

    Args:
        names: Names of a model, a version, a pipeline, an object of it, a connector.
        start: A moment, or the id of a line; None for now.
        range_s: Seconds from there on, towards the future or the past.
        limit: Most lines, counted from the start.
    """

    names: Names
    request_id: UUID | None
    pipeline_request_id: UUID | None
    system: bool | None
    start: datetime | bytes | None
    range_s: int
    limit: int


async def list_logs(tx: AsyncConnection, caller: Caller, ref: ProjectRef, asked: LogQuery) -> Sequence[FoundLine]:
    """Lines of a project's logs, from the start on in the direction asked for; an unknown name finds none.

    Raises:
        QuadratError: not_found, forbidden; invalid.
    """
    project = await open_project(tx, caller, ref, "projects.logs.get")
    if not 1 <= asked.limit <= MAX_LINES:
        raise QuadratError(ErrorKind.INVALID, f"The limit is from 1 to {MAX_LINES}.", field="limit")
    if asked.names.version is not None and asked.names.model is None:
        raise QuadratError(ErrorKind.INVALID, "model_version needs model_name.", field="model_version")
    if asked.names.pipeline_object is not None and asked.names.pipeline is None:
        raise QuadratError(ErrorKind.INVALID, "pipeline_object_name needs pipeline_name.", field="pipeline_object_name")
    looked_in = window(now() if asked.start is None else asked.start, asked.range_s)
    found = await log_names.find_objects(tx, project.id, asked.names)
    if found is None:
        return []
    wanted = LogFilter(
        found.version_ids,
        found.pipeline_id,
        found.pipeline_object_id,
        found.connector_id,
        asked.request_id,
        asked.pipeline_request_id,
        asked.system,
    )
    sources = None
    if wanted.is_for_sources:
        sources = await store.list_sources(tx, project.id, wanted)
        if not sources:
            return []
    lines = await store.list_lines(tx, project.id, wanted, sources, (looked_in, asked.limit))
    return await _with_names(tx, lines)


async def _with_names(tx: AsyncConnection, lines: Sequence[store.Found]) -> list[FoundLine]:
    places = await store.find_places(tx, {line[0] for line in lines})
    names = await log_names.names_of(tx, set(places.values()))
    nothing = Names()
    return [
        FoundLine(id_, text, names.get(places[source_id], nothing), request_id, pipeline_request_id, system)
        for source_id, id_, request_id, pipeline_request_id, system, text in lines
    ]
