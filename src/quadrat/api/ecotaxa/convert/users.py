"""Users in the words of the object-set API."""

from collections.abc import Sequence

from quadrat.api.ecotaxa.convert.times import wire_time
from quadrat.api.ecotaxa.schemas.users import MinUserModel, ProjectSummary, UserModelWithRights
from quadrat.identity.types import NewUser, ProjectId, User, UserStatus
from quadrat.objects.types import UserProfile

_STATUS = {UserStatus.ACTIVE: 1, UserStatus.PENDING: 2, UserStatus.BLOCKED: -1}
_CREATE_PROJECT, _ADMINISTER_APPLICATION, _ADMINISTER_USERS, _CREATE_TAXON = 1, 2, 3, 4
#: By the number that an administrator gives; "inactive" has to be let in again, like "pending".
STATUS = {"1": UserStatus.ACTIVE, "0": UserStatus.PENDING, "2": UserStatus.PENDING, "-1": UserStatus.BLOCKED} | {
    "active": UserStatus.ACTIVE,
    "inactive": UserStatus.PENDING,
    "pending": UserStatus.PENDING,
    "blocked": UserStatus.BLOCKED,
}
NO_PASSWORD = "?"  # noqa: S105 - stands for the absence of one


def full_name(user: User) -> str:
    """First and family name, else the address."""
    return " ".join(part for part in (user.name, user.surname) if part) or user.email


def min_user(user: User) -> MinUserModel:
    """A user as others see one."""
    return MinUserModel(id=user.id, email=user.email, name=full_name(user))


def user_with_rights(
    user: User, profile: UserProfile, recent: Sequence[tuple[ProjectId, str]] = ()
) -> UserModelWithRights:
    """A user as the user itself sees it; the password is never sent, the API's word for that is a question mark."""
    can_do = [_CREATE_PROJECT] if user.service_project_id is None else []
    if user.is_platform_admin:
        can_do += [_ADMINISTER_APPLICATION, _ADMINISTER_USERS, _CREATE_TAXON]
    status_at = None if profile.status_at is None else wire_time(profile.status_at)
    return UserModelWithRights(
        id=user.id,
        email=user.email,
        name=full_name(user),
        password=NO_PASSWORD,
        organisation=profile.organisation,
        status=_STATUS[user.status],
        status_date=status_at,
        status_admin_comment=profile.status_comment,
        country=profile.country,
        orcid=profile.orcid,
        usercreationdate=wire_time(user.created_at),
        usercreationreason=profile.reason,
        mail_status=user.status is not UserStatus.PENDING,
        mail_status_date=None,
        can_do=can_do,
        last_used_projects=[ProjectSummary(projid=id_, title=title) for id_, title in recent],
    )


def new_user(body: UserModelWithRights, status: UserStatus = UserStatus.ACTIVE) -> NewUser:
    """What is said of a user; this API has one name, which goes to the first of ours."""
    password = body.password if body.password not in {None, "", NO_PASSWORD} else None
    return NewUser(email=body.email, password=password, name=body.name, surname="", status=status)


def profile(body: UserModelWithRights) -> UserProfile:
    """What else is said of a user."""
    return UserProfile(
        organisation=body.organisation or None,
        country=body.country or None,
        orcid=body.orcid or None,
        reason=body.usercreationreason or None,
    )
