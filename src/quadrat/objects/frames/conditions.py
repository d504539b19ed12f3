"""The conditions of an object list over columns in memory: the same as `store.filters` in SQL. No I/O."""

import datetime as dt
from collections.abc import Iterator
from datetime import datetime

import numpy as np

from quadrat.objects.frames import specs
from quadrat.objects.frames.frame import View
from quadrat.objects.frames.specs import Array, Column, Mask
from quadrat.objects.rules.filters import Conditions, NumberRange, Selection, StatusFilter, TextMatch, Times

_DIRECT = 1_000_000
_PG_DAY = dt.date(2000, 1, 1)
_VALIDATED, _PREDICTED = ord("V"), ord("P")


def needed(conditions: Conditions) -> set[Column]:
    """The columns beside the core that the conditions read."""
    columns: set[Column] = set()
    if conditions.status in (StatusFilter.VALIDATED_BY_ME, StatusFilter.VALIDATED_BY_OTHERS):
        columns.add(specs.AUTHOR)
    if conditions.box is not None:
        columns |= {specs.LATITUDE, specs.LONGITUDE}
    if conditions.depth is not None:
        columns |= {specs.DEPTH_MIN, specs.DEPTH_MAX}
    if conditions.sun_positions is not None:
        columns.add(specs.SUN_POSITION)
    if conditions.months or conditions.first_date or conditions.last_date:
        columns.add(specs.DATE)
    if conditions.times is not None:
        columns.add(specs.TIME)
    return columns | _needed_decisions(conditions) | _needed_features(conditions)


def _needed_decisions(conditions: Conditions) -> set[Column]:
    columns: set[Column] = set()
    if conditions.decided_from or conditions.decided_until or conditions.changed_since:
        columns.add(specs.DECIDED_AT)
    if conditions.changed_since:
        columns.add(specs.PREDICTED_AT)
    if conditions.annotators is not None or conditions.last_annotators is not None:
        columns.add(specs.AUTHOR)
    return columns


def _needed_features(conditions: Conditions) -> set[Column]:
    columns: set[Column] = set()
    number, text = conditions.number, conditions.text
    if number is not None and number.position is not None:
        columns.add(specs.PREDICTED_SCORE if number.position == "score" else specs.number(number.position))
    if text is not None and text.level == "o" and text.position is not None:
        columns.add(specs.text(text.position))
    return columns


def select(view: View, selection: Selection, pattern: str | None) -> Mask | None:
    """Which objects are selected; None for all.

    Args:
        view: The columns.
        selection: The conditions, looked up.
        pattern: The pattern of the text condition in lower case.
    """
    mask: Mask | None = None
    for part in _parts(view, selection, pattern):
        mask = part if mask is None else np.logical_and(mask, part, out=mask)
    return mask


def _parts(view: View, selection: Selection, pattern: str | None) -> Iterator[Mask]:
    wanted = selection.conditions
    if not selection.is_instrument:
        yield _none(view)
    if selection.taxa is not None:
        yield _one_of(view.values[specs.TAXON], selection.taxa - {specs.NO_ID})
    if wanted.status is not None:
        yield _status(view, wanted.status, selection.me)
    if wanted.samples is not None:
        yield _one_of(view.values[specs.SAMPLE], wanted.samples)
    yield from _facts(view, wanted)
    yield from _decisions(view, wanted)
    if wanted.number is not None:
        yield _number(view, wanted.number)
    if wanted.text is not None:
        yield _text(view, wanted.text, selection.owners, pattern or "")


def _none(view: View) -> Mask:
    return np.zeros(len(view.ids), bool)


def _one_of(values: Array, wanted: frozenset[int]) -> Mask:
    limits = np.iinfo(values.dtype)
    possible = sorted(value for value in wanted if limits.min <= value <= limits.max)
    if not possible:
        return np.zeros(len(values), bool)
    if len(possible) == 1:
        only: Mask = values == possible[0]
        return only
    if possible[0] > 0 and possible[-1] < _DIRECT:
        # Both ends stand for what is not wanted: ids that are missing (-1), and greater ones.
        table = np.zeros(possible[-1] + 2, bool)
        table[possible] = True
        return np.take(table, values, mode="clip")
    return np.isin(values, np.array(possible, values.dtype))


def _status(view: View, wanted: StatusFilter, me: int | None) -> Mask:
    state = view.values[specs.STATE]
    validated: Mask = state == _VALIDATED
    mask: Mask
    match wanted:
        case StatusFilter.NOT_VALIDATED:
            mask = ~validated
        case StatusFilter.PREDICTED_OR_VALIDATED:
            mask = validated | (state == _PREDICTED)
        case StatusFilter.CLASSIFIED:
            mask = state != specs.UNCLASSIFIED
        case StatusFilter.VALIDATED_BY_OTHERS:
            mask = validated & (view.values[specs.AUTHOR] != (specs.NO_ID if me is None else me))
        case StatusFilter.VALIDATED_BY_ME:
            mask = validated & (view.values[specs.AUTHOR] == (specs.NO_ID if me is None else me))
        case StatusFilter.UNDECIDED:
            mask = (state == _PREDICTED) | (state == specs.UNCLASSIFIED)
        case StatusFilter.NOTHING:
            mask = _none(view)
        case _:
            mask = state == ord(wanted.value)
    return mask


