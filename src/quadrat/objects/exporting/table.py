"""The lines of an export: which columns there are, and their text. No I/O.

Source: spec of the object-set API, section 1.12: tabs, all but numbers in quotes, line feeds, UTF-8 with a byte order
mark.
"""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from quadrat.objects.exporting.types import Columns, Images, TablePlan
from quadrat.objects.frames import specs
from quadrat.objects.frames.specs import Array, Column, Ids, Numbers, Positions
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
_TEXT = pl.String
_LINK, _COMPLEMENT, _ORIG_ID = TextColumn("link"), TextColumn("complement"), TextColumn("orig_id")


class _Owners:
    """The things that objects belong to, found by number.

    Args:
        column: Holds the number of each object's.
        ids: Their numbers, rising.
    """

    def __init__(self, column: Column, ids: Sequence[int]) -> None:
        self.column = column
        self._ids = np.array(ids, np.int64)

    def places(self, ids: Ids) -> Positions:
        """Where they stand; behind the last one for what is not there."""
        n = len(self._ids)
        if not n:
            return np.zeros(len(ids), np.intp)
        at = np.minimum(np.searchsorted(self._ids, ids), n - 1)
        return np.where(self._ids[at] == ids, at, n)


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


class LineBlock:
    """A block as it was read, whose texts are taken apart once for all the tables that it goes into."""

    def __init__(self, block: Block, needs: BlockNeeds) -> None:
        self.block = block
        self._packed = {column: block.texts[place] for place, column in enumerate(needs.texts)}
        self._texts: dict[TextColumn, pl.Series] = {}

    def text(self, column: TextColumn) -> pl.Series:
        """A text of each object."""
        if column not in self._texts:
            # One text with NULs in it becomes a column without a Python object for each cell.
            joined = pl.Series([self._packed[column].decode()])
            self._texts[column] = joined.str.split("\0").explode()
        return self._texts[column]


class _Lines:
    """What the columns of a table are made from.

    Args:
        source: Where the objects of the lines are.
        at: Position in the block of the object of each line.
        images: One for each line, where the table names images.
    """

    def __init__(self, source: LineBlock, at: Positions, images: Sequence[LineImage]) -> None:
        self.images = images
        self._source = source
        self._block = source.block
        self._at = at
        self._numbers: Numbers = source.block.numbers[at].astype(np.float64)
        self._places: dict[_Owners, Positions] = {}

    def ids(self) -> Ids:
        return self._block.ids[self._at]

    def value(self, column: Column) -> Array:
        values = self._block.values[column][self._at]
        return values.astype(values.dtype.newbyteorder("="))

    def text(self, column: TextColumn) -> pl.Series:
        return self._source.text(column).gather(self._at)

    def number(self, position: int) -> pl.Series:
        return _number(self._numbers[:, position])

    def places(self, owners: _Owners) -> Positions:
        """Where the owners of the objects stand; found once for all that is written of them."""
        if owners not in self._places:
            self._places[owners] = owners.places(self.value(owners.column))
        return self._places[owners]


_Make = Callable[[_Lines], pl.Series]


class _Spec(NamedTuple):
    name: str
    is_float: bool
    make: _Make


class TableWriter:
    """Turns blocks into text.

    Args:
        plan: Which columns, and how they are written.
        catalog: What objects belong to.
    """

    def __init__(self, plan: TablePlan, catalog: Catalog) -> None:
        self._plan = plan
        self._catalog = catalog
        self._specs = list(_specs(plan, catalog))
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
        rows = [[spec.name for spec in self._specs]]
        if self._plan.types_row:
            rows.append(["[f]" if spec.is_float else "[t]" for spec in self._specs])
        text = "".join("\t".join(map(_quoted, row)) + "\n" for row in rows)
        return text.encode("latin-1", "replace") if self._plan.latin1 else _BOM + text.encode()

    def lines(self, source: LineBlock, at: Positions, images: Sequence[LineImage]) -> bytes | memoryview:
        """Lines as they stand in the file.

        Args:
            source: Where their objects are.
            at: Position in the block of the object of each line.
            images: One for each line, where the plan names images.
        """
        found = _Lines(source, at, images)
        frame = pl.DataFrame([spec.make(found).alias(str(place)) for place, spec in enumerate(self._specs)])
        if self._plan.decimal_comma:
            is_float = pl.selectors.float()
            frame = frame.with_columns(is_float.cast(pl.String).str.replace(".", ",", literal=True))
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


