"""What the pages' own interface sends and takes."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from quadrat.jobs.types import JobState


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Person(BaseModel):
    """Who is signed in."""

    id: int
    uuid: UUID
    email: str
    name: str | None
    surname: str | None
    is_platform_admin: bool


class Session(BaseModel):
    """The state of this browser's session; `user` is null for a visitor."""

    user: Person | None
    csrf: str | None = Field(description="To be sent as X-Quadrat-CSRF with everything that changes something")
    needs_setup: bool = Field(description="True as long as no administrator has a password")
    version: str


class SignIn(_In):
    """Either an address with its password, or an API token."""

    email: str | None = None
    password: SecretStr | None = None
    token: SecretStr | None = None


class Setup(_In):
    """What the first administrator chooses, with the token that the server printed at its first start."""

    token: SecretStr
    email: str
    password: SecretStr
    name: str | None = None
    surname: str | None = None


class ProjectCard(BaseModel):
    """A project under all the names that the four APIs use for it."""

    id: int
    uuid: UUID
    name: str
    title: str
    organization: str
    organization_uuid: UUID | None = Field(description="Null when the caller knows the project through a role only")
    level: str | None = Field(description="The caller's membership of its organization")
    created_at: datetime


class ProjectRights(ProjectCard):
    """The same, with what the caller may do in it."""

    permissions: list[str]


class JobCard(BaseModel):
    """A job of any of the four APIs, or of the house."""

    id: int
    uuid: UUID
    kind: str
    project_id: int | None
    state: JobState
    progress_percent: int | None
    message: str
    errors: list[str]
    question: dict[str, Any]
    result: dict[str, Any]
    has_file: bool
    attempt: int
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class JobLogLine(BaseModel):
    """A line of a job's log."""

    at: datetime
    text: str


class Answer(_In):
    """The answer to what a job asks."""

    reply: dict[str, Any]


class Annotations(_In):
    """What an annotator decided in one go; `id` is new for each batch, and sending a batch twice is sending it once."""

    id: UUID
    target_ids: list[int] = Field(min_length=1, max_length=100_000)
    classifications: list[int] = Field(description="A taxon for each object; -1 keeps the present one")
    wanted_qualification: Literal["V", "D"]


class AnnotationsDone(BaseModel):
    """How many objects a batch changed."""

    changed: int


class AnnotationsUndone(BaseModel):
    """How many objects are what they were before, of how many that the batch had changed."""

    undone: int
    changed: int
