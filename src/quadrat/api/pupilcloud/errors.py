"""Errors as the areas-of-interest API's clients read them: ``{"code": 404, "status": "error", "message": "..."}``.

Source: spec of the areas-of-interest API, section 0: a body that is not valid is 409 on POST and 400 elsewhere; an
import's files and a heatmap's options are 400 (sections 4.3 and 2.6).
"""

from fastapi import Request
from starlette.responses import Response

from quadrat.api.wire import error_response
from quadrat.errors import ErrorKind, QuadratError

STATUS = {
    ErrorKind.UNAUTHENTICATED: 401,
    ErrorKind.FORBIDDEN: 403,
    ErrorKind.NOT_FOUND: 404,
    ErrorKind.ALREADY_EXISTS: 409,
    ErrorKind.INVALID: 400,
    ErrorKind.WRONG_STATE: 409,
    ErrorKind.TOO_LARGE: 413,
    ErrorKind.LIMIT_REACHED: 403,
    ErrorKind.UNAVAILABLE: 503,
    ErrorKind.UNSUPPORTED: 405,
}
_PLAIN_POSTS = ("/recordings:import", "/heatmap", "/heatmap/zip_download")


def render(error: QuadratError, request: Request) -> Response:
    """Status and body of a refusal."""
    status = STATUS[error.kind]
    if (
        error.kind is ErrorKind.INVALID
        and request.method == "POST"
        and not request.url.path.rstrip("/").endswith(_PLAIN_POSTS)
    ):
        status = 409
    return render_status(status, error)


def render_status(status: int, error: QuadratError) -> Response:
    """The envelope with a status of one's own; its code is always the status of the answer."""
    return error_response(status, {"code": status, "status": "error", "message": error.message}, error)
