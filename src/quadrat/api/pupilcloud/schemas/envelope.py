"""The envelope of every answer."""

from typing import Generic, Literal, TypeVar

from pydantic import BaseModel

Result = TypeVar("Result")


class Success(BaseModel, Generic[Result]):
    """A result with its code, which equals the status of the answer."""

    code: Literal[200]
    status: Literal["success"]
    result: Result


class Created(BaseModel, Generic[Result]):
    """The same for the few answers whose status is 201."""

    code: Literal[201]
    status: Literal["success"]
    result: Result


class Deleted(BaseModel):
    """What became of several ids."""

    deleted: list[str]
    not_found: list[str]


def success(result: Result) -> Success[Result]:
    """Wrap a result."""
    return Success(code=200, status="success", result=result)


def created(result: Result) -> Created[Result]:
    """Wrap the result of a creation that is answered with 201."""
    return Created(code=201, status="success", result=result)
