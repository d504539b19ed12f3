"""The envelope of every answer."""

from typing import Generic, Literal, TypeVar

from pydantic import BaseModel

Result = TypeVar("Result")


class Success(BaseModel, Generic[Result]):
    """A result with its code, which equals the status of the answer."""

    code: Literal[200]
    status: Literal["success"]
    result: Result


def success(result: Result) -> Success[Result]:
    """Wrap a result."""
    return Success(code=200, status="success", result=result)
