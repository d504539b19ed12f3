"""What the pages' own interface sends and takes."""

from datetime import datetime
from enum import StrEnum
from typing import Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, SecretStr

from quadrat.identity.types import MemberLevel, UserStatus
from quadrat.jobs.types import JobState
from quadrat.samples.types import ProjectionMethod
from quadrat.serving.rules.metrics import Grain


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
    owner: str | None = Field(description="Whose it is, told in a list of everyone's; null for the house's own")
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


class BuildCard(BaseModel):
    """A build of a model version; what it came to know of the environment is null until then."""

    number: int
    job: int
    state: JobState
    outcome: str | None = Field(description="available, failed, or superseded by a later upload")
    message: str = Field(description="What failed, for the package's author")
    package: str | None
    size_bytes: int | None
    language: str | None = Field(description="What really runs; the version says what was asked for")
    requirements: str | None = Field(description="A line each, without comments")
    environment: str | None = Field(description="Content address; versions that share it share what is installed")
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class AskedQuery(_In):
    """A span of time, in the steps of the metrics of the serving API."""

    start_time: AwareDatetime
    end_time: AwareDatetime
    interval: Grain = Grain.HOUR


class AskedCard(BaseModel):
    """How often a version was asked, directly and in batches."""

    version_id: UUID
    model: str
    version: str
    requests: int
    failed: int


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


class FieldKind(StrEnum):
    """What a field of samples holds."""

    NUMBER = "number"
    TEXT = "text"


class Points(BaseModel):
    """Samples on a plane: the n-th numbers belong to the sample with the n-th index."""

    method: ProjectionMethod
    indexes: list[int]
    x: list[float]
    y: list[float]
    created_at: datetime


class HeldRole(BaseModel):
    """A role that someone holds, on the whole project or on one object of it."""

    id: UUID
    role: str
    object_type: str
    object_name: str


class ProjectPerson(BaseModel):
    """Someone who has to do with a project."""

    id: UUID = Field(description="As role assignments and members of organizations are told")
    email: str
    name: str | None
    surname: str | None
    status: UserStatus
    is_service: bool = Field(description="A service user of this project")
    level: MemberLevel | None = Field(description="In the project's organization; null for who is here through a role")
    roles: list[HeldRole]


class LevelChange(_In):
    """What a member of an organization is to be."""

    level: MemberLevel


class AuditRow(BaseModel):
    """One change of rights, tokens, members or secrets."""

    id: int
    at: datetime
    action: str
    actor: str | None = Field(description="Null for the operator at the command line, and for strangers")
    organization: str | None
    project: str | None
    subject: str
    detail: dict[str, Any]
    door: str = Field(description="Which API it came through")
    address: str | None
    request_id: str | None


class TokenCard(BaseModel):
    """A token of the caller, without its secret."""

    id: UUID
    name: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


class TokenAsked(_In):
    """A token to be made."""

    name: str
    life_days: int | None = Field(default=None, ge=1, le=3650, description="Null for one that does not end")


class TokenMade(TokenCard):
    """A new token; its secret is here and nowhere else."""

    secret: str


class WorkerCard(BaseModel):
    """A worker of any machine."""

    id: int
    seen_at: datetime
    running: int


class StoredKind(BaseModel):
    """Bytes that one part of the house keeps in the store."""

    kind: str
    count: int
    size_bytes: int


class DatabaseCard(BaseModel):
    """The database at this moment."""

    version: str
    size_bytes: int
    connections: int
    migration: str
    schema_bytes: dict[str, int]


class Disk(BaseModel):
    """Whether there is room for what comes; how much, for platform administrators only."""

    is_low: bool = Field(description="Uploads may soon be refused; never of a bucket")
    free_bytes: int | None
    size_bytes: int | None


class Kept(BaseModel):
    """Where everything is that a backup must hold, and the newest one of objects."""

    data_dir: str
    has_own_database: bool = Field(description="It is in the data directory, then")
    store: str = Field(description="The folder or bucket of the bytes")
    newest_of_objects: JobCard | None


class Administration(BaseModel):
    """How the server stands."""

    version: str
    python: str
    platform: str
    database: DatabaseCard
    store: str = Field(description="What holds the bytes: disk, or a bucket")
    disk_free_bytes: int | None = Field(description="Of the store's disk; null for a bucket")
    disk_size_bytes: int | None
    disk_is_low: bool
    stored: list[StoredKind]
    workers: list[WorkerCard]
    jobs: dict[str, int] = Field(description="How many, by state")
    kept: Kept
    libraries: dict[str, str]
