"""What environment variables may be called and hold, and which of several counts. Pure.

Source: spec of the serving API, section 3.14.
"""

import re
from collections.abc import Iterable

from quadrat.errors import ErrorKind, QuadratError
from quadrat.serving.variable_types import Variable, VariableLevel

_NAME = re.compile(r"[A-Za-z](?:[A-Za-z_]{0,62}[A-Za-z])?")
_MAX_VALUE = 65_536
_ORDER = [VariableLevel.PROJECT, VariableLevel.MODEL, VariableLevel.VERSION]


def check_name(name: str) -> str:
    """A name of letters and underscores.

    Raises:
        QuadratError: invalid.
    """
    if _NAME.fullmatch(name) is None:
        raise QuadratError(
            ErrorKind.INVALID,
            "The name of a variable has 1 to 64 letters and underscores, and neither begins nor ends with one.",
            field="name",
        )
    return name


def check_value(value: str) -> str:
    """A value that an environment can hold. The message never quotes it.

    Raises:
        QuadratError: invalid.
    """
    if len(value) > _MAX_VALUE:
        raise QuadratError(ErrorKind.INVALID, f"A value has at most {_MAX_VALUE} characters.", field="value")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise QuadratError(ErrorKind.INVALID, "The value is no Unicode text.", field="value") from None
    if "\0" in value:
        raise QuadratError(ErrorKind.INVALID, "A value cannot hold the NUL character.", field="value")
    return value


def effective(variables: Iterable[Variable]) -> tuple[Variable, ...]:
    """Of each name the one of the lowest level, by name."""
    chosen: dict[str, Variable] = {}
    for variable in sorted(variables, key=lambda item: _ORDER.index(item.level)):
        chosen[variable.name] = variable
    return tuple(chosen[name] for name in sorted(chosen))
