import pytest

from quadrat.errors import ErrorKind, QuadratError
from quadrat.jobs import rules
from quadrat.jobs.types import JobState


@pytest.mark.parametrize("state", sorted(rules.ENDED))
def test_may_follow_ended_state_never_runs_by_itself(state: JobState) -> None:
    assert not rules.may_follow(state, JobState.RUNNING)


def test_may_follow_lost_run_may_run_again() -> None:
    assert rules.may_follow(JobState.RUNNING, JobState.RUNNING)


def test_require_state_other_state_names_both() -> None:
    with pytest.raises(QuadratError, match="is finished; it cannot be answered") as refused:
        rules.require_state(JobState.FINISHED, JobState.ASKING, to="answered")
    assert refused.value.kind is ErrorKind.WRONG_STATE


def test_wait_before_retry_doubles_up_to_five_minutes() -> None:
    assert [rules.wait_before_retry_s(attempt) for attempt in (1, 2, 3, 20)] == [2, 4, 8, 300]


def test_is_worth_retrying_a_refusal_is_final_unless_something_was_away() -> None:
    assert not rules.is_worth_retrying(QuadratError(ErrorKind.INVALID, "no"))
    assert rules.is_worth_retrying(QuadratError(ErrorKind.UNAVAILABLE, "later"))
    assert rules.is_worth_retrying(RuntimeError())


@pytest.mark.parametrize(("percent", "shown"), [(-1, 0), (0, 0), (33.4, 33), (100.2, 100), (float("nan"), 0)])
def test_whole_percent_stays_within_bounds(percent: float, shown: int) -> None:
    assert rules.whole_percent(percent) == shown
