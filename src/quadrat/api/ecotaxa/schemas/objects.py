"""Wire models of single objects."""

from pydantic import BaseModel


class ImageModel(BaseModel):
    """An image of an object."""

    imgid: int
    objid: int
    imgrank: int
    width: int
    height: int
    orig_file_name: str
    file_name: str
    thumb_file_name: str | None
    thumb_width: int | None
    thumb_height: int | None


class ObjectModel(BaseModel):
    """All that is known of an object."""

    objid: int
    acquisid: int
    sample_id: int
    project_id: int
    orig_id: str
    objdate: str | None
    objtime: str | None
    latitude: float | None
    longitude: float | None
    depth_min: float | None
    depth_max: float | None
    sunpos: str | None
    classif_id: int | None
    classif_qual: str | None
    classif_who: int | None
    classif_when: str | None
    classif_auto_id: int | None
    classif_auto_score: float | None
    classif_auto_when: str | None
    classif_crossvalidation_id: int | None
    complement_info: str | None
    similarity: float | None
    random_value: int
    object_link: str | None
    images: list[ImageModel]
    free_columns: dict[str, float | str | None]


class HistoricalClassification(BaseModel):
    """A former state of an object."""

    objid: int
    classif_id: int
    classif_date: str
    classif_who: int | None
    classif_type: str
    classif_qual: str
    classif_score: float | None
    user_name: str | None
    taxon_name: str | None
