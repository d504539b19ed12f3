"""Sums over objects by status, taxon and where they come from, as one bare table.

Source: spec of the object-set API, section 1.12: abundance is the number of objects; concentration the sum of
1 / subsample_coef / total_water_volume, per m3; biovolume the sum of individual_volume / subsample_coef /
total_water_volume, mm3 per m3.
"""

import asyncio
import csv
import datetime as dt
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.errors import ErrorKind, QuadratError
from quadrat.objects.exporting.types import Exporter, ExportOrder, Measure, Put, Split, SummaryPlan
from quadrat.objects.frames.specs import Ids, Numbers, Positions
from quadrat.objects.rules.filters import Conditions, read_filters
from quadrat.objects.rules.formulae import Formula, Quantity, Reference, Scope, read_formulae
from quadrat.objects.store import exports as store
from quadrat.objects.store.arrays import to_ids
from quadrat.objects.store.exports import AcquisitionRow, SampleRow, SummaryPage
from quadrat.objects.store.filters import look_up
from quadrat.objects.store.projects import free_columns
from quadrat.objects.types import FreeColumns

NEEDED: Mapping[Measure, Sequence[Quantity]] = {
    Measure.ABUNDANCE: (),
    Measure.COUNT: (),
    Measure.CONCENTRATION: (Quantity.SUBSAMPLE, Quantity.WATER_VOLUME),
    Measure.BIOVOLUME: (Quantity.INDIVIDUAL_VOLUME, Quantity.SUBSAMPLE, Quantity.WATER_VOLUME),
}
_FACTS = ("depth_min", "depth_max", "latitude", "longitude")
_LEFT_OUT = -2
_NO_TAXON = -1
_DAY_0 = dt.date(2000, 1, 1)


@dataclass(frozen=True, slots=True)
class ObjectColumns:
    """Which columns of objects formulae read.

    Args:
        numbers: Reference, and the position of the feature or the name of the fact.
        texts: Reference and position.
    """

    numbers: Sequence[tuple[Reference, int | str]]
    texts: Sequence[tuple[Reference, int]]


def choose_formulae(plan: SummaryPlan, of_project: Mapping[str, str]) -> dict[Quantity, Formula]:
    """The formulae that a summary needs.

    Raises:
        QuadratError: invalid; for one that is missing as well.
    """
    given = read_formulae({**of_project, **plan.formulae})
    missing = [quantity for quantity in NEEDED[plan.measure] if quantity not in given]
    if missing:
        raise QuadratError(
            ErrorKind.INVALID,
            f"For {plan.measure} there has to be a formula for {', '.join(missing)}: in the request, or in the "
            "settings of the project (bodc_variables).",
            field="formulae",
        )
    return {quantity: given[quantity] for quantity in NEEDED[plan.measure]}


def find_columns(formulae: Iterable[Formula], free: FreeColumns) -> ObjectColumns:
    """The columns of objects that formulae read, once all that they read is known to be there.

    Raises:
        QuadratError: invalid.
    """
    numbers: list[tuple[Reference, int | str]] = []
    texts: list[tuple[Reference, int]] = []
    for reference in sorted({reference for formula in formulae for reference in formula.references}):
        if reference.scope is Scope.OBJECT:
            if reference.name in free.object_numbers:
                numbers.append((reference, free.object_numbers.index(reference.name)))
            elif reference.name in free.object_texts:
                texts.append((reference, free.object_texts.index(reference.name)))
            elif reference.name in _FACTS:
                numbers.append((reference, reference.name))
            else:
                raise _no_column(reference, [*free.object_numbers, *free.object_texts])
        elif reference.scope is Scope.SAMPLE:
            if reference.name not in free.sample_texts:
                raise _no_column(reference, free.sample_texts)
        else:
            _check_subsample(reference, free)
    return ObjectColumns(numbers, texts)


def _check_subsample(reference: Reference, free: FreeColumns) -> None:
    there = [reference.name in names for names in (free.acquisition_texts, free.process_texts)]
    if all(there):
        raise QuadratError(
            ErrorKind.INVALID,
            f"{reference} means nothing certain: acquisitions and processes have a column of that name.",
            field="formulae",
        )
    if not any(there):
        raise _no_column(reference, [*free.acquisition_texts, *free.process_texts])


def _no_column(reference: Reference, names: Sequence[str]) -> QuadratError:
    known = ", ".join(f"{reference.scope}.{name}" for name in names[:50]) or "none"
    return QuadratError(
        ErrorKind.INVALID, f"The project has no column {reference}. There are: {known}.", field="formulae"
    )


class _Key(NamedTuple):
    """What is summed up in one line.

    Args:
        unit: Position of the sample or acquisition; 0 where there is no such thing.
        state: The letter; empty where states are not told apart.
        taxon_id: -1 for none.
    """

    unit: int
    state: str
    taxon_id: int


