"""Members of an organization."""

from quadrat.api.guard import new_router
from quadrat.api.ubiops.auth import SignedIn
from quadrat.api.ubiops.convert.organization_users import to_organization_user_detail, to_user_id
from quadrat.api.ubiops.schemas.organization_users import (
    OrganizationUserCreate,
    OrganizationUserDetail,
    OrganizationUserUpdate,
)
from quadrat.api.wire import Tx
from quadrat.identity.actions import organizations

router = new_router("Organization users")

_USERS = "/organizations/{organization_name}/users"
_ONE = _USERS + "/{user_id}"


@router.get(_USERS, operation_id="organization_users_list")
async def organization_users_list(organization_name: str, caller: SignedIn, tx: Tx) -> list[OrganizationUserDetail]:
    """For any member, in the order in which they came."""
    found = await organizations.list_members(tx, caller, organization_name)
    return [to_organization_user_detail(member) for member in found]


@router.post(_USERS, operation_id="organization_users_create", status_code=201)
async def organization_users_create(
    organization_name: str, caller: SignedIn, body: OrganizationUserCreate, tx: Tx
) -> OrganizationUserDetail:
    """An address that nobody has becomes an invited user, who is pending."""
    made = await organizations.add_person(tx, caller, organization_name, body.email, admin=body.admin)
    return to_organization_user_detail(made)


@router.get(_ONE, operation_id="organization_users_get")
async def organization_users_get(
    organization_name: str, user_id: str, caller: SignedIn, tx: Tx
) -> OrganizationUserDetail:
    """For administrators."""
    return to_organization_user_detail(
        await organizations.get_member(tx, caller, organization_name, to_user_id(user_id))
    )


@router.patch(_ONE, operation_id="organization_users_update")
async def organization_users_update(
    organization_name: str, user_id: str, caller: SignedIn, body: OrganizationUserUpdate, tx: Tx
) -> OrganizationUserDetail:
    """Refused for the last administrator."""
    changed = await organizations.set_admin(tx, caller, organization_name, to_user_id(user_id), admin=body.admin)
    return to_organization_user_detail(changed)


@router.delete(_ONE, operation_id="organization_users_delete", status_code=204)
async def organization_users_delete(organization_name: str, user_id: str, caller: SignedIn, tx: Tx) -> None:
    """With all roles in the organization's projects; refused for the last administrator."""
    await organizations.remove_member(tx, caller, organization_name, to_user_id(user_id))
