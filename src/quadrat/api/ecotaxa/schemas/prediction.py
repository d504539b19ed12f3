"""Wire models of predictions."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from quadrat.api.ecotaxa.schemas.object_sets import Id, ProjectFilters
from quadrat.objects.prediction_types import Classifier

_AT_LEAST_ONE: Any = Field(default_factory=list, min_length=1)


class PredictionReq(BaseModel):
    """What to predict, and from what to learn it. All but `project_id` may be left out where a `model` predicts."""

    project_id: Id = Field(description="Whose objects are predicted.")
    source_project_ids: Annotated[list[Id], Field(description="Whose validated objects are learned from.")] = (
        _AT_LEAST_ONE
    )
    learning_limit: Id | None = Field(None, description="Most objects of each category; nothing or 0 for all.")
    features: Annotated[list[str], Field(description="Such as `fre.area` or `obj.depth_min`.")] = _AT_LEAST_ONE
    categories: Annotated[list[Id], Field(description="Taxa to learn.")] = _AT_LEAST_ONE
    use_scn: bool | None = Field(
        default=False,
        description="Learn also from what the network in the project's `cnn_network_id` (`model/version`) makes of the "
        "images.",
    )
    pre_mapping: dict[Annotated[str, Field(pattern=r"^\s*-?[0-9]{1,18}\s*$")], Id] = Field(
        default_factory=dict, description="Objects of the taxon in the key are learned as the other."
    )
    classifier: Classifier = Field(Classifier.RANDOM_FOREST, description="How to learn; an addition of this server.")
    model: str | None = Field(
        None,
        description="`project/model/version` of a deployed model, or `project/pipeline` of a pipeline, that predicts "
        "instead; an addition of this server.",
    )
    labels: dict[str, Id] = Field(
        default_factory=dict,
        description="What answers of the `model` mean, where they are no name or number of a taxon.",
    )


class PredictObjectSetBody(BaseModel):
    """Which objects, and how. The state in the filters is replaced: what people have decided is left alone."""

    filters: ProjectFilters
    request: PredictionReq


class PredictionRsp(BaseModel):
    """The job; 0 when the errors stood in its way."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    errors: list[str]
    warnings: list[str]
    job_id: int


class ReportedClass(BaseModel):
    """One taxon, as it was learned and tested."""

    taxon_id: int
    name: str
    n_learned: int
    n_tested: int
    recall: float | None
    precision: float | None


class LeftOut(BaseModel):
    """A feature that nothing could be learned from."""

    feature: str
    reason: str


class Importance(BaseModel):
    """A feature's part in the decisions; all parts together are 1."""

    feature: str
    importance: float


class LearningCurvePoint(BaseModel):
    """Accuracy after learning from so many objects."""

    n_objects: int
    accuracy: float


class PredictionReport(BaseModel):
    """How well a prediction learned: each object was tested by a classifier that had not seen it."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    classifier: str
    n_learned: int
    n_tested: int
    folds: int
    accuracy: float | None
    balanced_accuracy: float | None
    features: list[str]
    left_out: list[LeftOut]
    classes: list[ReportedClass]
    confusion: list[list[int]] = Field(description="Row: what people said. Column: what the classifier said.")
    importances: list[Importance]
    learning_curve: list[LearningCurvePoint]
