"""Models, versions and requests, as the rest of Quadrat passes them around."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NewType
from uuid import UUID

import msgspec

from quadrat.identity.types import ProjectId
from quadrat.jobs.types import Job
from quadrat.serving.variable_types import Variable

ModelId = NewType("ModelId", int)
VersionId = NewType("VersionId", int)
PackageId = NewType("PackageId", int)


class DataKind(StrEnum):
    """Whether data is an object of named fields or one text."""

    STRUCTURED = "structured"
    PLAIN = "plain"


class FieldType(StrEnum):
    """What a field holds."""

    INT = "int"
    STRING = "string"
    DOUBLE = "double"
    BOOL = "bool"
    TIMESTAMP = "timestamp"
    ARRAY_INT = "array_int"
    ARRAY_DOUBLE = "array_double"
    ARRAY_STRING = "array_string"
    BLOB = "blob"


class VersionStatus(StrEnum):
    """How far a version is; requests are accepted in every state whose name starts with ``available``."""

    INITIALISED = "initialised"
    BUILDING = "building"
    DEPLOYING = "deploying"
    AVAILABLE = "available"
    AVAILABLE_BUILDING = "available_building"
    BUILDING_FAILED = "building_failed"
    DEPLOYING_FAILED = "deploying_failed"
    AVAILABLE_BUILDING_FAILED = "available_building_failed"


class RequestState(StrEnum):
    """How far a batch request is."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Field:
    """One named value of structured data."""

    name: str
    type: FieldType


@dataclass(frozen=True, slots=True)
class Signature:
    """What a model takes or gives.

    Args:
        kind: Structured or plain.
        fields: In the order in which they were declared; empty when plain.
    """

    kind: DataKind
    fields: tuple[Field, ...] = ()
    file_fields: tuple[str, ...] = field(init=False, compare=False)
    """Names of the fields that hold blobs: the model sees paths of files there."""

    decoder: Any = field(init=False, default=None, compare=False, repr=False)
    """Kept here by `rules.values`, which makes it when it is first needed."""

    def __post_init__(self) -> None:
        """Look for blobs once, not per request."""
        names = tuple(item.name for item in self.fields if item.type is FieldType.BLOB)
        object.__setattr__(self, "file_fields", names)


@dataclass(frozen=True, slots=True)
class Model:
    """A model: the signature that all of its versions share."""

    id: ModelId
    uuid: UUID
    project_id: ProjectId
    name: str
    description: str
    input: Signature
    output: Signature
    created_at: datetime
    updated_at: datetime
    version_count: int


