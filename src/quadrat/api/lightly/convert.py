"""Between domain values and the words of the samples API."""

from collections.abc import Callable
from typing import Any

import msgspec
from pydantic import BaseModel, ValidationError

from quadrat.api.lightly.schemas import datasets as dataset_wire
from quadrat.api.lightly.schemas import samples as wire
from quadrat.base.clock import to_unix_ms
from quadrat.errors import ErrorKind, QuadratError
from quadrat.samples.rules import samples as rules
from quadrat.samples.types import (
    Dataset,
    DatasetId,
    DatasetKind,
    Documents,
    ImageKind,
    ImageSample,
    JsonText,
    NewDataset,
    NewSample,
    Part,
    Rendition,
    SampleChange,
    SampleKind,
    SampleName,
    SampleOrder,
)

_DATASET_TYPE = {
    DatasetKind.IMAGES: dataset_wire.DatasetType.IMAGES,
    DatasetKind.VIDEOS: dataset_wire.DatasetType.VIDEOS,
    DatasetKind.CROPS: dataset_wire.DatasetType.CROPS,
}
_DATASET_KIND = {wire_type: kind for kind, wire_type in _DATASET_TYPE.items()}
_SAMPLE_TYPE = {
    SampleKind.IMAGE: wire.SampleType.IMAGE,
    SampleKind.VIDEO_FRAME: wire.SampleType.VIDEO_FRAME,
    SampleKind.CROP: wire.SampleType.CROP,
}
PART = {
    wire.SamplePartialMode.IDS: Part.IDS,
    wire.SamplePartialMode.FILE_NAMES: Part.FILE_NAMES,
    wire.SamplePartialMode.FULL: Part.FULL,
}
MAPPED_PART = {wire.MappingField.ID: Part.IDS, wire.MappingField.FILE_NAME: Part.FILE_NAMES}
MAPPED: dict[wire.MappingField, Callable[[SampleName], str | None]] = {
    wire.MappingField.ID: lambda found: found.id,
    wire.MappingField.FILE_NAME: lambda found: found.file_name,
}
ORDER = {wire.SampleSortBy.ID: SampleOrder.ID, wire.SampleSortBy.INDEX: SampleOrder.INDEX}
RENDITION = {wire.Rendition.FULL: Rendition.FULL, wire.Rendition.THUMBNAIL: Rendition.THUMBNAIL}


def new_dataset(body: dataset_wire.DatasetCreateRequest) -> NewDataset:
    """What is said of a dataset."""
    return NewDataset(
        name=body.name,
        kind=_DATASET_KIND[body.type or dataset_wire.DatasetType.IMAGES],
        image_kind=None if body.img_type is None else ImageKind(body.img_type.value),
        parent_id=None if body.parent_dataset_id is None else DatasetId(body.parent_dataset_id),
    )


def dataset_data(found: Dataset) -> dataset_wire.DatasetData:
    """A dataset."""
    return dataset_wire.DatasetData(
        id=found.id,
        name=found.name,
        user_id=str(found.owner),
        access_type="WRITE",
        type=_DATASET_TYPE[found.kind],
        img_type=None if found.image_kind is None else dataset_wire.ImageType(found.image_kind.value),
        n_samples=found.n_samples,
        size_in_bytes=found.size_bytes,
        parent_dataset_id=found.parent_id,
        created_at=to_unix_ms(found.created_at),
        last_modified_at=to_unix_ms(found.last_modified_at),
    )


def new_sample(body: wire.SampleCreate) -> NewSample:
    """What is said of a sample, cleaned.

    Raises:
        QuadratError: invalid.
    """
    _check(wire.CropData, body.crop_data, "cropData", "SAMPLE_CREATE_REQUEST_INVALID_CROP_DATA")
    _check(wire.VideoFrameData, body.video_frame_data, "videoFrameData", "SAMPLE_CREATE_REQUEST_INVALID_FORMAT")
    documents = Documents(
        exif=_document(body.exif, "exif"),
        metadata=_document(body.meta_data, "metadata"),
        custom_metadata=_document(body.custom_meta_data, "custom_metadata"),
        video_frame=_document(_known(wire.VideoFrameData, body.video_frame_data), "video_frame"),
        crop=_document(_known(wire.CropData, body.crop_data), "crop"),
    )
    return rules.new_sample(body.file_name, body.thumb_name, documents)


def sample_change(body: wire.SampleUpdateRequest) -> SampleChange:
    """What is to be replaced.

    Raises:
        QuadratError: invalid.
    """
    return SampleChange(
        file_name=body.file_name,
        thumb_name=None if body.thumb_name is None else rules.storable(body.thumb_name),
        exif=_document(body.exif, "exif"),
        metadata=_document(body.meta_data, "metadata"),
        custom_metadata=_document(body.custom_meta_data, "custom_metadata"),
    )


def sample_name(found: SampleName) -> wire.SampleName:
    """A sample with its id alone, or with its file name."""
    return wire.SampleName(found.id) if found.file_name is None else wire.SampleName(found.id, found.file_name)


def sample_data(found: ImageSample) -> dict[str, Any]:
    """A sample with exactly the keys that clients know; what was never set is left out."""
    documents = found.documents
    data: dict[str, Any] = {
        "id": found.id,
        "type": _SAMPLE_TYPE[found.kind].value,
        "datasetId": found.dataset_id,
        "fileName": found.file_name,
        "index": found.index,
        "createdAt": to_unix_ms(found.created_at),
        "lastModifiedAt": to_unix_ms(found.last_modified_at),
    }
    if found.thumb_name is not None:
        data["thumbName"] = found.thumb_name
    if documents.metadata is not None or found.measured.metadata is not None:
        data["metaData"] = rules.shown_metadata(documents.metadata, found.measured.metadata)
    free = {
        "exif": documents.exif if documents.exif is not None else found.measured.exif,
        "customMetaData": documents.custom_metadata,
        "videoFrameData": documents.video_frame,
        "cropData": documents.crop,
    }
    return data | {key: msgspec.Raw(text.encode()) for key, text in free.items() if text is not None}


def _document(value: wire.FreeJson | None, field: str) -> JsonText | None:
    return None if value is None else rules.encode_document(value, field)


def _known(model: type[BaseModel], value: wire.FreeJson | None) -> wire.FreeJson | None:
    """The keys that the model names; clients refuse an answer with others."""
    if value is None:
        return None
    names = {field.alias or name for name, field in model.model_fields.items()}
    return {key: item for key, item in value.items() if key in names and item is not None}


def _check(model: type[BaseModel], value: wire.FreeJson | None, field: str, code: str) -> None:
    if value is None:
        return
    try:
        model.model_validate(value)
    except ValidationError as error:
        problem = error.errors(include_input=False)[0]
        location = ".".join(str(part) for part in (field, *problem["loc"]))
        raise QuadratError(
            ErrorKind.INVALID, f"{location}: {problem['msg']}", field=field, detail={"code": code}
        ) from None
