"""What classification does to an object: the transition table. Pure; the store does the same to many at once in SQL.

Source: spec of the object-set API, sections 1.1 to 1.5 and 3.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from quadrat.identity.types import UserId
from quadrat.objects.types import HUMAN_STATES, Classification, FormerState, State, TaxonId

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Decide:
    """A person classifies.

    Args:
        taxon_id: None keeps the present one.
        state: Validated, dubious or predicted; None keeps the present one.
        author_id: Who.
        at: When.
    """

    taxon_id: TaxonId | None
    state: State | None
    author_id: UserId
    at: datetime


@dataclass(frozen=True, slots=True)
class Predict:
    """A machine classifies.

    Args:
        taxon_id: Its best guess.
        score: How sure it is, 0 to 1.
        at: When.
        keep_log: Whether the prediction that this one replaces goes to history.
    """

    taxon_id: TaxonId
    score: float
    at: datetime
    keep_log: bool


@dataclass(frozen=True, slots=True)
class Reset:
    """What a person decided becomes a sure prediction of the same taxon.

    Args:
        at: When.
    """

    at: datetime


@dataclass(frozen=True, slots=True)
class Restore:
    """Go back to a former state, or to none.

    Args:
        line: The state to restore; None makes the object unclassified.
    """

    line: FormerState | None


Event = Decide | Predict | Reset | Restore


@dataclass(frozen=True, slots=True)
class Step:
    """What one event did to one object.

    Args:
        after: The new state; the same as before when nothing changed.
        line: What goes to history.
    """

    after: Classification
    line: FormerState | None = None


def transition(before: Classification, event: Event) -> Step:
    """The next state of an object, and the line of history that the step leaves."""
    match event:
        case Decide():
            return _decide(before, event)
        case Predict():
            return _predict(before, event)
        case Reset():
            return _reset(before, event)
        case Restore():
            return Step(_restored(before, event.line))


def former(state: Classification) -> FormerState | None:
    """The line that a state becomes when an object leaves it; None for an unclassified one."""
    if state.taxon_id is None:
        return None
    if state.state in HUMAN_STATES:
        return FormerState(state.decided_at or EPOCH, state.state, state.taxon_id, state.author_id, None)
    return FormerState(state.predicted_at or EPOCH, state.state, state.taxon_id, None, state.predicted_score)


def _decide(before: Classification, event: Decide) -> Step:
    taxon_id = before.taxon_id if event.taxon_id is None else event.taxon_id
    state = before.state if event.state is None else event.state
    if taxon_id is None or state is State.UNCLASSIFIED:
        return Step(before)
    same = (before.taxon_id, before.state) == (taxon_id, state)
    if state is State.PREDICTED:
        if same:
            return Step(before)
        after = replace(
            before,
            state=state,
            taxon_id=taxon_id,
            author_id=None,
            decided_at=None,
            predicted_taxon_id=taxon_id,
            predicted_at=event.at,
        )
    else:
        if same and before.author_id == event.author_id:
            return Step(before)
        after = replace(before, state=state, taxon_id=taxon_id, author_id=event.author_id, decided_at=event.at)
    return Step(after, former(before))


def _predict(before: Classification, event: Predict) -> Step:
    predicted = replace(before, predicted_taxon_id=event.taxon_id, predicted_score=event.score, predicted_at=event.at)
    if before.state in HUMAN_STATES:
        return Step(predicted)
    after = replace(predicted, state=State.PREDICTED, taxon_id=event.taxon_id)
    return Step(after, former(before) if event.keep_log else None)


def _reset(before: Classification, event: Reset) -> Step:
    if before.state not in HUMAN_STATES:
        return Step(before)
    after = Classification(
        state=State.PREDICTED,
        taxon_id=before.taxon_id,
        predicted_taxon_id=before.taxon_id,
        predicted_score=1.0,
        predicted_at=event.at,
    )
    return Step(after, former(before))


def _restored(before: Classification, line: FormerState | None) -> Classification:
    if line is None:
        return replace(before, state=State.UNCLASSIFIED, taxon_id=None, author_id=None, decided_at=None)
    if line.state in HUMAN_STATES:
        return replace(
            before, state=line.state, taxon_id=line.taxon_id, author_id=line.author_id, decided_at=line.entered_at
        )
    return Classification(
        state=State.PREDICTED,
        taxon_id=line.taxon_id,
        predicted_taxon_id=line.taxon_id,
        predicted_score=line.score,
        predicted_at=line.entered_at,
    )


@dataclass(frozen=True, slots=True)
class Reversion:
    """Which former states a revert goes back to.

    Args:
        target_id: Only objects that somebody else decided on last, and only lines of this user; None for the newest
            line of every object, and none at all where there is no line.
        not_by_id: Lines of this user do not count.
    """

    target_id: UserId | None = None
    not_by_id: UserId | None = None


def find_line(before: Classification, lines: Sequence[FormerState], wanted: Reversion) -> tuple[bool, int | None]:
    """Whether a revert concerns an object, and the position of the line that it restores.

    Args:
        before: The present state.
        lines: History, oldest first.
        wanted: What to go back to.

    Returns:
        Concerned, and a position in `lines`; None when the object becomes unclassified. All lines from the position on
        are used up, all lines at all where it is None.
    """
    if wanted.target_id is not None and before.author_id in (None, wanted.target_id):
        return False, None
    for position in range(len(lines) - 1, -1, -1):
        line = lines[position]
        if wanted.target_id is not None and line.author_id != wanted.target_id:
            continue
        if wanted.not_by_id is not None and line.author_id == wanted.not_by_id:
            continue
        return True, position
    return wanted.target_id is None, None
