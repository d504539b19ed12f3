"""Model versions between the wire and the house."""

from typing import Any

from quadrat.api.ubiops.convert.times import to_utc
from quadrat.api.ubiops.schemas.versions import ModelVersionCreate, ModelVersionList, ModelVersionUpdate
from quadrat.serving.types import Model, Version, VersionSettings


def to_settings(body: ModelVersionCreate) -> VersionSettings:
    """What is left out gets its default."""
    return VersionSettings(**to_changes(body))


def to_changes(body: ModelVersionUpdate) -> dict[str, Any]:
    """New values of fields of `VersionSettings`; null counts as left out."""
    values = {
        "language": body.language,
        "memory_allocation_mb": body.memory_allocation,
        "minimum_instances": body.minimum_instances,
        "maximum_instances": body.maximum_instances,
        "maximum_idle_time_s": body.maximum_idle_time,
        "description": body.description,
    }
    return {name: value for name, value in values.items() if value is not None}


def to_model_version_list(model: Model, version: Version) -> ModelVersionList:
    """A version, alone and in a list."""
    settings = version.settings
    return ModelVersionList(
        id=str(version.uuid),
        model=model.name,
        version=version.name,
        description=settings.description,
        language=settings.language,
        status=version.status,
        error_message=version.error_message,
        memory_allocation=settings.memory_allocation_mb,
        maximum_instances=settings.maximum_instances,
        minimum_instances=settings.minimum_instances,
        maximum_idle_time=settings.maximum_idle_time_s,
        creation_date=to_utc(version.created_at),
        last_updated=to_utc(version.updated_at),
        file_last_updated=to_utc(version.file_updated_at),
    )
