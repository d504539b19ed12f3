"""Sums over objects by status, taxon and where they come from, as one bare table.

Source: spec of the object-set API, section 1.12: abundance is the number of objects; concentration the sum of
1 / subsample_coef / total_water_volume, per m3; biovolume the sum of individual_volume / subsample_coef /
total_water_volume, mm3 per m3.
"""

import asyncio
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.objects.exporting.formula_columns import ObjectColumns, choose_formulae, find_columns
from quadrat.objects.exporting.types import Exporter, ExportOrder, Measure, Put, Split, SummaryPlan
from quadrat.objects.frames.specs import Array, Ids, Numbers, Positions
from quadrat.objects.rules.filters import Conditions, read_filters
from quadrat.objects.rules.formulae import Quantity, Reference, Scope
from quadrat.objects.store import exports as store
from quadrat.objects.store.exports import AcquisitionRow, SampleRow, SummaryPage
from quadrat.objects.store.filters import look_up
from quadrat.objects.store.projects import free_columns
from quadrat.objects.types import FreeColumns

_LEFT_OUT = -2
_NO_TAXON = -1
_UNCLASSIFIED = ord("U")
_DAYS_TO_2000 = 10_957


class _Sums:
    """Sums so far by unit (position of the sample or acquisition), state and taxon.

    Args:
        mapping: Taxon to the one that it counts as; `_LEFT_OUT` for none.
    """

    def __init__(self, mapping: Mapping[int, int]) -> None:
        self.n_objects = 0
        self._mapping = mapping
        self._parts: list[pl.DataFrame] = []

    def add(self, units: Positions, states: Array, taxa: Ids, terms: Numbers | None, days: Numbers | None) -> None:
        """Add objects: the unit, state and taxon of each, what it adds (1 without), and its day."""
        self.n_objects += len(units)
        objects = pl.DataFrame(
            {
                "unit": units.astype(np.int32),
                "state": states,
                "taxon": taxa,
                "total": np.ones(len(units), np.int64) if terms is None else terms,
                "day": np.full(len(units), np.nan) if days is None else days,
            }
        )
        self._parts.append(_summed(objects))

    def table(self) -> pl.DataFrame:
        """All of it, as objects are; nothing is mapped."""
        if not self._parts:
            return pl.DataFrame(schema=_SUMS)
        self._parts = [_summed(pl.concat(self._parts))]
        return self._parts[0]

    def mapped(self) -> pl.DataFrame:
        """All of it, as taxa count."""
        found = self.table()
        if self._mapping:
            into = pl.col("taxon").replace(list(self._mapping), list(self._mapping.values()))
            found = _summed(found.with_columns(into).filter(pl.col("taxon") != _LEFT_OUT))
        return found


_SUMS = {"unit": pl.Int32, "state": pl.UInt8, "taxon": pl.Int64, "total": pl.Int64, "day": pl.Float64}


