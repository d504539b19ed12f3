"""Wire models of areas of interest and labels."""

from typing import Any

from pydantic import BaseModel, Field


class BoundingBox(BaseModel):
    """In 0..1, origin top left; by the tutorials `max_y` is the top edge, the smaller number."""

    min_x: float
    max_x: float
    min_y: float
    max_y: float


class Point(BaseModel):
    """In 0..1, origin top left."""

    x: float
    y: float


class Aoi(BaseModel):
    """An area of interest."""

    id: str
    enrichment_id: str
    name: str
    description: str | None
    color: str | None
    mask_image_data_url: str
    bounding_box: BoundingBox
    centroid_xy: Point
    created_at: str
    updated_at: str
    created_by_user_id: str | None
    proposed_by: str | None = Field(description="Model version that proposed it, until somebody accepts it; ours")


class AoiPost(BaseModel):
    """An area to be made. Times, box and centroid sent along with a mask are ignored."""

    enrichment_id: str
    name: str = Field(min_length=1)
    id: str | None = None
    description: str | None = None
    color: str | None = None
    mask_image_data_url: str | None = None
    bounding_box: BoundingBox | str | None = Field(None, description="A box, or JSON text of one; without a mask only")


class AoiPatch(BaseModel):
    """What changes about an area; null is the same as absent."""

    name: str | None = Field(None, min_length=1)
    id: str | None = None
    enrichment_id: str | None = None
    description: str | None = None
    color: str | None = None
    mask_image_data_url: str | None = None
    bounding_box: BoundingBox | str | None = None
    accepted: bool | None = Field(None, description="true keeps an area that a model proposed; ours")


class AoisDelete(BaseModel):
    """Which areas to remove."""

    aoi_ids: list[str]


class ProposePost(BaseModel):
    """Which model of the same project to ask for areas."""

    model: str
    version: str
    timeout: float = Field(300, ge=1, le=3600, description="Seconds for everything, a cold start included")


class LabelPost(BaseModel):
    """A label to be made."""

    name: str = Field(min_length=1)
    id: str | None = None
    aoi_ids: list[str] | None = None
    recording_ids: list[str] | None = None


class LabelPatch(LabelPost):
    """What changes about a label; null is the same as absent."""


class LabelsDelete(BaseModel):
    """Which labels to remove."""

    label_ids: list[str]


class Label(BaseModel):
    """A label."""

    id: str
    name: str
    aoi_ids: list[str]
    recording_ids: list[str]
    template_ids: list[str]
    created_at: str
    updated_at: str
    created_by_user_id: str | None


Json = dict[str, Any]
