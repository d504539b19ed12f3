"""Members of organizations between the wire and the house."""

from uuid import UUID

from quadrat.api.ubiops.schemas.organization_users import OrganizationUserDetail
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.rules import ADMIN_LEVELS
from quadrat.identity.types import Member


def to_organization_user_detail(member: Member) -> OrganizationUserDetail:
    """This API knows administrators, and all others."""
    user = member.user
    return OrganizationUserDetail(
        id=str(user.uuid),
        email=user.email,
        name=user.name,
        surname=user.surname,
        status=user.status,
        admin=member.level in ADMIN_LEVELS,
    )


def to_user_id(text: str) -> UUID:
    """The id of a user in an address.

    Raises:
        QuadratError: not_found, since nobody has an id that is none.
    """
    try:
        return UUID(text)
    except ValueError as error:
        raise QuadratError(ErrorKind.NOT_FOUND, "There is no such user.", field="user_id") from error
