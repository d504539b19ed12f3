"""Exports as the object-set API asks for them."""

from collections.abc import Mapping
from dataclasses import replace

from quadrat.api.ecotaxa.schemas.exports import (
    BackupExportBody,
    BackupExportReq,
    ExportBody,
    ExportReq,
    ExportRsp,
    GeneralExportBody,
    GeneralExportReq,
    SummaryExportBody,
    SummaryExportReq,
)
from quadrat.identity.types import ProjectId
from quadrat.jobs.types import JobId
from quadrat.objects.actions.exports import ExportRequest
from quadrat.objects.exporting.types import BACKUP, Images, Layout, Measure, Split, SummaryPlan, TablePlan
from quadrat.objects.types import Permission

RIGHTS: Mapping[str, Permission] = {
    "read": Permission.READ,
    "annotate": Permission.CLASSIFY,
    "manage": Permission.UPDATE,
}
_ALL, _PLACES = "OPASC", "OPAS"
_MEASURES = {"SUM": Measure.COUNT, "ABO": Measure.ABUNDANCE, "CNC": Measure.CONCENTRATION, "BIV": Measure.BIOVOLUME}
# A process is one to one with an acquisition.
_SUBTOTALS = {"S": Split.SAMPLE, "A": Split.ACQUISITION, "P": Split.ACQUISITION}
_SPLITS = {"sample": Split.SAMPLE, "acquisition": Split.ACQUISITION, "taxon": Split.TAXON}
_ANNOTATIONS = TablePlan(category_id=True, only_annotations=True, types_row=True, formatted_dates=False)

Body = ExportBody | GeneralExportBody | SummaryExportBody | BackupExportBody


def request(body: Body) -> ExportRequest:
    """What is asked for."""
    asked = body.request
    plan: TablePlan | SummaryPlan
    match asked:
        case GeneralExportReq():
            plan = _general(asked)
        case SummaryExportReq():
            plan = SummaryPlan(
                Measure(asked.quantity),
                Split(asked.summarise_by),
                _mapping(asked.taxo_mapping),
                asked.formulae or {},
            )
        case BackupExportReq():
            plan = BACKUP
        case ExportReq():
            plan = _of_old_kind(asked)
    return ExportRequest(
        ProjectId(asked.project_id), body.filters.model_dump(), plan, asked.out_to_ftp, asked.model_dump()
    )


def _general(asked: GeneralExportReq) -> TablePlan:
    if asked.only_annotations:
        return _ANNOTATIONS
    images = Images(asked.with_images)
    return TablePlan(
        columns=_ALL,
        split=Split(asked.split_by),
        images=images,
        with_bytes=images is not Images.NONE,
        internal_ids=asked.with_internal_ids,
        types_row=asked.with_types_row,
    )


def _of_old_kind(asked: ExportReq) -> TablePlan | SummaryPlan:
    match asked.exp_type:
        case "TSV":
            return _tables(asked)
        case "BAK":
            return _old_backup(asked)
        case "DOI":
            return TablePlan(
                columns=_PLACES,
                layout=Layout.TAXA,
                images=Images.FIRST if asked.only_first_image else Images.ALL,
                with_bytes=asked.with_images,
                category_id=True,
                object_id=True,
                internal_ids=asked.with_internal_ids,
                types_row=bool(asked.with_types_row),
                formatted_dates=asked.format_dates_times,
                decimal_comma=asked.coma_as_separator,
                latin1=asked.use_latin1,
            )
        case _:
            by = _SUBTOTALS.get(asked.sum_subtotal or "", Split.NONE)
            return SummaryPlan(_MEASURES[asked.exp_type], by, _mapping(asked.pre_mapping), asked.formulae or {})


def _tables(asked: ExportReq) -> TablePlan:
    split = _SPLITS.get(asked.split_by, Split.NONE)
    columns = {letter for letter in asked.tsv_entities.upper() if letter in _ALL}
    columns |= {Split.SAMPLE: {"S"}, Split.ACQUISITION: {"A"}}.get(split, set())
    return TablePlan(
        columns="".join(sorted(columns)),
        split=split,
        internal_ids=asked.with_internal_ids,
        types_row=bool(asked.with_types_row),
        formatted_dates=asked.format_dates_times,
        decimal_comma=asked.coma_as_separator,
        latin1=asked.use_latin1,
    )


def _old_backup(asked: ExportReq) -> TablePlan:
    if asked.only_annotations:
        return _ANNOTATIONS
    # Without its images nothing can be made of it again.
    return replace(BACKUP, with_bytes=asked.with_images, extras=asked.with_images, latin1=asked.use_latin1)


def _mapping(given: Mapping[str, int | None] | None) -> dict[int, int]:
    return {int(taxon): into or 0 for taxon, into in (given or {}).items()}


def answer(job_id: JobId | None, errors: list[str]) -> ExportRsp:
    """The job, or why there is none."""
    return ExportRsp(errors=errors, warnings=[], job_id=job_id or 0)
