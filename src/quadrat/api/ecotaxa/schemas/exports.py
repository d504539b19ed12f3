"""Wire models of exports."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from quadrat.api.ecotaxa.schemas.object_sets import Id, ProjectFilters

SplitBy = Literal["sample", "acquisition", "taxon", "none"]
WithImages = Literal["all", "first", "none"]
ExportType = Literal["TSV", "BAK", "DOI", "SUM", "ABO", "CNC", "BIV"]
TaxonNumber = Annotated[str, Field(pattern=r"^-?[0-9]{1,18}$")]


class ExportReq(BaseModel):
    """What is exported, as clients asked before there were several operations."""

    project_id: Id
    exp_type: ExportType
    use_latin1: bool = False
    tsv_entities: str = ""
    only_annotations: bool = False
    # Other values than the three mean none: clients send some.
    split_by: str = ""
    coma_as_separator: bool = False
    format_dates_times: bool = True
    with_images: bool = False
    with_internal_ids: bool = False
    with_types_row: bool | None = False
    only_first_image: bool = False
    sum_subtotal: Literal["", "S", "A", "P"] | None = ""
    pre_mapping: dict[TaxonNumber, Id | None] | None = None
    formulae: dict[str, str] | None = None
    out_to_ftp: bool = False


class GeneralExportReq(BaseModel):
    """A zip of tables."""

    project_id: Id
    split_by: SplitBy = "none"
    with_images: WithImages = "none"
    with_internal_ids: bool = False
    with_types_row: bool = False
    only_annotations: bool = False
    out_to_ftp: bool = False


class SummaryExportReq(BaseModel):
    """A table of sums."""

    project_id: Id
    quantity: Literal["abundance", "concentration", "biovolume"] = "abundance"
    summarise_by: Literal["none", "sample", "acquisition"] = "sample"
    taxo_mapping: dict[TaxonNumber, Id | None] | None = None
    formulae: dict[str, str] | None = None
    out_to_ftp: bool = False


class BackupExportReq(BaseModel):
    """A zip that can be imported again."""

    project_id: Id
    out_to_ftp: bool = False


class ExportBody(BaseModel):
    """Which objects, and how."""

    filters: ProjectFilters
    request: ExportReq


class GeneralExportBody(BaseModel):
    """Which objects, and how."""

    filters: ProjectFilters
    request: GeneralExportReq


class SummaryExportBody(BaseModel):
    """Which objects, and how."""

    filters: ProjectFilters
    request: SummaryExportReq


class BackupExportBody(BaseModel):
    """Which objects, and how."""

    filters: ProjectFilters
    request: BackupExportReq


class ExportRsp(BaseModel):
    """The job that makes the export; 0 and the reasons where there is none."""

    errors: list[str]
    warnings: list[str]
    job_id: int
