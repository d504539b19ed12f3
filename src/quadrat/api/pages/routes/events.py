"""Server-sent events: every change of the caller's jobs, from where the page last heard."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from typing import Annotated

import msgspec
from fastapi import Header, Request
from starlette.responses import StreamingResponse

from quadrat.api.events import EventHub, JobChanged, LinesWritten, Missed, News, jobs_of, lines_of
from quadrat.api.guard import new_router
from quadrat.api.pages.auth import SignedIn
from quadrat.api.pages.convert import to_job_card
from quadrat.db.engine import Database
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.actions.access import open_project
from quadrat.identity.authenticator import Authenticator
from quadrat.identity.types import Caller
from quadrat.jobs import actions
from quadrat.jobs.types import Job, JobFilter, JobId

router = new_router("Events")

IsOpen = Callable[[], Awaitable[bool]]

_BEGIN = b"retry: 1000\n\n"
_STILL_HERE = b": still here\n\n"
_MISSED = b"event: missed\ndata: {}\n\n"
_LINES = b"event: lines\ndata: {}\n\n"
_KEEP_ALIVE_S = 15.0
_CATCH_UP = 200


@router.get("/events", operation_id="events_stream", response_class=StreamingResponse)
async def events_stream(
    caller: SignedIn, request: Request, last_event_id: Annotated[str | None, Header()] = None
) -> StreamingResponse:
    """Events `job`, each with the job as data and its time as id; ``Last-Event-ID`` continues after a break."""
    since = _read_id(last_event_id)
    body = job_events(request.state.db, request.state.events, caller, since, _still_open(request))
    return _as_stream(body)


@router.get("/projects/{project_id}/logs/events", operation_id="log_events_stream", response_class=StreamingResponse)
async def log_events_stream(project_id: int, caller: SignedIn, request: Request) -> StreamingResponse:
    """Events `lines` whenever new lines stand in the project's logs; the lines themselves are asked of the logs."""
    db: Database = request.state.db
    async with db.begin() as tx:
        await open_project(tx, caller, project_id, "projects.logs.get")
    return _as_stream(line_events(request.state.events, project_id, _still_open(request)))


def _as_stream(body: AsyncIterator[bytes]) -> StreamingResponse:
    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
    return StreamingResponse(body, media_type="text/event-stream", headers=headers)


def _still_open(request: Request) -> IsOpen:
    secret = request.headers["authorization"].partition(" ")[2].strip()
    authenticator: Authenticator = request.state.authenticator

    async def is_open() -> bool:
        try:
            await authenticator.caller(secret)
        except QuadratError as error:
            return error.kind is not ErrorKind.UNAUTHENTICATED
        return True

    return is_open


def _read_id(last_event_id: str | None) -> datetime | None:
    if not last_event_id:
        return None
    try:
        return datetime.fromisoformat(last_event_id)
    except ValueError:
        raise QuadratError(ErrorKind.INVALID, "Last-Event-ID must be an id that this stream has sent.") from None


async def job_events(
    db: Database, hub: EventHub, caller: Caller, since: datetime | None, is_open: IsOpen
) -> AsyncIterator[bytes]:
    """The jobs of one caller as events, until the server stops or the session ends.

    Args:
        db: Where the jobs are.
        hub: Tells of changes.
        caller: Whose jobs.
        since: Begin with what has changed after this.
        is_open: Whether the session still is; asked before anything is told.
    """
    with hub.subscribe(jobs_of(caller)) as queue:
        yield _BEGIN
        if since is not None:
            for job in await _changed_since(db, caller, since):
                yield _event(job)
        async for news in _news(queue, is_open):
            if isinstance(news, JobChanged):
                changed = await _find(db, caller, JobId(news.job_id))
                if changed is not None:
                    yield _event(changed)
            else:
                yield _MISSED if news is not None else _STILL_HERE


async def line_events(hub: EventHub, project_id: int, is_open: IsOpen) -> AsyncIterator[bytes]:
    """That a project's logs have grown, as often as that happens."""
    with hub.subscribe(lines_of(project_id)) as queue:
        yield _BEGIN
        async for news in _news(queue, is_open):
            yield _STILL_HERE if news is None else _LINES


async def _news(
    queue: "asyncio.Queue[News]", is_open: IsOpen
) -> AsyncIterator[JobChanged | LinesWritten | Missed | None]:
    """What comes through a subscription, None for a while of nothing, until the server or the session ends."""
    while True:
        try:
            news = await asyncio.wait_for(queue.get(), _KEEP_ALIVE_S)
        except TimeoutError:
            if not await is_open():
                return
            yield None
            continue
        if news is None or not await is_open():
            return
        yield news


async def _changed_since(db: Database, caller: Caller, since: datetime) -> list[Job]:
    async with db.begin() as tx:
        found = await actions.list_jobs(tx, caller, JobFilter(changed_after=since), limit=_CATCH_UP)
    return sorted(found, key=lambda job: job.updated_at)


async def _find(db: Database, caller: Caller, job_id: JobId) -> Job | None:
    try:
        async with db.begin() as tx:
            return await actions.get_job(tx, caller, job_id)
    except QuadratError:
        return None  # deleted meanwhile


def _event(job: Job) -> bytes:
    data = msgspec.json.encode(to_job_card(job).model_dump(mode="json"))
    return b"id: " + job.updated_at.isoformat().encode() + b"\nevent: job\ndata: " + data + b"\n\n"
