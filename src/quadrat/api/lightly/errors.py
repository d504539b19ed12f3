"""Errors as the samples API's clients read them: ``{code, error, message, requestId}``.

Source: spec of the samples API, section 1.8: the union of what its client versions declare; a code of the oldest list.
"""

from fastapi import Request
from starlette.responses import Response

from quadrat.api.wire import error_response, request_id
from quadrat.errors import ErrorKind, QuadratError

STATUS_AND_CODE = {
    ErrorKind.UNAUTHENTICATED: (401, "UNAUTHORIZED"),
    ErrorKind.FORBIDDEN: (403, "FORBIDDEN"),
    ErrorKind.NOT_FOUND: (404, "NOT_FOUND"),
    ErrorKind.ALREADY_EXISTS: (400, "CREATION_FAILED"),
    ErrorKind.INVALID: (400, "BAD_REQUEST"),
    ErrorKind.WRONG_STATE: (400, "BAD_REQUEST"),
    ErrorKind.TOO_LARGE: (413, "PAYLOAD_TOO_LARGE"),
    ErrorKind.LIMIT_REACHED: (403, "FORBIDDEN"),
    ErrorKind.UNAVAILABLE: (503, "BAD_REQUEST"),
    ErrorKind.UNSUPPORTED: (400, "NOT_IMPLEMENTED"),
}


def render(error: QuadratError, request: Request) -> Response:
    """Status and body of a refusal."""
    status, code = STATUS_AND_CODE[error.kind]
    body = {
        "code": error.detail.get("code", code),
        "error": error.message,
        "message": error.message,
        "requestId": request_id(request),
    }
    return error_response(status, body, error)
