"""Errors as the pages read them: ``{"error": {"kind", "message", "field", "request_id"}}``."""

from fastapi import Request
from starlette.responses import Response

from quadrat.api.wire import error_response, request_id
from quadrat.errors import ErrorKind, QuadratError

STATUS = {
    ErrorKind.UNAUTHENTICATED: 401,
    ErrorKind.FORBIDDEN: 403,
    ErrorKind.NOT_FOUND: 404,
    ErrorKind.ALREADY_EXISTS: 409,
    ErrorKind.INVALID: 422,
    ErrorKind.WRONG_STATE: 409,
    ErrorKind.TOO_LARGE: 413,
    ErrorKind.LIMIT_REACHED: 429,
    ErrorKind.UNAVAILABLE: 503,
    ErrorKind.UNSUPPORTED: 422,
}


def render(error: QuadratError, request: Request) -> Response:
    """Status and body of a refusal."""
    body = {
        "error": {
            "kind": error.kind.value,
            "message": error.message,
            "field": error.field,
            "request_id": request_id(request),
        }
    }
    return error_response(STATUS[error.kind], body, error)