class _Sums:
    """Sums so far, and which units there are at all, with their states."""

    def __init__(self, mapping: Mapping[int, int]) -> None:
        self.totals: dict[_Key, float] = {}
        self.latest: dict[_Key, float] = {}
        self.units: set[tuple[int, str]] = set()
        self.n_objects = 0
        self._mapping = mapping

    def add(self, units: Positions, states: Positions, taxa: Ids, terms: Numbers | None, days: Numbers | None) -> None:
        """Add objects: the unit, state and taxon of each, what it adds (1 without), and its day."""
        self.n_objects += len(units)
        taxon_ids, taxon_at = np.unique(taxa, return_inverse=True)
        keys, at = np.unique((units * 256 + states) * len(taxon_ids) + taxon_at, return_inverse=True)
        totals = np.bincount(at, terms, len(keys)).tolist()
        latest = np.full(len(keys), -np.inf)
        if days is not None:
            np.fmax.at(latest, at, days)
        for packed, total, day in zip(keys.tolist(), totals, latest.tolist(), strict=True):
            rest, taxon_place = divmod(packed, len(taxon_ids))
            unit, state = divmod(rest, 256)
            letter = chr(state) if state else ""
            self.units.add((unit, letter))
            taxon_id = int(taxon_ids[taxon_place])
            key = _Key(unit, letter, self._mapping.get(taxon_id, taxon_id))
            if key.taxon_id != _LEFT_OUT:
                self.totals[key] = self.totals.get(key, 0) + total
                self.latest[key] = max(self.latest.get(key, day), day)


@dataclass(frozen=True, slots=True)
class _Places:
    """Where objects come from.

    Args:
        samples: By number.
        acquisitions: By number.
        sample_at: Position of the sample of each acquisition.
        columns: What formulae read of them, for each acquisition.
    """

    samples: Sequence[SampleRow]
    acquisitions: Sequence[AcquisitionRow]
    sample_at: Positions
    columns: Mapping[Reference, Numbers]


