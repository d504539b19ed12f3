"""Scalars of the samples API and how its clients spell them in a query.

Source: spec of the samples API, sections 1.1 and 1.2.
"""

from typing import Annotated, Any

from fastapi import Path, Query
from pydantic import BeforeValidator

TRUE = frozenset({"True", "true", "1"})
FALSE = frozenset({"False", "false", "0"})


def absent_if_none(value: Any) -> Any:
    """A client writes an argument that is Python's None as that word."""
    return None if value == "None" else value


def _boolean(value: Any) -> Any:
    value = absent_if_none(value)
    if value in TRUE:
        return True
    if value in FALSE:
        return False
    if value is None or isinstance(value, bool):
        return value
    message = "must be True or False"
    raise ValueError(message)


def _number(value: Any) -> Any:
    """Numbers are typed "number": 5.0 is 5."""
    value = absent_if_none(value)
    if isinstance(value, str) and value.endswith(".0"):
        return value[:-2]
    return value


ObjectId = Annotated[str, Path(pattern=r"^[a-f0-9]{24}$")]
QueryBoolean = Annotated[bool | None, BeforeValidator(_boolean)]
PageSize = Annotated[int | None, BeforeValidator(_number), Query(alias="pageSize", ge=1, le=2**62)]
PageOffset = Annotated[int | None, BeforeValidator(_number), Query(alias="pageOffset", ge=0, le=2**62)]
