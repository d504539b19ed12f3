"""The one permission decision, and what a password and an e-mail address must be. Pure."""

import re
from uuid import UUID

from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.permissions import (
    ALL_PERMISSIONS,
    DEFAULT_ROLES,
    PROJECT_ADMIN,
    PROJECT_EDITOR,
    PROJECT_VIEWER,
)
from quadrat.identity.types import Access, Caller, MemberLevel, ObjectType, Target

_LEVEL_ROLE = {
    MemberLevel.OWNER: PROJECT_ADMIN,
    MemberLevel.ADMIN: PROJECT_ADMIN,
    MemberLevel.EDITOR: PROJECT_EDITOR,
    MemberLevel.VIEWER: PROJECT_VIEWER,
    # Reads all; what it made itself it may change, which the domain that knows the maker decides.
    MemberLevel.DEMO: PROJECT_VIEWER,
}
ADMIN_LEVELS = frozenset({MemberLevel.OWNER, MemberLevel.ADMIN})
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_MIN_PASSWORD = 8
_MAX_PASSWORD = 128
_MAX_EMAIL = 254
SYMBOLS = "!#$%&')(*+,./:;\"<=>?[@]^_`{|}~-"


def allows(caller: Caller, access: Access, permission: str, target: Target | None = None) -> bool:
    """The one decision: may this caller do this in this project, on this object of it.

    Args:
        caller: Who asks.
        access: The caller's membership and assignments in the project.
        permission: One of `ALL_PERMISSIONS`; anything else is a mistake of the programmer.
        target: The object concerned, or None for the project as a whole.
    """
    if permission not in ALL_PERMISSIONS:
        message = f"unknown permission {permission}"
        raise ValueError(message)
    if caller.is_platform_admin:
        return True
    if access.level is not None and permission in DEFAULT_ROLES[_LEVEL_ROLE[access.level]]:
        return True
    return any(
        permission in grant.permissions and (grant.target is None or grant.target == target) for grant in access.grants
    )


def allowed_objects(caller: Caller, access: Access, permission: str, type_: ObjectType) -> frozenset[UUID] | None:
    """Which objects a list may show: None for all of them, else the ids that object-level roles name."""
    if allows(caller, access, permission):
        return None
    return frozenset(
        grant.target.id
        for grant in access.grants
        if grant.target is not None and grant.target.type is type_ and permission in grant.permissions
    )


def check_email(email: str) -> str:
    """The address as it is stored: trimmed, lower case.

    Raises:
        QuadratError: invalid.
    """
    cleaned = email.strip().lower()
    if len(cleaned) > _MAX_EMAIL or _EMAIL.fullmatch(cleaned) is None:
        raise QuadratError(ErrorKind.INVALID, "Enter a valid e-mail address.", field="email")
    return cleaned


def check_password(password: str, *, complex_: bool = False) -> None:
    """Length 8 to 128; with `complex_` also a capital, a lower-case letter, a digit and a symbol.

    Raises:
        QuadratError: invalid.
    """
    if not _MIN_PASSWORD <= len(password) <= _MAX_PASSWORD:
        raise QuadratError(
            ErrorKind.INVALID,
            f"A password has {_MIN_PASSWORD} to {_MAX_PASSWORD} characters.",
            field="password",
        )
    if not complex_:
        return
    classes = (str.isupper, str.islower, str.isdigit, SYMBOLS.__contains__)
    if not all(any(test(character) for character in password) for test in classes):
        raise QuadratError(
            ErrorKind.INVALID,
            "A password needs a capital, a lower-case letter, a digit and a symbol.",
            field="password",
        )
