"""The transition function against a model that is too simple to be wrong."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from quadrat.identity.types import UserId
from quadrat.objects.rules.classification import (
    Decide,
    Event,
    Predict,
    Reset,
    Restore,
    Reversion,
    find_line,
    transition,
)
from quadrat.objects.types import Classification, FormerState, State, TaxonId
from support.classification_model import Model

START = datetime(2026, 1, 1, tzinfo=UTC)
taxa, users = st.integers(1, 3), st.integers(1, 3)
operations = st.one_of(
    st.tuples(st.just("classify"), st.sampled_from([-1, 1, 2, 3]), st.sampled_from("VDP="), users),
    st.tuples(st.just("auto"), taxa, st.sampled_from([0.0, 0.5, 1.0]), st.booleans()),
    st.tuples(st.just("reset")),
    st.tuples(st.just("revert"), st.none() | users, st.none() | users),
)


def as_model(state: Classification) -> dict[str, Any]:
    return {
        "qual": None if state.state is State.UNCLASSIFIED else state.state.value,
        "id": state.taxon_id,
        "who": state.author_id,
        "when": state.decided_at,
        "auto_id": state.predicted_taxon_id,
        "auto_score": state.predicted_score,
        "auto_when": state.predicted_at,
    }


def as_line(line: FormerState) -> dict[str, Any]:
    return {
        "qual": line.state.value,
        "id": line.taxon_id,
        "who": line.author_id,
        "when": line.entered_at,
        "score": line.score,
    }


def event_of(operation: tuple[Any, ...], at: datetime) -> Event:
    match operation:
        case ("classify", taxon, qual, who):
            state = None if qual == "=" else State(qual)
            return Decide(None if taxon == -1 else TaxonId(taxon), state, UserId(who), at)
        case ("auto", taxon, score, keep_log):
            return Predict(TaxonId(taxon), score, at, keep_log)
        case _:
            return Reset(at)


@settings(max_examples=400)
@given(st.lists(operations, max_size=15))
def test_transitions_are_those_of_the_naive_model(sequence: list[tuple[Any, ...]]):
    model = Model()
    model.add(1)
    state, lines = Classification(), list[FormerState]()
    for number, operation in enumerate(sequence):
        at = START + timedelta(minutes=number)
        match operation:
            case ("classify", taxon, qual, who):
                model.classify({1: taxon}, qual, who, at)
            case ("auto", taxon, score, keep_log):
                model.classify_auto({1: (taxon, score)}, keep_log, at)
            case ("reset",):
                model.reset([1], at)
            case ("revert", target, not_by):
                model.revert([1], target, not_by)
        if operation[0] == "revert":
            concerned, position = find_line(state, lines, Reversion(operation[1], operation[2]))
            if concerned:
                state = transition(state, Restore(None if position is None else lines[position])).after
                del lines[position or 0 :]
        else:
            step = transition(state, event_of(operation, at))
            if step.after == state:
                assert step.line is None or operation[0] == "auto"
            state = step.after
            lines += [] if step.line is None else [step.line]
        assert as_model(state) == model.objects[1]
        assert [as_line(line) for line in lines] == model.history[1]


def test_transition_to_the_same_state_leaves_no_line():
    decided = transition(Classification(), Decide(TaxonId(1), State.VALIDATED, UserId(1), START)).after
    again = transition(decided, Decide(TaxonId(1), State.VALIDATED, UserId(1), START + timedelta(days=1)))
    assert again.after is decided
    assert again.line is None