class SummaryExport:
    """One summary.

    Args:
        exporter: With what it works.
        order: Of what.
        plan: Which sums.
        of_project: Formulae of the project, for those that the plan does not bring.

    Raises:
        QuadratError: invalid formulae.
    """

    def __init__(
        self, exporter: Exporter, order: ExportOrder, plan: SummaryPlan, of_project: Mapping[str, str]
    ) -> None:
        self._exporter = exporter
        self._order = order
        self._plan = plan
        self._formulae = choose_formulae(plan, of_project)
        self._unusable: dict[Quantity, int] = {}

    async def write(self, put: Put) -> int:
        """Hand out the bytes of the table; how many lines there are."""
        async with self._exporter.db.snapshot() as tx:
            head, rows = await self._table(tx)
        for quantity, count in self._unusable.items():
            formula = self._formulae[quantity].text
            await self._exporter.log(
                f"Warning: {count} objects have no usable {quantity} = {formula}; it counts as nan"
            )
        await self._exporter.log(f"{len(rows)} lines exported")
        await put(await asyncio.to_thread(_text, head, rows))
        return len(rows)

    async def _table(self, tx: AsyncConnection) -> tuple[Sequence[str], list[Sequence[Any]]]:
        free = await free_columns(tx, self._order.project_id)
        columns = find_columns(self._formulae.values(), free)
        places = await self._places(tx, free)
        conditions = read_filters(self._order.filters)
        sums = await self._add_up(tx, conditions, columns, places)
        taxa = {key.taxon_id for key in sums.totals}
        named = await store.list_taxa(tx, to_ids([id_ for id_ in taxa if id_ != _NO_TAXON]))
        names = {_NO_TAXON: "", **{row.id: row.display_name for row in named}}
        if self._plan.measure is Measure.COUNT:
            return self._count_table(sums, places, names)
        if self._plan.by is not Split.NONE:
            units = sums.units
            if conditions.taxa is not None:
                everything = replace(conditions, taxa=None, with_taxa_below=False)
                units = (await self._add_up(tx, everything, ObjectColumns((), ()), places, terms=False)).units
            for (unit, state), taxon_id in product(units, taxa):
                sums.totals.setdefault(_Key(unit, state, taxon_id), 0)
        return self._sum_table(sums, places, names)

    async def _places(self, tx: AsyncConnection, free: FreeColumns) -> _Places:
        samples = await store.list_samples(tx, self._order.project_id)
        acquisitions = await store.list_acquisitions(tx, self._order.project_id)
        position = {row.id: place for place, row in enumerate(samples)}
        sample_at = np.array([position[row.sample_id] for row in acquisitions], np.intp)
        columns: dict[Reference, Numbers] = {}
        for reference in {reference for formula in self._formulae.values() for reference in formula.references}:
            if reference.scope is Scope.SAMPLE:
                place = free.sample_texts.index(reference.name)
                columns[reference] = _cast([row.texts for row in samples], place)[sample_at]
            elif reference.scope is Scope.SUBSAMPLE and reference.name in free.acquisition_texts:
                place = free.acquisition_texts.index(reference.name)
                columns[reference] = _cast([row.texts for row in acquisitions], place)
            elif reference.scope is Scope.SUBSAMPLE:
                place = free.process_texts.index(reference.name)
                columns[reference] = _cast([row.process_texts for row in acquisitions], place)
        return _Places(samples, acquisitions, sample_at, columns)

    async def _add_up(
        self,
        tx: AsyncConnection,
        conditions: Conditions,
        columns: ObjectColumns,
        places: _Places,
        *,
        terms: bool = True,
    ) -> _Sums:
        selection = await look_up(tx, self._order.project_id, conditions, self._order.user_id)
        sums = _Sums({taxon: into or _LEFT_OUT for taxon, into in self._plan.mapping.items()})
        numbers: list[int | str] = [place for _, place in columns.numbers]
        if self._plan.measure is Measure.COUNT:
            numbers.append(store.DAY)
        texts = [place for _, place in columns.texts]
        async for page in store.summary_pages(tx, selection, numbers, texts):
            await asyncio.to_thread(self._add_page, sums, page, columns, places, terms=terms)
            await self._exporter.progress(50, f"Added up {sums.n_objects} objects")
        return sums

    def _add_page(
        self, sums: _Sums, page: SummaryPage, columns: ObjectColumns, places: _Places, *, terms: bool
    ) -> None:
        ids = np.array([row.id for row in places.acquisitions], np.int64)
        at = np.searchsorted(ids, page.acquisitions)
        units = {Split.SAMPLE: places.sample_at[at], Split.ACQUISITION: at}.get(self._plan.by, np.zeros_like(at))
        if self._plan.measure is Measure.COUNT:
            sums.add(units, np.zeros_like(at), page.taxa, None, page.numbers[:, -1])
            return
        values = self._terms(page, at, columns, places) if terms and self._formulae else None
        sums.add(units, page.states.astype(np.intp), page.taxa, values, None)

    def _terms(self, page: SummaryPage, at: Positions, columns: ObjectColumns, places: _Places) -> Numbers:
        """What each object adds."""
        read = {reference: values[at] for reference, values in places.columns.items()}
        read |= {reference: page.numbers[:, place] for place, (reference, _) in enumerate(columns.numbers)}
        for place, (reference, _) in enumerate(columns.texts):
            texts = pl.Series([page.texts[place].decode()]).str.split("\0").explode()
            read[reference] = texts.str.strip_chars().cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy()
        found: dict[Quantity, Numbers] = {}
        for quantity, formula in self._formulae.items():
            found[quantity] = np.broadcast_to(formula.apply(read), at.shape)
            unusable = int(np.isnan(found[quantity]).sum())
            if unusable:
                self._unusable[quantity] = self._unusable.get(quantity, 0) + unusable
        with np.errstate(all="ignore"):
            volume = found.get(Quantity.INDIVIDUAL_VOLUME, np.float64(1))
            terms = volume / found[Quantity.SUBSAMPLE] / found[Quantity.WATER_VOLUME]
            return np.where(np.isfinite(terms), terms, np.nan)

    def _sum_table(
        self, sums: _Sums, places: _Places, names: Mapping[int, str]
    ) -> tuple[Sequence[str], list[Sequence[Any]]]:
        by, measure = self._plan.by, self._plan.measure
        head = {Split.SAMPLE: ["sampleid"], Split.ACQUISITION: ["sampleid", "acquisid"]}.get(by, [])
        title = "count" if measure is Measure.ABUNDANCE else measure.value
        rows = [
            (*self._unit(places, key.unit), key.state if key.state != "U" else "", names[key.taxon_id], total)
            for key, total in sums.totals.items()
        ]
        return [*head, "status", "taxonid", title], sorted(rows, key=lambda row: tuple(map(str, row[:-1])))

    def _count_table(
        self, sums: _Sums, places: _Places, names: Mapping[int, str]
    ) -> tuple[Sequence[str], list[Sequence[Any]]]:
        by = self._plan.by
        head: Sequence[str] = {
            Split.SAMPLE: ("sample_id", "latitude", "longitude", "date"),
            Split.ACQUISITION: ("sample_id", "acquis_id"),
        }.get(by, ())
        rows: list[Sequence[Any]] = []
        for key, total in sums.totals.items():
            where: Sequence[Any] = self._unit(places, key.unit)
            if by is Split.SAMPLE:
                sample = places.samples[key.unit]
                where = (sample.orig_id, sample.latitude, sample.longitude, _date(sums.latest[key]))
            rows.append((*where, names[key.taxon_id], total))
        return [*head, "display_name", "nbr"], sorted(rows, key=lambda row: (row[0], *map(str, row[1:-1])))

    def _unit(self, places: _Places, unit: int) -> Sequence[str]:
        match self._plan.by:
            case Split.SAMPLE:
                return (places.samples[unit].orig_id,)
            case Split.ACQUISITION:
                return (places.samples[places.sample_at[unit]].orig_id, places.acquisitions[unit].orig_id)
            case _:
                return ()


def _cast(texts: Sequence[Sequence[str | None]], place: int) -> Numbers:
    return np.array([_float(row[place] if place < len(row) else None) for row in texts], np.float64)


def _float(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return float("nan")


def _date(days: float) -> str:
    return (_DAY_0 + dt.timedelta(days=days)).isoformat() if np.isfinite(days) else ""


def _text(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
    written = io.StringIO()
    writer = csv.writer(written, delimiter="\t", lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return written.getvalue().encode()
