"""Pipelines, as the rest of Quadrat passes them around."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType
from uuid import UUID

from quadrat.identity.types import ProjectId
from quadrat.serving.connector_types import ConnectorId
from quadrat.serving.types import Content, RequestState, Signature, VersionId

PipelineId = NewType("PipelineId", int)
ObjectId = NewType("ObjectId", int)
AttachmentId = NewType("AttachmentId", int)

START = "pipeline_start"
"""Name of the source from which the request data comes; no object can be called so."""


class ReferenceType(StrEnum):
    """What an object of a pipeline stands for."""

    MODEL = "model"
    CONNECTOR = "connector"


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A pipeline without its graph."""

    id: PipelineId
    uuid: UUID
    project_id: ProjectId
    name: str
    description: str
    input: Signature
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class PipelineObject:
    """A place in a pipeline, filled by a model version or a connector.

    Args:
        reference_name: Name of the model or connector.
        version: Name of the version; None for a connector.
        version_id: The version that runs; None for a connector.
        connector_id: The connector that is written to; None for a model.
        input: What it takes.
        output: What it gives; None for a connector.
    """

    id: ObjectId
    uuid: UUID
    name: str
    reference_type: ReferenceType
    reference_name: str
    version: str | None
    version_id: VersionId | None
    connector_id: ConnectorId | None
    input: Signature
    output: Signature | None


@dataclass(frozen=True, slots=True)
class Link:
    """One field of the destination and where its value comes from."""

    source_field: str
    destination_field: str


@dataclass(frozen=True, slots=True)
class Attachment:
    """What flows from one object to another.

    Args:
        source_id: None for the start of the pipeline.
        mapping: Empty between plain data, and where a blob connector takes the only output.
    """

    id: AttachmentId
    uuid: UUID
    source_id: ObjectId | None
    source_name: str
    destination_id: ObjectId
    destination_name: str
    mapping: tuple[Link, ...]


@dataclass(frozen=True, slots=True)
class Graph:
    """A pipeline with everything in it."""

    pipeline: Pipeline
    objects: Mapping[ObjectId, PipelineObject]
    attachments: tuple[Attachment, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One run of an object within a request: an object runs once for each way that leads to it.

    Args:
        path: Numbers of the attachments on the way, e.g. ``3/17``; the same whenever the pipeline is read.
        mapping: None when the data is handed on as it is.
        following: The steps that start when this one has succeeded.
    """

    path: str
    object: PipelineObject
    mapping: tuple[Link, ...] | None
    following: tuple["Step", ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """A pipeline laid out for running.

    Args:
        steps: Those that start with the request data.
    """

    pipeline: Pipeline
    project_name: str
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class StepRun:
    """A step of a request that has ended.

    Args:
        path: Of its step.
        object_name: As the object was called when it ran.
        is_model: False for a connector, which no answer shows.
        request_id: Of the model request; None when it could not be made.
        data: What the object was given.
        result: What it gave; None without success.
    """

    path: str
    object_name: str
    is_model: bool
    request_id: UUID | None
    success: bool
    data: Content
    result: Content | None
    error_message: str | None
    started_at: datetime
    finished_at: datetime


@dataclass(frozen=True, slots=True)
class PipelineRequest:
    """A batch request of a pipeline.

    Args:
        runs: Runs of models in the order in which they ended; empty until all have.
    """

    id: UUID
    state: RequestState
    data: Content
    error_message: str | None
    created_at: datetime
    updated_at: datetime
    runs: tuple[StepRun, ...]


@dataclass(frozen=True, slots=True)
class ClaimedPipelineRequest:
    """A batch request of a pipeline that an engine holds under a lease.

    Args:
        attempt: How often it has been claimed, this time included.
        done: What an engine before has finished of it, by path.
    """

    id: UUID
    data: Content
    attempt: int
    created_at: datetime
    done: Mapping[str, StepRun]
