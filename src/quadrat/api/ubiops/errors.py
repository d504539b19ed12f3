"""Errors as the serving API's clients read them: ``{"error": "<sentence>"}``.

Source: spec of the serving API, section 4.
"""

from fastapi import Request
from starlette.responses import Response

from quadrat.api.wire import error_response
from quadrat.errors import ErrorKind, QuadratError

STATUS = {
    ErrorKind.UNAUTHENTICATED: 401,
    ErrorKind.FORBIDDEN: 403,
    ErrorKind.NOT_FOUND: 404,
    ErrorKind.ALREADY_EXISTS: 400,
    ErrorKind.INVALID: 400,
    ErrorKind.WRONG_STATE: 400,
    ErrorKind.TOO_LARGE: 413,
    ErrorKind.LIMIT_REACHED: 403,
    ErrorKind.UNAVAILABLE: 503,
    ErrorKind.UNSUPPORTED: 400,
}


def render(error: QuadratError, _request: Request) -> Response:
    """Status and body of a refusal."""
    status = STATUS[error.kind]
    if error.kind is ErrorKind.LIMIT_REACHED and error.retry_after_s is not None:
        # A limit that time lifts, not one of a subscription.
        status = 429
    return error_response(status, {"error": error.message}, error)
