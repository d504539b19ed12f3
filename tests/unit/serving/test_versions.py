from typing import Any

import pytest

from quadrat.errors import ErrorKind, QuadratError
from quadrat.serving.rules.versions import (
    check_settings,
    cut_error,
    is_available,
    is_building,
    on_build_asked,
    on_build_failed,
    on_deploying,
    refuse_unless_available,
)
from quadrat.serving.types import VersionSettings, VersionStatus


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"memory_allocation_mb": 256},
        {"memory_allocation_mb": 32768},
        {"maximum_instances": 20, "minimum_instances": 20},
        {"maximum_instances": 1},
        {"maximum_idle_time_s": 10},
        {"maximum_idle_time_s": 3600},
        {"language": "python3.5"},
    ],
)
def test_settings_within_their_ranges_are_taken(settings: dict[str, Any]):
    assert check_settings(VersionSettings(**settings)) == VersionSettings(**settings)


@pytest.mark.parametrize(
    ("field", "settings"),
    [
        ("memory_allocation", {"memory_allocation_mb": 255}),
        ("memory_allocation", {"memory_allocation_mb": 32769}),
        ("maximum_instances", {"maximum_instances": 0}),
        ("maximum_instances", {"maximum_instances": 21}),
        ("minimum_instances", {"minimum_instances": -1}),
        ("minimum_instances", {"minimum_instances": 6}),
        ("maximum_idle_time", {"maximum_idle_time_s": 9}),
        ("maximum_idle_time", {"maximum_idle_time_s": 3601}),
        ("language", {"language": "python3.9"}),
        ("language", {"language": ""}),
    ],
)
def test_settings_outside_of_their_ranges_are_refused_by_name(field: str, settings: dict[str, Any]):
    with pytest.raises(QuadratError) as refused:
        check_settings(VersionSettings(**settings))
    assert (refused.value.kind, refused.value.field) == (ErrorKind.INVALID, field)


def test_first_build_goes_over_building_and_deploying():
    building = on_build_asked(VersionStatus.INITIALISED)
    deploying = on_deploying(building)
    assert (building, deploying) == (VersionStatus.BUILDING, VersionStatus.DEPLOYING)
    assert on_build_failed(building) is VersionStatus.BUILDING_FAILED
    assert on_build_failed(deploying) is VersionStatus.DEPLOYING_FAILED
    assert on_build_asked(deploying) is VersionStatus.BUILDING


@pytest.mark.parametrize("status", list(VersionStatus))
def test_version_that_has_served_never_stops_serving(status: VersionStatus):
    after = {on_build_asked(status), on_deploying(on_build_asked(status)), on_build_failed(on_build_asked(status))}
    assert {is_available(one) for one in after} == {is_available(status)}


@pytest.mark.parametrize("status", list(VersionStatus))
def test_every_build_ends_where_clients_stop_to_poll(status: VersionStatus):
    assert is_building(on_build_asked(status))
    failed = on_build_failed(on_deploying(on_build_asked(status)))
    assert "failed" in failed
    assert not is_building(failed)


def test_requests_are_refused_with_the_stage_unless_available():
    for status in VersionStatus:
        if is_available(status):
            refuse_unless_available(status)
            continue
        with pytest.raises(QuadratError) as refused:
            refuse_unless_available(status)
        assert refused.value.kind is ErrorKind.WRONG_STATE
    with pytest.raises(
        QuadratError, match=r"^Version is not available: The version is currently in the building stage$"
    ):
        refuse_unless_available(VersionStatus.BUILDING)


def test_error_is_cut_to_what_clients_read():
    assert cut_error("short") == "short"
    assert len(cut_error("x" * 5000)) == 500
