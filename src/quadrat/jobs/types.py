"""What users see of work that outlives a request."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NewType
from uuid import UUID

from quadrat.identity.types import ProjectId, UserId

JobId = NewType("JobId", int)
DEFAULT_QUEUE = "default"


class JobState(StrEnum):
    """Where a job stands; `quadrat.jobs.rules` says which follows which."""

    PENDING = "pending"
    RUNNING = "running"
    ASKING = "asking"
    FAILED = "failed"
    FINISHED = "finished"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class ResultFile:
    """A file that a job made.

    Args:
        key: Of its bytes in the store.
        filename: As a download is called.
        media_type: Of its bytes.
    """

    key: str
    filename: str
    media_type: str


@dataclass(frozen=True, slots=True)
class Queueing:
    """How a job waits for its turn.

    Args:
        after: Not before this long from now.
        lock: Jobs with the same lock run one at a time, on whatever worker, e.g. ``import:<project id>``. A job that
            waits for its next attempt, or for its time to come, keeps those behind it waiting; one that waits for an
            answer does not.
        once: Nothing new when the same job (kind, params, owner, project) waits already: it will see what this
            transaction does, because it cannot start before that commits.
        queue: Workers may be told to serve some queues only.
    """

    after: timedelta | None = None
    lock: str | None = None
    once: bool = False
    queue: str = DEFAULT_QUEUE


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs to list; None leaves a thing open.

    Args:
        kinds: Names of handlers.
        states: Where they stand.
        project_id: Of one project.
        changed_after: That have changed since.
        about: With these among the values for their handler.
    """

    kinds: frozenset[str] | None = None
    states: frozenset[JobState] | None = None
    project_id: ProjectId | None = None
    changed_after: datetime | None = None
    about: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """One job.

    Args:
        id: Number.
        uuid: The same for APIs that speak UUID.
        kind: Name of the handler, e.g. ``serving.build``.
        owner_id: Who asked for it; None for the house's own work.
        project_id: Where; None when it belongs to no project.
        state: Where it stands.
        progress_percent: 0 to 100; None before the first run says so.
        progress_message: What it is doing, in a few words.
        params: What was asked for.
        result: What came out, once finished.
        errors: Why it failed, for whoever asked for it.
        question: What has to be answered before it goes on.
        reply: The answers so far.
        result_file: The file that it made.
        attempt: How often it has been started.
        cancel_requested: True from the moment someone cancelled it while it ran.
        created_at: When it was asked for.
        updated_at: When anything of this last changed.
        started_at: When it first ran.
        finished_at: When it ended; None while it may still go on.
    """

    id: JobId
    uuid: UUID
    kind: str
    owner_id: UserId | None
    project_id: ProjectId | None
    state: JobState
    progress_percent: int | None
    progress_message: str
    params: Mapping[str, Any]
    result: Mapping[str, Any]
    errors: tuple[str, ...]
    question: Mapping[str, Any]
    reply: Mapping[str, Any]
    result_file: ResultFile | None
    attempt: int
    cancel_requested: bool
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class WorkerSeen:
    """A worker of any machine.

    Args:
        id: New with each start.
        seen_at: When it last said that it lives.
        running: Jobs that it is at.
    """

    id: int
    seen_at: datetime
    running: int