def _summed(found: pl.DataFrame) -> pl.DataFrame:
    return found.group_by("unit", "state", "taxon").agg(pl.col("total").sum(), pl.col("day").max())


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
            table = await self._table(tx)
        for quantity, count in self._unusable.items():
            formula = self._formulae[quantity].text
            await self._exporter.log(
                f"Warning: {count} objects have no usable {quantity} = {formula}; it counts as nan"
            )
        await self._exporter.log(f"{len(table)} lines exported")
        await put(await asyncio.to_thread(_text, table))
        return len(table)

    async def _table(self, tx: AsyncConnection) -> pl.DataFrame:
        free = await free_columns(tx, self._order.project_id)
        columns = find_columns(self._formulae.values(), free)
        places = await self._places(tx, free)
        conditions = read_filters(self._order.filters)
        sums = await self._add_up(tx, conditions, columns, places)
        units = sums
        has_zeros = self._plan.by is not Split.NONE and self._plan.measure is not Measure.COUNT
        if has_zeros and conditions.taxa is not None:
            everything = replace(conditions, taxa=None, with_taxa_below=False)
            units = await self._add_up(tx, everything, ObjectColumns((), ()), places, terms=False)
        found = await asyncio.to_thread(sums.mapped)
        if has_zeros:
            found = await asyncio.to_thread(_with_zeros, found, units.table())
        taxa = await store.list_taxa(tx, found["taxon"].unique().to_numpy())
        names = pl.DataFrame(
            {"taxon": [_NO_TAXON, *(row.id for row in taxa)], "name": ["", *(row.display_name for row in taxa)]},
            schema={"taxon": pl.Int64, "name": pl.String},
        )
        return await asyncio.to_thread(self._written, found.join(names, on="taxon", how="left"), places)

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
            sums.add(units, np.zeros(len(at), np.uint8), page.taxa, None, page.numbers[:, -1])
            return
        values = self._terms(page, at, columns, places) if terms and self._formulae else None
        sums.add(units, page.states, page.taxa, values, None)

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

    def _written(self, found: pl.DataFrame, places: _Places) -> pl.DataFrame:
        """Names instead of numbers, in order."""
        place = self._place_columns(found["unit"].to_numpy(), places)
        if self._plan.measure is Measure.COUNT:
            if self._plan.by is Split.SAMPLE:
                days = pl.Series("date", found["day"].fill_nan(None)).cast(pl.Int32) + _DAYS_TO_2000
                place["date"] = days.cast(pl.Date).dt.to_string("%Y-%m-%d")
            rest = {"display_name": found["name"], "nbr": found["total"]}
        else:
            letters = [chr(code) if code != _UNCLASSIFIED else "" for code in found["state"]]
            title = "count" if self._plan.measure is Measure.ABUNDANCE else self._plan.measure.value
            rest = {"status": pl.Series(letters, dtype=pl.String), "taxonid": found["name"], title: found["total"]}
        table = pl.DataFrame({**place, **rest})
        return table.sort(table.columns[:-1])

    def _place_columns(self, units: Positions, places: _Places) -> dict[str, pl.Series]:
        samples = places.samples if self._plan.by is not Split.NONE else ()
        sample_at = places.sample_at[units] if self._plan.by is Split.ACQUISITION else units
        names = _gathered([sample.orig_id for sample in samples], sample_at)
        is_count = self._plan.measure is Measure.COUNT
        match self._plan.by:
            case Split.SAMPLE if is_count:
                return {
                    "sample_id": names,
                    "latitude": _gathered([sample.latitude for sample in samples], units),
                    "longitude": _gathered([sample.longitude for sample in samples], units),
                }
            case Split.SAMPLE:
                return {"sampleid": names}
            case Split.ACQUISITION:
                acquisitions = _gathered([acquisition.orig_id for acquisition in places.acquisitions], units)
                heads = ("sample_id", "acquis_id") if is_count else ("sampleid", "acquisid")
                return dict(zip(heads, (names, acquisitions), strict=True))
            case _:
                return {}


def _gathered(values: Sequence[Any], at: Positions) -> pl.Series:
    return pl.Series(values).gather(at) if values else pl.Series([])


def _with_zeros(found: pl.DataFrame, units: pl.DataFrame) -> pl.DataFrame:
    """A line for each taxon in each unit and state."""
    every = units.select("unit", "state").unique().join(found.select("taxon").unique(), how="cross")
    return every.join(found, on=["unit", "state", "taxon"], how="left").with_columns(pl.col("total").fill_null(0))


def _cast(texts: Sequence[Sequence[str | None]], place: int) -> Numbers:
    return np.array([_float(row[place] if place < len(row) else None) for row in texts], np.float64)


def _float(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return float("nan")


def _text(table: pl.DataFrame) -> bytes:
    texts, numbers = pl.selectors.string(), pl.selectors.float()
    # Empty texts would stand in quotes, and what is no number is written as Python does.
    plain = table.with_columns(
        pl.when(texts != "").then(texts).name.keep(), numbers.cast(pl.String).replace("NaN", "nan")
    )
    written = io.BytesIO()
    plain.write_csv(written, separator="\t", quote_style="necessary")
    return written.getvalue()
