"""Wire models of the taxonomy."""

from pydantic import BaseModel, ConfigDict, Field


class TaxonModel(BaseModel):
    """A taxon. Lineages begin with itself and end with its root."""

    id: int
    renm_id: int | None
    name: str
    type: str
    nb_objects: int
    nb_children_objects: int
    display_name: str
    lineage: list[str]
    id_lineage: list[int]
    children: list[int]


class TaxaSearchRsp(BaseModel):
    """A taxon that was found; `pr` is 1 for one of the project's preset."""

    id: int
    renm_id: int | None
    text: str
    pr: int


class TaxonomyTreeStatus(BaseModel):
    """When the tree last changed."""

    last_refresh: str | None


class TaxonUsageModel(BaseModel):
    """A project that uses a taxon."""

    projid: int
    title: str
    nb_validated: int


class NewTaxonRsp(BaseModel):
    """A taxon that was made."""

    msg: str
    id: int


class ReclassificationModel(BaseModel):
    """One taxon turned into another in a whole project."""

    model_config = ConfigDict(validate_by_name=True)

    from_: int = Field(alias="from")
    to: int
    name: str
