"""The conditions of an object list as SQL, and what they need to be looked up for."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, extract, false, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.identity.types import ProjectId, UserId
from quadrat.objects.rules.fields import Table
from quadrat.objects.rules.filters import Conditions, NumberRange, Selection, StatusFilter, TextMatch, Times
from quadrat.objects.tables import (
    acquisition,
    fact,
    feature,
    history,
    net_sample,
    object_,
    process,
    project_taxon,
    taxon,
)
from quadrat.objects.tables import project as project_table
from quadrat.objects.types import State


async def look_up(tx: AsyncConnection, project_id: ProjectId, conditions: Conditions, me: UserId | None) -> Selection:
    """Look up what conditions name: taxa below, the instrument, samples by their texts."""
    taxa = conditions.taxa
    if taxa is not None and conditions.with_taxa_below:
        used = select(project_taxon.c.taxon_id).where(project_taxon.c.project_id == project_id)
        below = select(taxon.c.id).where(taxon.c.id.in_(used), taxon.c.path.overlap(list(taxa)))
        taxa |= frozenset((await tx.execute(below)).scalars())
    is_instrument = True
    if conditions.instrument is not None:
        named = func.strpos(func.lower(project_table.c.instrument), func.lower(conditions.instrument)) > 0
        query = select(named).where(project_table.c.project_id == project_id)
        is_instrument = bool((await tx.execute(query)).scalar_one_or_none())
    owners = None
    if conditions.text is not None and conditions.text.level != "o" and conditions.text.position is not None:
        owners = frozenset((await tx.execute(_owners(project_id, conditions.text))).scalars())
    return Selection(project_id, conditions, me, taxa, is_instrument, owners)


def _owners(project_id: ProjectId, wanted: TextMatch) -> Any:
    position = (wanted.position or 0) + 1
    if wanted.level == "s":
        found = matches(net_sample.c.free_texts[position], wanted.pattern)
        return select(net_sample.c.id).where(net_sample.c.project_id == project_id, found)
    if wanted.level == "a":
        found = matches(acquisition.c.free_texts[position], wanted.pattern)
        return select(acquisition.c.id).where(acquisition.c.project_id == project_id, found)
    query = select(acquisition.c.id).join(process, process.c.acquisition_id == acquisition.c.id)
    return query.where(acquisition.c.project_id == project_id, matches(process.c.free_texts[position], wanted.pattern))


def matches(text: ColumnElement[Any], pattern: str) -> ColumnElement[bool]:
    """LIKE in any case; only ``%`` and ``_`` are special."""
    found: ColumnElement[bool] = func.lower(text).like(func.lower(pattern.replace("\\", "\\\\")))
    return found


async def lowered(tx: AsyncConnection, text: str) -> str:
    """The text in lower case, as the database has it."""
    return text.lower() if text.isascii() else str((await tx.execute(select(func.lower(text)))).scalar_one())


def where(selection: Selection) -> tuple[ColumnElement[bool], set[Table]]:
    """The condition, and the tables beside `object` that it reads."""
    wanted = selection.conditions
    parts: list[ColumnElement[bool]] = [object_.c.project_id == selection.project_id]
    if not selection.is_instrument:
        parts.append(false())
    if selection.taxa is not None:
        parts.append(object_.c.taxon_id.in_(selection.taxa))
    if wanted.status is not None:
        parts.append(_status(wanted.status, selection.me))
    if wanted.samples is not None:
        parts.append(object_.c.sample_id.in_(wanted.samples))
    parts += _moments(wanted)
    if wanted.annotators is not None:
        earlier = exists().where(history.c.object_id == object_.c.id, history.c.author_id.in_(wanted.annotators))
        parts.append(or_(object_.c.author_id.in_(wanted.annotators), earlier))
    if wanted.last_annotators is not None:
        parts.append(object_.c.author_id.in_(wanted.last_annotators))
    tables: set[Table] = set()
    facts = _facts(wanted)
    if facts:
        tables.add(Table.OBJECT)
    if wanted.number is not None:
        parts.append(_number(wanted.number))
        tables.add(Table.FREE)
    if wanted.text is not None:
        parts.append(_text(wanted.text, selection.owners))
        tables.add(Table.FREE)
    return and_(*parts, *facts), tables


def _status(wanted: StatusFilter, me: UserId | None) -> ColumnElement[bool]:
    state = object_.c.state
    validated = state == State.VALIDATED
    match wanted:
        case StatusFilter.NOT_VALIDATED:
            return state != State.VALIDATED
        case StatusFilter.PREDICTED_OR_VALIDATED:
            return state.in_([State.PREDICTED, State.VALIDATED])
        case StatusFilter.CLASSIFIED:
            return state != State.UNCLASSIFIED
        case StatusFilter.VALIDATED_BY_OTHERS:
            return and_(validated, object_.c.author_id.is_distinct_from(me))
        case StatusFilter.VALIDATED_BY_ME:
            return and_(validated, object_.c.author_id == me)
        case StatusFilter.UNDECIDED:
            return state.in_([State.PREDICTED, State.UNCLASSIFIED])
        case StatusFilter.NOTHING:
            return false()
        case _:
            return state == wanted.value


def _moments(wanted: Conditions) -> list[ColumnElement[bool]]:
    parts: list[ColumnElement[bool]] = []
    if wanted.decided_from is not None:
        parts.append(object_.c.decided_at >= wanted.decided_from)
    if wanted.decided_until is not None:
        parts.append(object_.c.decided_at <= wanted.decided_until)
    if wanted.changed_since is not None:
        parts.append(func.coalesce(object_.c.decided_at, object_.c.predicted_at) >= wanted.changed_since)
    return parts


def _facts(wanted: Conditions) -> list[ColumnElement[bool]]:
    parts: list[ColumnElement[bool]] = []
    if wanted.box is not None:
        parts.append(fact.c.latitude.between(wanted.box.south, wanted.box.north))
        parts.append(fact.c.longitude.between(wanted.box.west, wanted.box.east))
    if wanted.depth is not None:
        parts.append(fact.c.depth_min.between(*wanted.depth))
        parts.append(fact.c.depth_max.between(*wanted.depth))
    if wanted.sun_positions is not None:
        parts.append(fact.c.sun_position.in_(wanted.sun_positions))
    if wanted.months is not None:
        parts.append(extract("month", fact.c.date).in_(wanted.months))
    if wanted.first_date is not None:
        parts.append(fact.c.date >= wanted.first_date)
    if wanted.last_date is not None:
        parts.append(fact.c.date <= wanted.last_date)
    if wanted.times is not None:
        parts.append(_times(wanted.times))
    return parts


def _times(wanted: Times) -> ColumnElement[bool]:
    if wanted.outside:
        return or_(fact.c.time <= wanted.start, fact.c.time >= wanted.end)
    bounds: Sequence[ColumnElement[bool]] = [
        *([] if wanted.start is None else [fact.c.time >= wanted.start]),
        *([] if wanted.end is None else [fact.c.time <= wanted.end]),
    ]
    return and_(*bounds)


def _number(wanted: NumberRange) -> ColumnElement[bool]:
    if wanted.position is None:
        return false()
    value: ColumnElement[Any] = (
        object_.c.predicted_score if wanted.position == "score" else feature.c.numbers[wanted.position + 1]
    )
    bounds: Sequence[ColumnElement[bool]] = [
        *([] if wanted.least is None else [value >= wanted.least]),
        *([] if wanted.most is None else [value <= wanted.most]),
    ]
    return and_(*bounds)


def _text(wanted: TextMatch, owners: frozenset[int] | None) -> ColumnElement[bool]:
    if wanted.position is None:
        return false()
    if wanted.level == "o":
        return matches(feature.c.texts[wanted.position + 1], wanted.pattern)
    owner = object_.c.sample_id if wanted.level == "s" else object_.c.acquisition_id
    return owner.in_(owners or ())