def _specs(plan: TablePlan, catalog: Catalog) -> Iterator[_Spec]:
    if plan.images is not Images.NONE:
        yield _Spec(
            "img_file_name", False, lambda lines: pl.Series([image.path for image in lines.images], dtype=_TEXT)
        )
        yield _Spec("img_rank", False, lambda lines: pl.Series([image.rank for image in lines.images], dtype=pl.Int32))
    yield _Spec("object_id", False, lambda lines: lines.text(_ORIG_ID))
    if not plan.only_annotations:
        yield from _facts(plan)
    yield from _annotations(plan, catalog)
    if plan.only_annotations:
        return
    if Columns.COMMENT in plan.columns:
        yield _Spec("complement_info", False, lambda lines: lines.text(_COMPLEMENT))
    if Columns.OBJECT in plan.columns:
        yield from _features(catalog.free)
    yield from _places(plan, catalog)


def _places(plan: TablePlan, catalog: Catalog) -> Iterator[_Spec]:
    samples = _Owners(specs.SAMPLE, [row.id for row in catalog.samples])
    acquisitions = _Owners(specs.ACQUISITION, [row.id for row in catalog.acquisitions])
    if Columns.SAMPLE in plan.columns:
        yield from _of_samples(samples, catalog)
    if Columns.PROCESS in plan.columns:
        yield from _of_processes(acquisitions, catalog)
    if Columns.ACQUISITION in plan.columns:
        yield from _of_acquisitions(acquisitions, catalog)
    if plan.object_id or plan.internal_ids:
        yield _Spec("objid", False, lambda lines: pl.Series(lines.ids()))
    if plan.internal_ids:
        yield from _internal(samples, catalog)


def _facts(plan: TablePlan) -> Iterator[_Spec]:
    day, time = _formats(formatted=plan.formatted_dates)
    yield _Spec("object_lat", True, lambda lines: _number(lines.value(specs.LATITUDE)))
    yield _Spec("object_lon", True, lambda lines: _number(lines.value(specs.LONGITUDE)))
    yield _Spec("object_date", False, lambda lines: _dates(lines.value(specs.DATE), day))
    yield _Spec("object_time", False, lambda lines: _times(lines.value(specs.TIME), time))
    yield _Spec("object_link", False, lambda lines: lines.text(_LINK))
    yield _Spec("object_depth_min", True, lambda lines: _number(lines.value(specs.DEPTH_MIN)))
    yield _Spec("object_depth_max", True, lambda lines: _number(lines.value(specs.DEPTH_MAX)))


def _annotations(plan: TablePlan, catalog: Catalog) -> Iterator[_Spec]:
    day, time = _formats(formatted=plan.formatted_dates)
    authors = _Owners(specs.AUTHOR, [row[0] for row in catalog.authors])
    taxa = _Owners(specs.TAXON, [row.id for row in catalog.taxa])
    yield _Spec("object_annotation_status", False, lambda lines: _states(lines.value(specs.STATE)))
    yield _owned("object_annotation_person_name", authors, [row[1] for row in catalog.authors])
    yield _owned("object_annotation_person_email", authors, [row[2] for row in catalog.authors])
    yield _Spec("object_annotation_date", False, lambda lines: _moments(lines.value(specs.DECIDED_AT), day))
    yield _Spec("object_annotation_time", False, lambda lines: _moments(lines.value(specs.DECIDED_AT), time))
    yield _owned("object_annotation_category", taxa, [row.display_name for row in catalog.taxa])
    if plan.category_id:
        yield _id("object_annotation_category_id", specs.TAXON)
    else:
        yield _owned("object_annotation_hierarchy", taxa, [row.hierarchy for row in catalog.taxa])


def _features(free: FreeColumns) -> Iterator[_Spec]:
    for position, name in enumerate(free.object_numbers):
        yield _Spec(f"object_{name}", True, partial(_Lines.number, position=position))
    for position, name in enumerate(free.object_texts):
        yield _Spec(f"object_{name}", False, partial(_Lines.text, column=TextColumn(position=position)))


