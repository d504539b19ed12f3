"""Service users of a project: programs that have a token of their own."""

from quadrat.api.guard import new_router
from quadrat.api.ubiops.auth import SignedIn
from quadrat.api.ubiops.convert.service_users import to_service_user_detail, to_service_user_id, to_service_user_list
from quadrat.api.ubiops.schemas.service_users import (
    ServiceUserCreate,
    ServiceUserDetail,
    ServiceUserList,
    ServiceUserTokenList,
)
from quadrat.api.wire import Tx
from quadrat.identity.actions import roles

router = new_router("Service users")

_USERS = "/projects/{project_name}/service-users"
_ONE = _USERS + "/{service_user_id}"


@router.get(_USERS, operation_id="service_users_list")
async def service_users_list(project_name: str, caller: SignedIn, tx: Tx) -> list[ServiceUserList]:
    """Oldest first."""
    return [to_service_user_list(user) for user in await roles.list_service_users(tx, caller, project_name)]


@router.post(_USERS, operation_id="service_users_create", status_code=201)
async def service_users_create(
    project_name: str, caller: SignedIn, body: ServiceUserCreate, tx: Tx
) -> ServiceUserDetail:
    """Its token is in this answer and nowhere else; it holds no role at first."""
    return to_service_user_detail(*await roles.create_service_user(tx, caller, project_name, body.name))


@router.get(_ONE, operation_id="service_users_get")
async def service_users_get(project_name: str, service_user_id: str, caller: SignedIn, tx: Tx) -> ServiceUserList:
    """One service user."""
    found = await roles.get_service_user(tx, caller, project_name, to_service_user_id(service_user_id))
    return to_service_user_list(found)


@router.patch(_ONE, operation_id="service_users_update")
async def service_users_update(
    project_name: str, service_user_id: str, caller: SignedIn, body: ServiceUserCreate, tx: Tx
) -> ServiceUserList:
    """Give it another name."""
    uuid = to_service_user_id(service_user_id)
    return to_service_user_list(await roles.update_service_user(tx, caller, project_name, uuid, body.name))


@router.delete(_ONE, operation_id="service_users_delete", status_code=204)
async def service_users_delete(project_name: str, service_user_id: str, caller: SignedIn, tx: Tx) -> None:
    """With its token and roles."""
    await roles.delete_service_user(tx, caller, project_name, to_service_user_id(service_user_id))


@router.put(_ONE + "/token", operation_id="service_users_token")
async def service_users_token(
    project_name: str, service_user_id: str, caller: SignedIn, tx: Tx
) -> ServiceUserTokenList:
    """A new token; the old one ends at once. Whatever is in the body is ignored."""
    uuid = to_service_user_id(service_user_id)
    return ServiceUserTokenList(token=await roles.reset_service_token(tx, caller, project_name, uuid))