def _facts(view: View, wanted: Conditions) -> Iterator[Mask]:
    if wanted.box is not None:
        yield _between(view.values[specs.LATITUDE], wanted.box.south, wanted.box.north)
        yield _between(view.values[specs.LONGITUDE], wanted.box.west, wanted.box.east)
    if wanted.depth is not None:
        yield _between(view.values[specs.DEPTH_MIN], *wanted.depth)
        yield _between(view.values[specs.DEPTH_MAX], *wanted.depth)
    if wanted.sun_positions is not None:
        letters = [ord(letter) for letter in wanted.sun_positions if len(letter) == 1 and letter.isascii()]
        is_wanted = np.zeros(256, bool)
        is_wanted[letters] = True
        yield np.take(is_wanted, view.values[specs.SUN_POSITION])
    if wanted.months is not None:
        yield _months(view.values[specs.DATE], wanted.months)
    if wanted.first_date is not None or wanted.last_date is not None:
        date = view.values[specs.DATE]
        first, last = (None if day is None else (day - _PG_DAY).days for day in (wanted.first_date, wanted.last_date))
        yield _between(date, first, last) & (date != specs.NO_DATE)
    if wanted.times is not None:
        yield _times(view.values[specs.TIME], wanted.times)


def _decisions(view: View, wanted: Conditions) -> Iterator[Mask]:
    if wanted.decided_from is not None or wanted.decided_until is not None:
        decided = view.values[specs.DECIDED_AT]
        yield _between(decided, _moment(wanted.decided_from), _moment(wanted.decided_until)) & (
            decided != specs.NO_MOMENT
        )
    if wanted.changed_since is not None:
        decided, since = view.values[specs.DECIDED_AT], _moment(wanted.changed_since)
        changed = np.where(decided == specs.NO_MOMENT, view.values[specs.PREDICTED_AT], decided)
        yield changed >= since
    if wanted.annotators is not None:
        mask = _one_of(view.values[specs.AUTHOR], wanted.annotators - {specs.NO_ID})
        if view.annotations is not None:
            earlier = _one_of(view.annotations.authors, wanted.annotators)
            mask[view.annotations.positions[earlier]] = True
        yield mask
    if wanted.last_annotators is not None:
        yield _one_of(view.values[specs.AUTHOR], wanted.last_annotators - {specs.NO_ID})


def _between(values: Array, least: float | None, most: float | None) -> Mask:
    mask: Mask = np.ones(len(values), bool) if least is None else values >= least
    if most is not None:
        mask &= values <= most
    return mask


def _months(dates: Array, months: frozenset[int]) -> Mask:
    known: Mask = dates != specs.NO_DATE
    if not known.any():
        return known
    first, last = int(dates[known].min()), int(dates[known].max())
    days = np.datetime64(_PG_DAY, "D") + np.arange(first, last + 1)
    wanted = np.isin(days.astype("datetime64[M]").astype(np.int64) % 12 + 1, sorted(months))
    selected: Mask = wanted[np.where(known, dates, first) - first] & known
    return selected


def _times(values: Array, wanted: Times) -> Mask:
    start, end = _microseconds(wanted.start), _microseconds(wanted.end)
    known: Mask = values != specs.NO_TIME
    if wanted.outside:
        return (_between(values, None, start) | _between(values, end, None)) & known
    return _between(values, start, end) & known


def _microseconds(time: dt.time | None) -> int | None:
    if time is None:
        return None
    return ((time.hour * 60 + time.minute) * 60 + time.second) * 1_000_000 + time.microsecond


def _moment(moment: datetime | None) -> int | None:
    return None if moment is None else specs.moment_of(moment)


def _number(view: View, wanted: NumberRange) -> Mask:
    if wanted.position is None:
        return _none(view)
    column = specs.PREDICTED_SCORE if wanted.position == "score" else specs.number(wanted.position)
    return _between(view.values[column], wanted.least, wanted.most)


def _text(view: View, wanted: TextMatch, owners: frozenset[int] | None, pattern: str) -> Mask:
    if wanted.position is None:
        return _none(view)
    if wanted.level == "o":
        column = specs.text(wanted.position)
        return view.texts[column].matching(pattern)[view.values[column]]
    return _one_of(view.values[specs.SAMPLE if wanted.level == "s" else specs.ACQUISITION], owners or frozenset())
