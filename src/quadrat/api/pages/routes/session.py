"""Signing in and out of the pages, and the first setting up of a server."""

from importlib.metadata import version

from fastapi import Request, Response

from quadrat.api.guard import new_router
from quadrat.api.pages.auth import Anyone
from quadrat.api.pages.convert import to_person
from quadrat.api.pages.cookies import csrf_token, drop_session, session_of, set_session
from quadrat.api.pages.schemas import Session, Setup, SignIn
from quadrat.api.state import Limits
from quadrat.api.wire import Tx
from quadrat.db.engine import Database
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.actions import sessions, setup, users
from quadrat.identity.actions.access import authenticate
from quadrat.identity.types import Caller, UserChanges

router = new_router("Session")


@router.get("/session", operation_id="session_get")
async def session_get(caller: Anyone, request: Request, tx: Tx) -> Session:
    """Who is signed in here, if anyone: 200 for a visitor too."""
    user = None if caller is None else to_person(await users.get_own_user(tx, caller))
    session = session_of(request.scope)
    csrf = csrf_token(request.state.page_key, session) if session and user else None
    return Session(user=user, csrf=csrf, needs_setup=await setup.needs_setup(tx), version=version("quadrat"))


@router.post("/session", operation_id="session_create")
async def session_create(body: SignIn, request: Request, response: Response) -> Session:
    """Sign in with a password, or with an API token; the session comes as a cookie that no script can read."""
    db: Database = request.state.db
    limits: Limits = request.state.limits
    if body.token is not None:
        async with db.begin() as tx:
            shown = await authenticate(tx, body.token.get_secret_value().strip())
            secret = await sessions.open_session(tx, shown, limits.session_life)
    elif body.email is not None and body.password is not None:
        attempt = sessions.Attempt(
            body.email, body.password.get_secret_value(), None if request.client is None else request.client.host
        )
        secret = await sessions.sign_in(db, attempt, limit=limits.sign_in_attempts, life=limits.session_life)
    else:
        raise QuadratError(ErrorKind.INVALID, "Give an e-mail address with its password, or a token.", field="email")
    return await _opened(request, response, secret)


@router.post("/setup", operation_id="setup_create")
async def setup_create(body: Setup, request: Request, response: Response) -> Session:
    """Choose the first administrator's address and password; signs in."""
    db: Database = request.state.db
    limits: Limits = request.state.limits
    chosen = UserChanges(
        email=body.email, password=body.password.get_secret_value(), name=body.name, surname=body.surname
    )
    async with db.begin() as tx:
        caller = await authenticate(tx, body.token.get_secret_value().strip())
        await setup.set_up(tx, caller, chosen)
        secret = await sessions.open_session(tx, caller, limits.session_life)
    return await _opened(request, response, secret)


@router.delete("/session", operation_id="session_delete", status_code=204)
async def session_delete(caller: Anyone, response: Response, tx: Tx) -> None:
    """Sign out; without a session nothing happens but that the cookie goes."""
    drop_session(response)
    if caller is not None:
        await sessions.sign_out(tx, caller)


async def _opened(request: Request, response: Response, secret: str) -> Session:
    db: Database = request.state.db
    limits: Limits = request.state.limits
    async with db.begin() as tx:
        caller: Caller = await authenticate(tx, secret)
        user = to_person(await users.get_own_user(tx, caller))
        unready = await setup.needs_setup(tx)
    set_session(response, request, secret, limits.session_life.total_seconds())
    return Session(
        user=user, csrf=csrf_token(request.state.page_key, secret), needs_setup=unready, version=version("quadrat")
    )
