"""Pipelines, their objects and attachments between the wire and the house."""

from collections.abc import Sequence

from quadrat.api.ubiops.convert.models import to_fields, to_wire_fields
from quadrat.api.ubiops.convert.times import to_utc
from quadrat.api.ubiops.schemas.pipelines import (
    AttachmentField,
    AttachmentsList,
    PipelineCreate,
    PipelineList,
    PipelineObjectCreate,
    PipelineObjectList,
    PipelineObjectUpdate,
    PipelineUpdate,
)
from quadrat.identity.types import Project
from quadrat.serving.actions.graphs import NewObject, ObjectChange
from quadrat.serving.actions.pipelines import NewPipeline, PipelineChange
from quadrat.serving.connector_types import BLOB_FIELD
from quadrat.serving.pipeline_types import Attachment, Link, Pipeline, PipelineObject, ReferenceType
from quadrat.serving.types import FieldType


def to_new_pipeline(body: PipelineCreate) -> NewPipeline:
    """Fields that are left out are none."""
    return NewPipeline(body.name, body.description or "", body.input_type, to_fields(body.input_fields))


def to_pipeline_change(body: PipelineUpdate) -> PipelineChange:
    """Null counts as left out."""
    fields = None if body.input_fields is None else to_fields(body.input_fields)
    return PipelineChange(body.name, body.description, body.input_type, fields)


def to_pipeline_list(project: Project, pipeline: Pipeline) -> PipelineList:
    """A pipeline, alone and in a list."""
    return PipelineList(
        id=str(pipeline.uuid),
        name=pipeline.name,
        project=project.name,
        description=pipeline.description,
        input_type=pipeline.input.kind,
        input_fields=to_wire_fields(pipeline.input),
        creation_date=to_utc(pipeline.created_at),
        last_updated=to_utc(pipeline.updated_at),
    )


def to_new_object(body: PipelineObjectCreate) -> NewObject:
    """An object to be added."""
    return NewObject(body.name, body.reference_type, body.reference_name, body.version)


def to_object_change(body: PipelineObjectUpdate) -> ObjectChange:
    """Null counts as left out."""
    return ObjectChange(body.name, body.version, body.reference_type, body.reference_name)


def to_pipeline_object_list(item: PipelineObject) -> PipelineObjectList:
    """An object, alone and in a list; answer it without what was not set."""
    found = PipelineObjectList(
        id=str(item.uuid),
        name=item.name,
        reference_type=item.reference_type,
        reference_name=item.reference_name,
        input_type=_input_type(item),
    )
    if item.version is not None:
        found.version = item.version
    if item.output is not None:
        found.output_type = item.output.kind
    # The client knows no timestamps here, and raises on a whole answer that holds one.
    signatures = [item.input] if item.output is None else [item.input, item.output]
    if all(field.type is not FieldType.TIMESTAMP for signature in signatures for field in signature.fields):
        found.input_fields = to_wire_fields(item.input)
        if item.output is not None:
            found.output_fields = to_wire_fields(item.output)
    return found


def to_links(mapping: Sequence[AttachmentField] | None) -> list[Link]:
    """A mapping that is left out is empty."""
    return [Link(item.source_field_name, item.destination_field_name) for item in mapping or ()]


def to_attachments_list(item: Attachment) -> AttachmentsList:
    """An attachment, alone and in a list."""
    return AttachmentsList(
        id=str(item.uuid),
        source_name=item.source_name,
        destination_name=item.destination_name,
        mapping=[
            AttachmentField(source_field_name=link.source_field, destination_field_name=link.destination_field)
            for link in item.mapping
        ],
    )


def _input_type(item: PipelineObject) -> str:
    fields = item.input.fields
    is_blob = item.reference_type is ReferenceType.CONNECTOR and [field.name for field in fields] == [BLOB_FIELD]
    return "blob" if is_blob and fields[0].type is FieldType.BLOB else item.input.kind
