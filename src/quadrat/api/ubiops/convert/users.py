"""Users between the wire and the house."""

from datetime import UTC

from quadrat.api.ubiops.schemas.user import UserDetail, UserPendingCreate, UserPendingDetail, UserUpdate
from quadrat.identity.types import NewUser, User, UserChanges


def to_new_user(body: UserPendingCreate) -> NewUser:
    """Whether the user is active at once is not for the body to say."""
    return NewUser(body.email, body.password, body.name, body.surname)


def to_user_changes(body: UserUpdate) -> UserChanges:
    """Null counts as absent."""
    return UserChanges(body.email, body.password, body.previous_password, body.name, body.surname)


def to_user_pending_detail(user: User) -> UserPendingDetail:
    """After signing up: without an id."""
    return UserPendingDetail(email=user.email, name=user.name, surname=user.surname)


def to_user_detail(user: User) -> UserDetail:
    """The registration date is text with a space, as the seed's example has it."""
    return UserDetail(
        id=str(user.uuid),
        email=user.email,
        name=user.name,
        surname=user.surname,
        registration_date=user.created_at.astimezone(UTC).isoformat(sep=" ", timespec="milliseconds"),
    )