def _internal(samples: _Owners, catalog: Catalog) -> Iterator[_Spec]:
    taxa = _Owners(specs.PREDICTED_TAXON, [row.id for row in catalog.taxa])
    yield _id("processid_internal", specs.ACQUISITION)
    yield _id("acq_id_internal", specs.ACQUISITION)
    yield _id("sample_id_internal", specs.SAMPLE)
    yield _id("classif_id", specs.TAXON)
    yield _id("classif_who", specs.AUTHOR)
    yield _id("classif_auto_id", specs.PREDICTED_TAXON)
    yield _owned("classif_auto_name", taxa, [row.display_name for row in catalog.taxa])
    yield _Spec("classif_auto_score", True, lambda lines: _number(lines.value(specs.PREDICTED_SCORE)))
    yield _Spec("classif_auto_when", False, lambda lines: _moments(lines.value(specs.PREDICTED_AT), _MOMENT))
    yield _Spec("object_random_value", False, lambda lines: pl.Series(lines.value(specs.RANDOM_VALUE)))
    yield _Spec("object_sunpos", False, lambda lines: _letters(lines.value(specs.SUN_POSITION), _SUN))
    yield _owned("sample_lat", samples, [row.latitude for row in catalog.samples], is_float=True)
    yield _owned("sample_long", samples, [row.longitude for row in catalog.samples], is_float=True)


# What is written of the things that objects belong to.


def _of_samples(samples: _Owners, catalog: Catalog) -> Iterator[_Spec]:
    yield _owned("sample_id", samples, [row.orig_id for row in catalog.samples])
    yield _owned("sample_dataportal_descriptor", samples, [row.descriptor for row in catalog.samples])
    yield from _free_texts("sample", samples, catalog.free.sample_texts, [row.texts for row in catalog.samples])


def _of_processes(acquisitions: _Owners, catalog: Catalog) -> Iterator[_Spec]:
    rows = catalog.acquisitions
    yield _owned("process_id", acquisitions, [row.process_orig_id for row in rows])
    yield from _free_texts("process", acquisitions, catalog.free.process_texts, [row.process_texts for row in rows])


def _of_acquisitions(acquisitions: _Owners, catalog: Catalog) -> Iterator[_Spec]:
    rows = catalog.acquisitions
    yield _owned("acq_id", acquisitions, [row.orig_id for row in rows])
    yield _owned("acq_instrument", acquisitions, [row.instrument for row in rows])
    yield from _free_texts("acq", acquisitions, catalog.free.acquisition_texts, [row.texts for row in rows])


def _free_texts(
    prefix: str, owners: _Owners, names: Sequence[str], texts: Sequence[Sequence[str | None]]
) -> Iterator[_Spec]:
    for position, name in enumerate(names):
        # An array may be shorter than there are names.
        values = [row[position] if position < len(row) else None for row in texts]
        yield _owned(f"{prefix}_{name}", owners, values)


def _owned(name: str, owners: _Owners, values: Sequence[Any], *, is_float: bool = False) -> _Spec:
    # The last place stands for what is missing.
    series = pl.Series([*values, None], dtype=pl.Float64 if is_float else pl.String)
    return _Spec(name, is_float, lambda lines: series.gather(lines.places(owners)))


def _id(name: str, column: Column) -> _Spec:
    return _Spec(name, False, lambda lines: _whole(lines.value(column), specs.NO_ID))


# Values as columns.


def _number(values: Array) -> pl.Series:
    return pl.Series(np.ascontiguousarray(values, np.float64)).fill_nan(None)


def _whole(values: Array, missing: int) -> pl.Series:
    series = pl.Series(values)
    return series.set(series == missing, None)


def _formats(*, formatted: bool) -> tuple[str, str]:
    return ("%Y-%m-%d", "%H:%M:%S") if formatted else ("%Y%m%d", "%H%M%S")


def _dates(values: Array, form: str) -> pl.Series:
    missing = values == specs.NO_DATE
    days = pl.Series(np.where(missing, 0, values) + _DAYS_TO_2000, dtype=pl.Int32).cast(pl.Date)
    return days.dt.to_string(form).set(pl.Series(missing), None)


def _times(values: Array, form: str) -> pl.Series:
    missing = values == specs.NO_TIME
    times = pl.Series(np.where(missing, 0, values) * 1000, dtype=pl.Int64).cast(pl.Time)
    return times.dt.to_string(form).set(pl.Series(missing), None)


def _moments(values: Array, form: str) -> pl.Series:
    missing = values == specs.NO_MOMENT
    moments = pl.Series(np.where(missing, 0, values) + _US_TO_2000, dtype=pl.Int64).cast(pl.Datetime("us"))
    return moments.dt.to_string(form).set(pl.Series(missing), None)


def _states(values: Array) -> pl.Series:
    return _letters(values, _STATUS)


def _letters(values: Array, words: Mapping[str, str]) -> pl.Series:
    """A word for each letter; nothing for those that have none."""
    place = np.full(256, len(words), np.intp)
    for at, letter in enumerate(words):
        place[ord(letter)] = at
    return pl.Series([*words.values(), None]).gather(place[values])


def _quoted(text: str) -> str:
    doubled = text.replace('"', '""')
    return f'"{doubled}"'
