"""The page behind an activation link. Looking at it changes nothing: programs that read mail look at every link."""

from html import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from quadrat.db.engine import Database
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.actions.activation import activate, find_pending

_PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="referrer" content="no-referrer">
<title>Quadrat</title>
<style>body {{ font: 1rem/1.5 system-ui, sans-serif; margin: 4rem auto; max-width: 32rem; padding: 0 1rem }}</style>
<h1>{title}</h1>
{body}
"""
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'",
}
_FORM = '<p>Activate the account of {email}?</p><form method="post"><button>Activate</button></form>'
_DONE = "<p>The account of {email} is active: sign in with the password that you chose.</p>"


async def show(request: Request) -> Response:
    """Ask."""
    db: Database = request.state.db
    try:
        async with db.begin() as tx:
            user = await find_pending(tx, request.path_params["secret"])
    except QuadratError as error:
        return _refusal(error)
    return _page("Activate your account", _FORM.format(email=escape(user.email)))


async def confirm(request: Request) -> Response:
    """Do it."""
    db: Database = request.state.db
    try:
        async with db.begin() as tx:
            user = await activate(tx, request.path_params["secret"])
    except QuadratError as error:
        return _refusal(error)
    return _page("Your account is active", _DONE.format(email=escape(user.email)))


def _refusal(error: QuadratError) -> Response:
    status = {ErrorKind.UNAVAILABLE: 503}.get(error.kind, 404)
    return _page("That did not work", f"<p>{escape(error.message)}</p>", status)


def _page(title: str, body: str, status: int = 200) -> Response:
    return HTMLResponse(_PAGE.format(title=title, body=body), status, _HEADERS)


ROUTES = (
    Route("/activate/{secret}", show, methods=["GET"], include_in_schema=False),
    Route("/activate/{secret}", confirm, methods=["POST"], include_in_schema=False),
)
