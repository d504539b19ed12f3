"""Wire models of models."""

from datetime import datetime

from pydantic import BaseModel

from quadrat.serving.types import DataKind, FieldType


class ModelField(BaseModel):
    """An input or output field."""

    name: str
    data_type: FieldType


class ModelCreate(BaseModel):
    """A model to be made; fields are left out or empty where the type is plain."""

    name: str
    description: str | None = None
    input_type: DataKind
    output_type: DataKind
    input_fields: list[ModelField] | None = None
    output_fields: list[ModelField] | None = None


class ModelUpdate(BaseModel):
    """What changes; what is left out or null stays, other keys are ignored."""

    name: str | None = None
    description: str | None = None


class ModelList(BaseModel):
    """A model."""

    id: str
    name: str
    project: str
    description: str
    input_type: DataKind
    output_type: DataKind
    input_fields: list[ModelField]
    output_fields: list[ModelField]
    creation_date: datetime
    last_updated: datetime
    number_of_versions: int
