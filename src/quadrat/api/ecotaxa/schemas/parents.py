"""Wire models of samples, acquisitions and processes."""

from pydantic import BaseModel, Field

from quadrat.api.ecotaxa.numbers import Number


class SampleModel(BaseModel):
    """A sample; its free columns are empty in lists."""

    sampleid: int
    projid: int
    orig_id: str
    latitude: float | None
    longitude: float | None
    dataportal_descriptor: str | None
    free_columns: dict[str, str | None]


class SampleTaxoStatsModel(BaseModel):
    """Objects of a sample by state, with the taxa that they are in."""

    sample_id: int
    used_taxa: list[int]
    nb_unclassified: int
    nb_validated: int
    nb_dubious: int
    nb_predicted: int


class AcquisitionModel(BaseModel):
    """An acquisition; its free columns are empty in lists."""

    acquisid: int
    acq_sample_id: int
    orig_id: str
    instrument: str | None
    free_columns: dict[str, str | None]


class ProcessModel(BaseModel):
    """A process; its number is the acquisition's."""

    processid: int
    orig_id: str
    free_columns: dict[str, str | None]


class ColUpdate(BaseModel):
    """A column and the text that it is set to."""

    ucol: str
    uval: str


class BulkUpdateReq(BaseModel):
    """Things of one project, and what to set of all of them."""

    target_ids: list[Number] = Field(max_length=1_000_000)
    updates: list[ColUpdate] = Field(max_length=1000)
