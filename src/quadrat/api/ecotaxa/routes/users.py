"""Signing in, who one is, and who else there is."""

from typing import Annotated

from fastapi import Path, Query, Request

from quadrat.api.ecotaxa.auth import SignedIn
from quadrat.api.ecotaxa.convert import users as convert
from quadrat.api.ecotaxa.numbers import Number
from quadrat.api.ecotaxa.schemas.users import LoginReq, MinUserModel, UserActivateReq, UserModelWithRights
from quadrat.api.guard import new_router
from quadrat.api.state import Limits
from quadrat.api.wire import Tx
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.actions import sessions, sharing, users
from quadrat.identity.types import ProjectId, UserId
from quadrat.objects.actions import profiles, sets
from quadrat.objects.actions.access import forbidden
from quadrat.objects.rules.searching import listed_ids

router = new_router("users")


@router.post("/login", operation_id="login", tags=["authentification"])
async def login(request: Request, body: LoginReq) -> str:
    """A bearer token for an e-mail address and a password."""
    limits: Limits = request.state.limits
    attempt = sessions.Attempt(body.username, body.password, request.client.host if request.client else None)
    try:
        return await sessions.sign_in(
            request.state.db, attempt, limit=limits.sign_in_attempts, life=limits.session_life
        )
    except QuadratError as error:
        if error.kind in (ErrorKind.UNAUTHENTICATED, ErrorKind.INVALID):
            # A wrong password is 403 in this API, and what is no address is a wrong name.
            raise forbidden() from error
        raise


@router.get("/users/me", operation_id="show_current_user")
async def show_current_user(tx: Tx, caller: SignedIn) -> UserModelWithRights:
    """The caller."""
    found = await profiles.own_profile(tx, caller)
    return convert.user_with_rights(await users.get_own_user(tx, caller), found.profile, found.recent)


@router.get("/users", operation_id="get_users")
async def get_users(tx: Tx, caller: SignedIn, ids: str = "", summary: bool | None = None) -> list[UserModelWithRights]:
    """Users with all that is known of them; for administrators."""
    del summary  # all of it costs little
    wanted = [UserId(id_) for id_ in listed_ids(ids)] or None
    found = await sharing.list_people(tx, caller, wanted)
    known = await profiles.profiles_of(tx, [user.id for user in found])
    return [convert.user_with_rights(user, known[user.id]) for user in found]


@router.get("/users/search", operation_id="search_user")
async def search_user(
    tx: Tx, _caller: SignedIn, by_name: Annotated[str | None, Query(max_length=256)] = None
) -> list[MinUserModel]:
    """Users by name, in which % stands for anything."""
    return [convert.min_user(user) for user in await sharing.search_people(tx, by_name)] if by_name else []


@router.get("/users/admins", operation_id="get_users_admins")
async def get_users_admins(tx: Tx) -> list[MinUserModel]:
    """Those who administer users, for who cannot get in."""
    return [convert.min_user(user) for user in await sharing.list_administrators(tx)]


@router.get("/users/user_admins", operation_id="get_admin_users")
async def get_admin_users(tx: Tx, _caller: SignedIn) -> list[MinUserModel]:
    """The same, for who is in."""
    return [convert.min_user(user) for user in await sharing.list_administrators(tx)]


@router.post("/users/create", operation_id="create_user")
async def create_user(tx: Tx, caller: SignedIn, body: UserModelWithRights) -> None:
    """Make a user; for administrators."""
    sharing.require_administrator(caller)
    if len(body.name.strip()) <= 3:
        raise QuadratError(ErrorKind.INVALID, "A name has more than 3 characters.", field="name")
    made = await sharing.create_person(tx, convert.new_user(body))
    await profiles.write_profile(tx, made.id, convert.profile(body))


@router.post("/users/activate/{user_id}/{status}", operation_id="activate_user")
async def activate_user(
    tx: Tx, caller: SignedIn, user_id: Number, status: Annotated[str, Path()], body: UserActivateReq
) -> None:
    """Let a user in, or keep one out; for administrators."""
    wanted = convert.STATUS.get(status)
    if wanted is None:
        raise QuadratError(ErrorKind.INVALID, f"{status} is no status.", field="status")
    await sharing.set_status(tx, caller, UserId(user_id), wanted)
    await profiles.note_status(tx, UserId(user_id), body.reason)


@router.get("/users/my_preferences/{project_id}", operation_id="get_current_user_prefs")
async def get_current_user_prefs(tx: Tx, caller: SignedIn, project_id: Number, key: str) -> str:
    """A text that a page has kept for the caller in a project."""
    return await sets.read_preference(tx, caller, ProjectId(project_id), key)


@router.put("/users/my_preferences/{project_id}", operation_id="set_current_user_prefs")
async def set_current_user_prefs(tx: Tx, caller: SignedIn, project_id: Number, key: str, value: str) -> None:
    """Keep a text for a page."""
    await sets.write_preference(tx, caller, ProjectId(project_id), key, value)


@router.get("/users/{user_id}", operation_id="get_user")
async def get_user(tx: Tx, _caller: SignedIn, user_id: Number) -> MinUserModel:
    """A user by number."""
    return convert.min_user(await sharing.get_person(tx, UserId(user_id)))


@router.put("/users/{user_id}", operation_id="update_user")
async def update_user(tx: Tx, caller: SignedIn, user_id: Number, body: UserModelWithRights) -> None:
    """Change what is known of a user: of oneself, or of anyone for administrators."""
    await sharing.change_person(tx, caller, UserId(user_id), convert.new_user(body))
    await profiles.write_profile(tx, UserId(user_id), convert.profile(body))
