"""Models between the wire and the house."""

from collections.abc import Sequence

from quadrat.api.ubiops.convert.times import to_utc
from quadrat.api.ubiops.schemas.models import ModelCreate, ModelField, ModelList
from quadrat.identity.types import Project
from quadrat.serving.actions.models import NewModel
from quadrat.serving.types import Field, Model, Signature


def to_new_model(body: ModelCreate) -> NewModel:
    """Fields that are left out are none."""
    return NewModel(
        name=body.name,
        description=body.description or "",
        input_kind=body.input_type,
        output_kind=body.output_type,
        input_fields=to_fields(body.input_fields),
        output_fields=to_fields(body.output_fields),
    )


def to_model_list(project: Project, model: Model) -> ModelList:
    """A model, alone and in a list."""
    return ModelList(
        id=str(model.uuid),
        name=model.name,
        project=project.name,
        description=model.description,
        input_type=model.input.kind,
        output_type=model.output.kind,
        input_fields=to_wire_fields(model.input),
        output_fields=to_wire_fields(model.output),
        creation_date=to_utc(model.created_at),
        last_updated=to_utc(model.updated_at),
        number_of_versions=model.version_count,
    )


def to_fields(fields: Sequence[ModelField] | None) -> list[Field]:
    """Fields that are left out are none."""
    return [Field(field.name, field.data_type) for field in fields or ()]


def to_wire_fields(signature: Signature) -> list[ModelField]:
    """Fields in the order in which they were declared."""
    return [ModelField(name=field.name, data_type=field.type) for field in signature.fields]
