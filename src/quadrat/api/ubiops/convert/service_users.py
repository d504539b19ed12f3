"""Service users between the wire and the house."""

from datetime import UTC
from uuid import UUID

from quadrat.api.ubiops.schemas.service_users import ServiceUserDetail, ServiceUserList
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.types import User


def to_service_user_list(user: User) -> ServiceUserList:
    """Without the token, which nobody can read again."""
    return ServiceUserList(id=str(user.uuid), email=user.email, name=user.name, creation_date=_date(user))


def to_service_user_detail(user: User, secret: str) -> ServiceUserDetail:
    """Just made."""
    return ServiceUserDetail(
        id=str(user.uuid), email=user.email, name=user.name, creation_date=_date(user), token=secret
    )


def to_service_user_id(text: str) -> UUID:
    """The id in an address.

    Raises:
        QuadratError: not_found, since nobody has an id that is none.
    """
    try:
        return UUID(text)
    except ValueError as error:
        raise QuadratError(ErrorKind.NOT_FOUND, f"Service user {text} does not exist.", field="id") from error


def _date(user: User) -> str:
    return user.created_at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
