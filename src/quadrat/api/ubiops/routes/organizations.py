"""Organizations that the caller belongs to."""

from quadrat.api.guard import new_router
from quadrat.api.ubiops.auth import SignedIn
from quadrat.api.ubiops.convert.organizations import (
    to_new_organization,
    to_organization_changes,
    to_organization_detail,
    to_organization_list,
)
from quadrat.api.ubiops.schemas.organizations import (
    OrganizationCreate,
    OrganizationDetail,
    OrganizationList,
    OrganizationUpdate,
)
from quadrat.api.wire import Tx
from quadrat.identity.actions import organizations

router = new_router("Organizations")


@router.get("/organizations", operation_id="organizations_list")
async def organizations_list(caller: SignedIn, tx: Tx) -> list[OrganizationList]:
    """By name; the personal one is among them."""
    return [to_organization_list(found) for found in await organizations.list_organizations(tx, caller)]


@router.post("/organizations", operation_id="organizations_create", status_code=201)
async def organizations_create(caller: SignedIn, body: OrganizationCreate, tx: Tx) -> OrganizationList:
    """The caller becomes its administrator."""
    made = await organizations.create_organization(tx, caller, to_new_organization(body))
    return to_organization_list(made)


@router.get("/organizations/{organization_name}", operation_id="organizations_get")
async def organizations_get(organization_name: str, caller: SignedIn, tx: Tx) -> OrganizationDetail:
    """For any member."""
    return to_organization_detail(await organizations.get_organization(tx, caller, organization_name))


@router.patch("/organizations/{organization_name}", operation_id="organizations_update")
async def organizations_update(
    organization_name: str, caller: SignedIn, body: OrganizationUpdate, tx: Tx
) -> OrganizationDetail:
    """Administrators rename; only a platform administrator changes the subscription."""
    changes = to_organization_changes(body)
    return to_organization_detail(await organizations.update_organization(tx, caller, organization_name, changes))