@dataclass(frozen=True, slots=True)
class VersionSettings:
    """What a user chooses for a version.

    Args:
        language: ``python3.5`` to ``python3.8``.
        memory_allocation_mb: Hard limit of one instance.
        minimum_instances: Kept running while the version is available.
        maximum_instances: Most that run at a time.
        maximum_idle_time_s: An instance above the minimum stops after this time without work.
        description: For people.
    """

    language: str = "python3.7"
    memory_allocation_mb: int = 2048
    minimum_instances: int = 0
    maximum_instances: int = 5
    maximum_idle_time_s: int = 300
    description: str = ""


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a model.

    Args:
        build: Number of the newest build that was asked for; results of older ones are dropped.
        package_id: The newest upload; None before the first.
        serving_package_id: The upload that requests run on; None until a build has succeeded.
        file_updated_at: Time of the newest upload; the creation time before the first.
    """

    id: VersionId
    uuid: UUID
    model_id: ModelId
    name: str
    settings: VersionSettings
    status: VersionStatus
    error_message: str
    build: int
    package_id: PackageId | None
    serving_package_id: PackageId | None
    created_at: datetime
    updated_at: datetime
    file_updated_at: datetime


@dataclass(frozen=True, slots=True)
class Archive:
    """An uploaded file whose bytes are stored.

    Args:
        key: SHA-256 of the bytes, hex.
        blob_key: Where they are stored; of this upload alone.
        file_name: As it was uploaded.
    """

    key: str
    blob_key: str
    file_name: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Package(Archive):
    """An archive that was uploaded for a version."""

    id: PackageId


@dataclass(frozen=True, slots=True)
class Build:
    """Everything that one build of a version needs.

    Args:
        number: The version's `build` for which this was read.
        has_served: Whether requests run on an earlier build meanwhile.
    """

    version_id: VersionId
    number: int
    package: Package
    language: str
    has_served: bool
    deployment: "Deployment"


@dataclass(frozen=True, slots=True)
class BuildRun:
    """One build of a version, as its job tells of it.

    Args:
        number: Counted per version.
        job: Where it stands. Its result has ``outcome`` (``available``, ``failed``, ``superseded``), with ``message``
            where it failed; ``package`` and ``size_bytes`` of the upload; once there was an environment, ``language``
            is what really runs, ``requirements`` text, and ``environment`` its content address.
    """

    number: int
    job: Job


@dataclass(frozen=True, slots=True)
class Deployment:
    """A version as the engine sees it: how to run it and what to check.

    Args:
        changed_at: Of the version; the later of two readings counts.
        package: The upload that is served; None while there is none.
        language: For which the served package was built.
        variables: Declared for project, model and version; the secret ones sealed.
    """

    project_id: ProjectId
    project_name: str
    model_uuid: UUID
    model_name: str
    version_id: VersionId
    version_uuid: UUID
    version_name: str
    status: VersionStatus
    input: Signature
    output: Signature
    settings: VersionSettings
    changed_at: datetime
    package: Package | None
    language: str
    variables: tuple[Variable, ...] = ()


@dataclass(frozen=True, slots=True)
class Blob:
    """A file that was handed in for requests, or that a model gave back.

    Args:
        id: The id; its bytes lie under `rules.blobs.blob_key`.
        file_name: Base name as it was uploaded.
        ttl_s: Life that was asked for.
        expires_at: From then on it is gone.
    """

    id: UUID
    file_name: str
    size_bytes: int
    ttl_s: int
    created_at: datetime
    expires_at: datetime


class Answer(msgspec.Struct, frozen=True, gc=False):
    """The outcome of one request. One is made per direct request, and this kind of class is made fastest.

    Args:
        success: False when the model failed, was too slow or could not be run.
        result: The checked result as JSON text; None without success.
        error_message: Why it failed; None on success.
    """

    success: bool
    result: bytes | None
    error_message: str | None


@dataclass(frozen=True, slots=True)
class BatchRequest:
    """A request that waits in the database until an instance has worked on it.

    Args:
        data: The request data as JSON text, exactly as it came; None where it lies in the store.
        result: The result as JSON text; None until completed, and where it lies in the store.
        data_payload_id: Where the data lies instead.
        result_payload_id: Where the result lies instead.
    """

    id: UUID
    state: RequestState
    data: bytes | None
    result: bytes | None
    error_message: str | None
    created_at: datetime
    updated_at: datetime
    data_payload_id: UUID | None = None
    result_payload_id: UUID | None = None


Content = bytes | UUID
"""JSON text, or the payload in the store that holds it where it is too large for a row."""


@dataclass(frozen=True, slots=True)
class BatchRequestSummary:
    """A batch request without its data and result."""

    id: UUID
    state: RequestState
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class RequestFilter:
    """Which batch requests are wanted.

    Args:
        states: In one of these.
        since: Made then or later.
        until: Made before.
    """

    states: Collection[RequestState] = tuple(RequestState)
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class ClaimedRequest:
    """A batch request that an engine holds under a lease.

    Args:
        data: The request data; None where it lies in the store.
        attempt: How often it has been claimed, this time included.
        data_payload_id: Where the data lies instead.
    """

    id: UUID
    data: bytes | None
    attempt: int
    created_at: datetime
    data_payload_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """What is known of a request that was accepted, direct or batch.

    Args:
        batch: False for a direct request; these are known once they have ended.
        created_at: When it was accepted.
        started_at: When an instance began on it; None before, and when none ever did.
        finished_at: When its answer was there.
        input_bytes: Length of its data.
        output_bytes: Length of its result; 0 without one.
    """

    id: UUID
    batch: bool
    state: RequestState
    error_message: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    input_bytes: int
    output_bytes: int
