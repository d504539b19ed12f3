"""Wire models of pipelines, their objects and attachments."""

from datetime import datetime

from pydantic import BaseModel

from quadrat.api.ubiops.schemas.models import ModelField
from quadrat.serving.types import DataKind


class PipelineCreate(BaseModel):
    """A pipeline to be made; fields are left out or empty where the type is plain."""

    name: str
    description: str | None = None
    input_type: DataKind
    input_fields: list[ModelField] | None = None


class PipelineUpdate(BaseModel):
    """What changes; what is left out or null stays."""

    name: str | None = None
    description: str | None = None
    input_type: DataKind | None = None
    input_fields: list[ModelField] | None = None


class PipelineList(BaseModel):
    """A pipeline."""

    id: str
    name: str
    project: str
    description: str
    input_type: DataKind
    input_fields: list[ModelField]
    creation_date: datetime
    last_updated: datetime


class PipelineObjectCreate(BaseModel):
    """An object to be added; a connector has no version."""

    name: str
    reference_type: str
    reference_name: str
    version: str | None = None


class PipelineObjectUpdate(BaseModel):
    """What changes; the reference may be sent, and must be the old one."""

    name: str | None = None
    version: str | None = None
    reference_type: str | None = None
    reference_name: str | None = None


class PipelineObjectList(BaseModel):
    """An object; what a connector does not have is left out, and so are fields that the client cannot read."""

    id: str
    name: str
    reference_type: str
    reference_name: str
    version: str | None = None
    input_type: str | None = None
    output_type: str | None = None
    input_fields: list[ModelField] | None = None
    output_fields: list[ModelField] | None = None


class AttachmentField(BaseModel):
    """A field of the source, and the field of the destination that it fills."""

    source_field_name: str
    destination_field_name: str


class AttachmentsCreate(BaseModel):
    """Two objects to be attached."""

    source_name: str
    destination_name: str
    mapping: list[AttachmentField] | None = None


class AttachmentsList(BaseModel):
    """Two attached objects."""

    id: str
    source_name: str
    destination_name: str
    mapping: list[AttachmentField]
