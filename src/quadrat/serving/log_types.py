"""Lines of logs and what they belong to."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from quadrat.identity.types import ProjectId
from quadrat.serving.types import VersionId


@dataclass(frozen=True, slots=True)
class LogPlace:
    """What a line belongs to. All but the project may be missing.

    Args:
        version_id: The version whose build, instance or request it is.
        pipeline_id: The pipeline that ran.
        pipeline_object_id: The object of it.
        connector_id: The connector that was checked or written to.
        pipeline_request_id: The pipeline's request.
    """

    project_id: ProjectId
    version_id: VersionId | None = None
    pipeline_id: int | None = None
    pipeline_object_id: int | None = None
    connector_id: int | None = None
    pipeline_request_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One line.

    Args:
        id: 12 bytes, in order of time; the time is in them.
        place: What it belongs to.
        request_id: The request of a version that it came from.
        system: True for Quadrat's own words, False for output of the user's code.
        text: Without a line end; never empty.
    """

    id: bytes
    place: LogPlace
    request_id: UUID | None
    system: bool
    text: str


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Which lines are wanted; None lets all through.

    Args:
        version_ids: Of these versions.
    """

    version_ids: Collection[int] | None = None
    pipeline_id: int | None = None
    pipeline_object_id: int | None = None
    connector_id: int | None = None
    request_id: UUID | None = None
    pipeline_request_id: UUID | None = None
    system: bool | None = None

    @property
    def is_for_sources(self) -> bool:
        """Whether it asks for certain objects, rather than for all of a project."""
        wanted = (self.version_ids, self.pipeline_id, self.pipeline_object_id, self.connector_id)
        return any(item is not None for item in wanted)


@dataclass(frozen=True, slots=True)
class Names:
    """Names of what lines belong to; None where there is nothing of the kind, or any will do."""

    model: str | None = None
    version: str | None = None
    pipeline: str | None = None
    pipeline_object: str | None = None
    connector: str | None = None


@dataclass(frozen=True, slots=True)
class FoundObjects:
    """What has names that were asked for; None where none was."""

    version_ids: Collection[int] | None
    pipeline_id: int | None
    pipeline_object_id: int | None
    connector_id: int | None


@dataclass(frozen=True, slots=True)
class FoundLine:
    """A line as it is shown.

    Args:
        id: 12 bytes; the time is in them.
    """

    id: bytes
    text: str
    names: Names
    request_id: UUID | None
    pipeline_request_id: UUID | None
    system: bool
