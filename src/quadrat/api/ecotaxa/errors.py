"""Errors as the object-set API's clients read them: ``{"detail": ...}``.

Source: spec of the object-set API, section 7: a sentence for everything but 422, which is always a list of problems,
because the client parses that one.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from starlette.responses import Response

from quadrat.api.wire import error_response
from quadrat.errors import ErrorKind, QuadratError

STATUS = {
    ErrorKind.UNAUTHENTICATED: 401,
    ErrorKind.FORBIDDEN: 403,
    ErrorKind.NOT_FOUND: 404,
    ErrorKind.ALREADY_EXISTS: 422,
    ErrorKind.INVALID: 422,
    ErrorKind.WRONG_STATE: 422,
    ErrorKind.TOO_LARGE: 413,
    ErrorKind.LIMIT_REACHED: 429,
    ErrorKind.UNAVAILABLE: 503,
    ErrorKind.UNSUPPORTED: 422,
}


def render(error: QuadratError, _request: Request) -> Response:
    """Status and body of a refusal."""
    status = STATUS[error.kind]
    detail: str | Sequence[Mapping[str, Any]] = error.message
    if status == 422:
        location = ["body"] if error.field is None else ["body", error.field]
        detail = [_problem(location, error.message, "value_error")]
    response = error_response(status, {"detail": detail}, error)
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def render_status(status: int, error: QuadratError) -> Response:
    """A sentence under a status that no kind has."""
    return error_response(status, {"detail": error.message}, error)


def render_invalid_request(error: RequestValidationError, _request: Request) -> Response:
    """The problems that the framework found, each part of a location as text, as the client's model wants."""
    problems = [
        _problem([str(part) for part in problem["loc"]], problem["msg"], problem["type"]) for problem in error.errors()
    ]
    refusal = QuadratError(ErrorKind.INVALID, "The request is not valid.")
    return error_response(422, {"detail": problems}, refusal)


def _problem(location: list[str], message: str, type_: str) -> dict[str, Any]:
    return {"loc": location, "msg": message, "type": type_}
