"""Wire models of projects."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from quadrat.api.ecotaxa.schemas.users import MinUserModel


class CreateProjectReq(BaseModel):
    """A project to be made."""

    title: str
    instrument: str | None = "?"
    visible: bool | None = True
    access: str | None = None
    clone_of_id: int | None = None


class ProjectModel(BaseModel):
    """A project as an object set. Clients send it, too, with everything that they want to be set."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    projid: int
    title: str
    visible: bool | None = None
    status: str | None = None
    objcount: float | None = None
    pctvalidated: float | None = None
    pctclassified: float | None = None
    classifsettings: str | None = None
    classiffieldlist: str | None = None
    popoverfieldlist: str | None = None
    comments: str | None = None
    description: str | None = None
    rf_models_used: str | None = None
    cnn_network_id: str | None = None
    obj_free_cols: dict[str, str] | None = None
    sample_free_cols: dict[str, str] | None = None
    acquisition_free_cols: dict[str, str] | None = None
    process_free_cols: dict[str, str] | None = None
    bodc_variables: dict[str, Any] | None = None
    init_classif_list: list[int] | None = None
    managers: list[MinUserModel] | None = None
    annotators: list[MinUserModel] | None = None
    viewers: list[MinUserModel] | None = None
    instrument: str | None = None
    instrument_url: str | None = None
    contact: MinUserModel | None = None
    highest_right: str | None = ""
    license: Literal["CC0 1.0", "CC BY 4.0", "CC BY-NC 4.0", "Copyright", ""] | None = ""


class ProjectTaxoStatsModel(BaseModel):
    """Objects of a project by state, with the taxa that they are in."""

    projid: int
    used_taxa: list[int]
    nb_unclassified: int
    nb_validated: int
    nb_dubious: int
    nb_predicted: int


class MinimalUser(BaseModel):
    """Someone who has classified."""

    id: int
    name: str


class UserActivity(BaseModel):
    """What someone has done."""

    id: int
    nb_actions: int
    last_annot: str


class ProjectUserStatsModel(BaseModel):
    """Who has classified in a project."""

    projid: int
    annotators: list[MinimalUser]
    activities: list[UserActivity]


class ProjectSetColumnStatsModel(BaseModel):
    """How full and how varied columns are."""

    proj_ids: list[int]
    total: int
    columns: list[str]
    counts: list[int]
    variances: list[float]
