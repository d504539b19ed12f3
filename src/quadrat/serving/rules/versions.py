"""Limits of a version's settings, and how its status moves. Pure.

Source: spec of the serving API, section 3.8.
"""

from quadrat.errors import ErrorKind, QuadratError
from quadrat.serving.types import VersionSettings, VersionStatus

LANGUAGES = ("python3.5", "python3.6", "python3.7", "python3.8")
MAX_ERROR_MESSAGE = 500
_MEMORY_MB = range(256, 32768 + 1)
_MAXIMUM_INSTANCES = range(1, 20 + 1)
_IDLE_S = range(10, 3600 + 1)


def check_settings(settings: VersionSettings) -> VersionSettings:
    """Refuse settings outside of their ranges.

    Raises:
        QuadratError: invalid, naming the field.
    """
    if settings.language not in LANGUAGES:
        raise QuadratError(ErrorKind.INVALID, f"The language must be one of {', '.join(LANGUAGES)}.", field="language")
    _check_range("memory_allocation", settings.memory_allocation_mb, _MEMORY_MB)
    _check_range("maximum_instances", settings.maximum_instances, _MAXIMUM_INSTANCES)
    _check_range("minimum_instances", settings.minimum_instances, range(settings.maximum_instances + 1))
    _check_range("maximum_idle_time", settings.maximum_idle_time_s, _IDLE_S)
    return settings


def _check_range(name: str, value: int, allowed: range) -> None:
    if value not in allowed:
        raise QuadratError(
            ErrorKind.INVALID, f"The field {name} must be from {allowed.start} to {allowed.stop - 1}.", field=name
        )


def is_available(status: VersionStatus) -> bool:
    """Whether requests are accepted."""
    return status.startswith(VersionStatus.AVAILABLE)


def is_building(status: VersionStatus) -> bool:
    """Whether a build is on its way."""
    return status in (VersionStatus.BUILDING, VersionStatus.DEPLOYING, VersionStatus.AVAILABLE_BUILDING)


def on_build_asked(status: VersionStatus) -> VersionStatus:
    """After an upload or a change of language; a build that runs is restarted."""
    return VersionStatus.AVAILABLE_BUILDING if is_available(status) else VersionStatus.BUILDING


def on_deploying(status: VersionStatus) -> VersionStatus:
    """The environment is there and an instance is tried; what serves an earlier build shows nothing of it."""
    return VersionStatus.DEPLOYING if status is VersionStatus.BUILDING else status


def on_build_failed(status: VersionStatus) -> VersionStatus:
    """The archive, its requirements or the first start were at fault."""
    if is_available(status):
        return VersionStatus.AVAILABLE_BUILDING_FAILED
    if status is VersionStatus.DEPLOYING:
        return VersionStatus.DEPLOYING_FAILED
    return VersionStatus.BUILDING_FAILED


def refuse_unless_available(status: VersionStatus) -> None:
    """Requests need a build that has succeeded once.

    Raises:
        QuadratError: wrong_state.
    """
    if not is_available(status):
        stage = status.replace("_", " ")
        raise QuadratError(
            ErrorKind.WRONG_STATE, f"Version is not available: The version is currently in the {stage} stage"
        )


def cut_error(message: str) -> str:
    """As much of a message as clients can read again."""
    return message if len(message) <= MAX_ERROR_MESSAGE else f"{message[: MAX_ERROR_MESSAGE - 1]}…"
