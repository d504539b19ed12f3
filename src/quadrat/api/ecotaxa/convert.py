"""From domain values to the words of the object-set API."""

from quadrat.api.ecotaxa.schemas.users import UserModelWithRights
from quadrat.identity.types import User, UserStatus

_STATUS = {UserStatus.ACTIVE: 1, UserStatus.PENDING: 2, UserStatus.BLOCKED: -1}
_CREATE_PROJECT, _ADMINISTER_APPLICATION, _ADMINISTER_USERS, _CREATE_TAXON = 1, 2, 3, 4


def user_with_rights(user: User) -> UserModelWithRights:
    """A user as the user itself sees it; the password is never sent, the API's word for that is a question mark."""
    can_do = [_CREATE_PROJECT] if user.service_project_id is None else []
    if user.is_platform_admin:
        can_do += [_ADMINISTER_APPLICATION, _ADMINISTER_USERS, _CREATE_TAXON]
    names = " ".join(part for part in (user.name, user.surname) if part)
    return UserModelWithRights(
        id=user.id,
        email=user.email,
        name=names or user.email,
        password="?",  # noqa: S106 - stands for the absence of one
        organisation=None,
        status=_STATUS[user.status],
        status_date=None,
        status_admin_comment=None,
        country=None,
        orcid=None,
        usercreationdate=user.created_at.replace(tzinfo=None).isoformat(timespec="microseconds"),
        usercreationreason=None,
        mail_status=user.status is not UserStatus.PENDING,
        mail_status_date=None,
        can_do=can_do,
        last_used_projects=[],
    )
