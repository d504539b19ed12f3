"""Wire models of object sets."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Id = Annotated[int, Field(ge=-(2**63), lt=2**63)]


class ProjectFilters(BaseModel):
    """Conditions on the objects of a project, all optional, all to be met."""

    taxo: str | None = None
    taxochild: str | None = None
    statusfilter: str | None = None
    MapN: str | None = None
    MapS: str | None = None
    MapE: str | None = None
    MapW: str | None = None
    depthmin: str | None = None
    depthmax: str | None = None
    samples: str | None = None
    instrum: str | None = None
    daytime: str | None = None
    month: str | None = None
    fromdate: str | None = None
    todate: str | None = None
    fromtime: str | None = None
    totime: str | None = None
    inverttime: str | None = None
    validfromdate: str | None = None
    validtodate: str | None = None
    freenum: str | None = None
    freenumst: str | None = None
    freenumend: str | None = None
    freetxt: str | None = None
    freetxtval: str | None = None
    filt_annot: str | None = None
    filt_last_annot: str | None = None


class ClassifyReq(BaseModel):
    """Decisions of a person. A category of -1 keeps the present one."""

    target_ids: list[Id]
    classifications: list[Id]
    wanted_qualification: str


class ClassifyAutoReq(BaseModel):
    """Guesses of a machine, one for each object."""

    target_ids: list[Id]
    classifications: list[Id]
    scores: list[float]
    keep_log: bool


class ClassifyAutoMultipleReq(BaseModel):
    """Guesses of a machine, several for each object."""

    target_ids: list[Id]
    classifications: list[list[Id]]
    scores: list[list[float]]
    keep_log: bool = True


class ColUpdate(BaseModel):
    """A new value of a column."""

    ucol: str
    uval: str


class BulkUpdateReq(BaseModel):
    """New values, the same for all targets."""

    target_ids: list[Id]
    updates: list[ColUpdate]


class ObjectSetSummaryRsp(BaseModel):
    """How many objects there are, by state."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    total_objects: int | None
    validated_objects: int | None
    dubious_objects: int | None
    predicted_objects: int | None


class ObjectSetQueryRsp(BaseModel):
    """Objects with what they belong to, in parallel lists; for the documentation, since it is written as a stream."""

    object_ids: list[int]
    acquisition_ids: list[int]
    sample_ids: list[int]
    project_ids: list[int]
    details: list[list[object]]
    total_ids: int


class PredictionsRsp(BaseModel):
    """Object, taxon and score of each prediction."""

    result: list[tuple[int, int, float | None]]


class HistoricalLastClassif(BaseModel):
    """What a revert does to an object."""

    objid: int
    classif_id: int | None
    histo_classif_date: str | None
    histo_classif_type: str | None
    histo_classif_id: int | None
    histo_classif_qual: str | None
    histo_classif_who: int | None
    histo_classif_score: float | None


class ObjectSetRevertToHistoryRsp(BaseModel):
    """What a revert does, and the names of the taxa in it."""

    last_entries: list[HistoricalLastClassif]
    classif_info: dict[str, tuple[str, str | None]]
