"""The lines of an export: which columns there are, and their text. No I/O.

Source: spec of the object-set API, section 1.12: tabs, all but numbers in quotes, line feeds, UTF-8 with a byte order
mark.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from quadrat.objects.exporting.types import Columns, Images, TablePlan
from quadrat.objects.frames import specs
from quadrat.objects.frames.specs import Array, Column, Ids, Positions
from quadrat.objects.store.exports import (
    AcquisitionRow,
    Block,
    BlockNeeds,
    SampleRow,
    TaxonRow,
    TextColumn,
)
from quadrat.objects.types import FreeColumns, SunPosition

_DAYS_TO_2000 = 10_957
_US_TO_2000 = _DAYS_TO_2000 * 86_400 * 1_000_000
_STATUS = {"P": "predicted", "V": "validated", "D": "dubious"}
_SUN = {letter.value: letter.value for letter in SunPosition}
_MOMENT = "%F %T%.f"
_BOM = b"\xef\xbb\xbf"
_EMPTY = '""'
_LINK, _COMPLEMENT, _ORIG_ID = TextColumn("link"), TextColumn("complement"), TextColumn("orig_id")
_ID = "id"


class _Owners:
    """The things that objects belong to, found by number.

    Args:
        column: Holds the number of each object's.
        ids: Their numbers, rising.
    """

    def __init__(self, column: Column, ids: Sequence[int]) -> None:
        self.column = column
        self.places_name = f"place of {column.name}"
        self._ids = np.array(ids, np.int64)

    def places(self, ids: Ids) -> Positions:
        """Where they stand; behind the last one for what is not there."""
        n = len(self._ids)
        if not n:
            return np.zeros(len(ids), np.intp)
        at = np.minimum(np.searchsorted(self._ids, ids), n - 1)
        return np.where(self._ids[at] == ids, at, n)

    def spec(self, name: str, values: Sequence[Any], *, is_float: bool = False) -> "_Spec":
        """A column of what is known of the owner of each object.

        Args:
            name: Of the column.
            values: One for each owner.
            is_float: Numbers instead of texts.
        """
        # The last place stands for what is missing.
        series = pl.Series([*values, None], dtype=pl.Float64 if is_float else pl.String)
        return _Spec(name, is_float, pl.lit(series).gather(pl.col(self.places_name)))


@dataclass(frozen=True, slots=True)
class Catalog:
    """What the objects of a project belong to, each by number, and its free columns."""

    samples: Sequence[SampleRow]
    acquisitions: Sequence[AcquisitionRow]
    taxa: Sequence[TaxonRow]
    authors: Sequence[tuple[int, str, str]]
    free: FreeColumns


class LineImage(NamedTuple):
    """The image of a line: its path in the archive, and its rank; neither for an object without one."""

    path: str | None
    rank: int | None


class _Spec(NamedTuple):
    """A column of a table, and what it is made of: columns as `TableWriter.read` finds them."""

    name: str
    is_float: bool
    made: pl.Expr


class TableWriter:
    """Turns blocks into text.

    Args:
        plan: Which columns, and how they are written.
        catalog: What objects belong to.
    """

    def __init__(self, plan: TablePlan, catalog: Catalog) -> None:
        self._plan = plan
        self._owners = _owners(catalog)
        self._specs = list(_specs(plan, catalog, self._owners))
        self._made = [spec.made.alias(str(place)) for place, spec in enumerate(self._specs)]
        texts = [_ORIG_ID, _LINK]
        if Columns.COMMENT in plan.columns:
            texts.append(_COMPLEMENT)
        has_free = Columns.OBJECT in plan.columns and not plan.only_annotations
        if has_free:
            texts += [TextColumn(position=position) for position in range(len(catalog.free.object_texts))]
        self.needs = BlockNeeds(
            _VALUES + (_INTERNAL_VALUES if plan.internal_ids else ()),
            texts,
            len(catalog.free.object_numbers) if has_free else 0,
        )

    def header(self) -> bytes:
        """The lines before all others."""
        specs_ = [(spec.name, spec.is_float) for spec in self._specs]
        if self._plan.images is not Images.NONE:
            specs_ = [("img_file_name", False), ("img_rank", False), *specs_]
        rows = [[name for name, _ in specs_]]
        if self._plan.types_row:
            rows.append(["[f]" if is_float else "[t]" for _, is_float in specs_])
        text = "".join("\t".join(map(_quoted, row)) + "\n" for row in rows)
        return text.encode("latin-1", "replace") if self._plan.latin1 else _BOM + text.encode()

    def read(self, block: Block) -> pl.DataFrame:
        """The objects of a block as they are written, one row for each, in their order; images aside."""
        native = {column.name: _native(values) for column, values in block.values.items()}
        raw: dict[str, Any] = {_ID: block.ids, **native}
        for owners in self._owners.all():
            if owners.column in block.values:
                raw[owners.places_name] = owners.places(native[owners.column.name])
        columns = [pl.Series(name, values) for name, values in raw.items()]
        for column, text in zip(self.needs.texts, block.texts, strict=True):
            # One text with NULs in it becomes a column without a Python object for each cell.
            columns.append(pl.Series(_text(column), [text.decode()]).str.split("\0").explode())
        # Turned on its side once, so that each feature lies in one piece.
        numbers = np.ascontiguousarray(block.numbers.T, np.float64)
        columns += [pl.Series(_number(at), values, nan_to_null=True) for at, values in enumerate(numbers)]
        frame = pl.DataFrame(columns).select(self._made)
        if self._plan.decimal_comma:
            is_float = pl.selectors.float()
            frame = frame.with_columns(is_float.cast(pl.String).str.replace(".", ",", literal=True))
        return frame

    def lines(self, frame: pl.DataFrame, at: Positions, images: Sequence[LineImage]) -> bytes | memoryview:
        """Lines as they stand in the file.

        Args:
            frame: A block that was read.
            at: Row of the object of each line.
            images: One for each line, where the plan names images.
        """
        if len(at) != len(frame) or (np.diff(at) != 1).any():
            frame = frame[at]
        if self._plan.images is not Images.NONE:
            paths = pl.Series("path", [image.path for image in images], pl.String)
            ranks = pl.Series("rank", [image.rank for image in images], pl.Int32)
            frame = pl.DataFrame([paths, ranks, *frame.get_columns()])
        written = io.BytesIO()
        frame.write_csv(written, include_header=False, separator="\t", quote_style="non_numeric", null_value=_EMPTY)
        if self._plan.latin1:
            return written.getvalue().decode().encode("latin-1", "replace")
        return written.getbuffer()


_VALUES = (
    specs.SAMPLE,
    specs.ACQUISITION,
    specs.TAXON,
    specs.STATE,
    specs.AUTHOR,
    specs.DECIDED_AT,
    specs.LATITUDE,
    specs.LONGITUDE,
    specs.DEPTH_MIN,
    specs.DEPTH_MAX,
    specs.DATE,
    specs.TIME,
)
_INTERNAL_VALUES = (
    specs.PREDICTED_TAXON,
    specs.PREDICTED_SCORE,
    specs.PREDICTED_AT,
    specs.RANDOM_VALUE,
    specs.SUN_POSITION,
)


@dataclass(frozen=True, slots=True)
class _OwnersOf:
    """Everything that objects belong to."""

    samples: _Owners
    acquisitions: _Owners
    authors: _Owners
    taxa: _Owners
    predicted: _Owners

    def all(self) -> Sequence[_Owners]:
        return self.samples, self.acquisitions, self.authors, self.taxa, self.predicted


def _owners(catalog: Catalog) -> _OwnersOf:
    taxa = [row.id for row in catalog.taxa]
    return _OwnersOf(
        _Owners(specs.SAMPLE, [row.id for row in catalog.samples]),
        _Owners(specs.ACQUISITION, [row.id for row in catalog.acquisitions]),
        _Owners(specs.AUTHOR, [row[0] for row in catalog.authors]),
        _Owners(specs.TAXON, taxa),
        _Owners(specs.PREDICTED_TAXON, taxa),
    )


def _specs(plan: TablePlan, catalog: Catalog, owners: _OwnersOf) -> Iterator[_Spec]:
    yield _Spec("object_id", False, pl.col(_text(_ORIG_ID)))
    if not plan.only_annotations:
        yield from _facts(plan)
    yield from _annotations(plan, catalog, owners)
    if plan.only_annotations:
        return
    if Columns.COMMENT in plan.columns:
        yield _Spec("complement_info", False, pl.col(_text(_COMPLEMENT)))
    if Columns.OBJECT in plan.columns:
        yield from _features(catalog.free)
    if Columns.SAMPLE in plan.columns:
        yield from _of_samples(owners.samples, catalog)
    if Columns.PROCESS in plan.columns:
        yield from _of_processes(owners.acquisitions, catalog)
    if Columns.ACQUISITION in plan.columns:
        yield from _of_acquisitions(owners.acquisitions, catalog)
    if plan.object_id or plan.internal_ids:
        yield _Spec("objid", False, pl.col(_ID))
    if plan.internal_ids:
        yield from _internal(owners, catalog)


def _facts(plan: TablePlan) -> Iterator[_Spec]:
    day, time = _formats(formatted=plan.formatted_dates)
    yield _Spec("object_lat", True, _float(specs.LATITUDE))
    yield _Spec("object_lon", True, _float(specs.LONGITUDE))
    yield _Spec("object_date", False, _date(specs.DATE, day))
    yield _Spec("object_time", False, _time(specs.TIME, time))
    yield _Spec("object_link", False, pl.col(_text(_LINK)))
    yield _Spec("object_depth_min", True, _float(specs.DEPTH_MIN))
    yield _Spec("object_depth_max", True, _float(specs.DEPTH_MAX))


def _annotations(plan: TablePlan, catalog: Catalog, owners: _OwnersOf) -> Iterator[_Spec]:
    day, time = _formats(formatted=plan.formatted_dates)
    yield _Spec("object_annotation_status", False, _word(specs.STATE, _STATUS))
    yield owners.authors.spec("object_annotation_person_name", [row[1] for row in catalog.authors])
    yield owners.authors.spec("object_annotation_person_email", [row[2] for row in catalog.authors])
    yield _Spec("object_annotation_date", False, _moment(specs.DECIDED_AT, day))
    yield _Spec("object_annotation_time", False, _moment(specs.DECIDED_AT, time))
    yield owners.taxa.spec("object_annotation_category", [row.display_name for row in catalog.taxa])
    if plan.category_id:
        yield _id("object_annotation_category_id", specs.TAXON)
    else:
        yield owners.taxa.spec("object_annotation_hierarchy", [row.hierarchy for row in catalog.taxa])


def _features(free: FreeColumns) -> Iterator[_Spec]:
    for position, name in enumerate(free.object_numbers):
        yield _Spec(f"object_{name}", True, pl.col(_number(position)))
    for position, name in enumerate(free.object_texts):
        yield _Spec(f"object_{name}", False, pl.col(_text(TextColumn(position=position))))


def _internal(owners: _OwnersOf, catalog: Catalog) -> Iterator[_Spec]:
    yield _id("processid_internal", specs.ACQUISITION)
    yield _id("acq_id_internal", specs.ACQUISITION)
    yield _id("sample_id_internal", specs.SAMPLE)
    yield _id("classif_id", specs.TAXON)
    yield _id("classif_who", specs.AUTHOR)
    yield _id("classif_auto_id", specs.PREDICTED_TAXON)
    yield owners.predicted.spec("classif_auto_name", [row.display_name for row in catalog.taxa])
    yield _Spec("classif_auto_score", True, _float(specs.PREDICTED_SCORE))
    yield _Spec("classif_auto_when", False, _moment(specs.PREDICTED_AT, _MOMENT))
    yield _Spec("object_random_value", False, pl.col(specs.RANDOM_VALUE.name))
    yield _Spec("object_sunpos", False, _word(specs.SUN_POSITION, _SUN))
    yield owners.samples.spec("sample_lat", [row.latitude for row in catalog.samples], is_float=True)
    yield owners.samples.spec("sample_long", [row.longitude for row in catalog.samples], is_float=True)


# What is written of the things that objects belong to.


def _of_samples(samples: _Owners, catalog: Catalog) -> Iterator[_Spec]:
    yield samples.spec("sample_id", [row.orig_id for row in catalog.samples])
    yield samples.spec("sample_dataportal_descriptor", [row.descriptor for row in catalog.samples])
    yield from _free_texts("sample", samples, catalog.free.sample_texts, [row.texts for row in catalog.samples])


def _of_processes(acquisitions: _Owners, catalog: Catalog) -> Iterator[_Spec]:
    rows = catalog.acquisitions
    yield acquisitions.spec("process_id", [row.process_orig_id for row in rows])
    yield from _free_texts("process", acquisitions, catalog.free.process_texts, [row.process_texts for row in rows])


def _of_acquisitions(acquisitions: _Owners, catalog: Catalog) -> Iterator[_Spec]:
    rows = catalog.acquisitions
    yield acquisitions.spec("acq_id", [row.orig_id for row in rows])
    yield acquisitions.spec("acq_instrument", [row.instrument for row in rows])
    yield from _free_texts("acq", acquisitions, catalog.free.acquisition_texts, [row.texts for row in rows])


def _free_texts(
    prefix: str, owners: _Owners, names: Sequence[str], texts: Sequence[Sequence[str | None]]
) -> Iterator[_Spec]:
    for position, name in enumerate(names):
        # An array may be shorter than there are names.
        values = [row[position] if position < len(row) else None for row in texts]
        yield owners.spec(f"{prefix}_{name}", values)


# Values as columns.


def _text(column: TextColumn) -> str:
    return f"text {column.name or column.position}"


def _number(position: int) -> str:
    return f"number {position}"


def _native(values: Array) -> Array:
    return values.astype(values.dtype.newbyteorder("="))


def _id(name: str, column: Column) -> _Spec:
    return _Spec(name, False, _unless(column, specs.NO_ID))


def _unless(column: Column, missing: int) -> pl.Expr:
    values = pl.col(column.name)
    return pl.when(values != missing).then(values)


def _float(column: Column) -> pl.Expr:
    return pl.col(column.name).fill_nan(None)


def _formats(*, formatted: bool) -> tuple[str, str]:
    return ("%Y-%m-%d", "%H:%M:%S") if formatted else ("%Y%m%d", "%H%M%S")


def _date(column: Column, form: str) -> pl.Expr:
    return (_unless(column, specs.NO_DATE) + _DAYS_TO_2000).cast(pl.Date).dt.to_string(form)


def _time(column: Column, form: str) -> pl.Expr:
    return (_unless(column, specs.NO_TIME) * 1000).cast(pl.Time).dt.to_string(form)


def _moment(column: Column, form: str) -> pl.Expr:
    return (_unless(column, specs.NO_MOMENT) + _US_TO_2000).cast(pl.Datetime("us")).dt.to_string(form)


def _word(column: Column, words: Mapping[str, str]) -> pl.Expr:
    """A word for each letter; nothing for those that have none."""
    by_letter: list[str | None] = [None] * 256
    for letter, word in words.items():
        by_letter[ord(letter)] = word
    return pl.lit(pl.Series(by_letter, dtype=pl.String)).gather(pl.col(column.name))


def _quoted(text: str) -> str:
    doubled = text.replace('"', '""')
    return f'"{doubled}"'
