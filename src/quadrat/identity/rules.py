"""The one permission decision, and what a password and an e-mail address must be. Pure."""

import re
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from ipaddress import IPv6Address, ip_address
from uuid import UUID

from quadrat.base.slugs import is_slug
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.permissions import (
    ALL_PERMISSIONS,
    DEFAULT_ROLES,
    PROJECT_ADMIN,
    PROJECT_EDITOR,
    PROJECT_VIEWER,
    RESTRICTED_PERMISSIONS,
)
from quadrat.identity.types import Access, Caller, MemberLevel, ObjectType, Target

_LEVEL_ROLE = {
    MemberLevel.OWNER: PROJECT_ADMIN,
    MemberLevel.ADMIN: PROJECT_ADMIN,
    MemberLevel.EDITOR: PROJECT_EDITOR,
    MemberLevel.VIEWER: PROJECT_VIEWER,
    # Reads all; what it made itself it may change, which the domain that knows the maker decides.
    MemberLevel.DEMO: PROJECT_VIEWER,
    # MEMBER has no role of its own: seeing a project in a list gives nothing in it.
}
ADMIN_LEVELS = frozenset({MemberLevel.OWNER, MemberLevel.ADMIN})
# What the database refuses to store (NUL, halves of surrogate pairs) and what no name has (line breaks and the like).
_UNPRINTABLE = r"\x00-\x1f\x7f\ud800-\udfff"
_CONTROL = re.compile(f"[{_UNPRINTABLE}]")
_EMAIL = re.compile(rf"[^@\s{_UNPRINTABLE}]+@[^@\s{_UNPRINTABLE}]+\.[^@\s{_UNPRINTABLE}]+")
_TOKEN = re.compile(r"[0-9a-f]{40}")
_MIN_PASSWORD = 8
_MAX_PASSWORD = 128
_MAX_EMAIL = 254
_MAX_TEXT = 256
_MAX_LINK = 1024
_MAX_LIMIT = 2**31 - 1
_TYPE_PREFIX = {
    ObjectType.MODEL: "models.",
    ObjectType.PIPELINE: "pipelines.",
    ObjectType.CONNECTOR: "connectors.",
    ObjectType.CREDENTIALS: "credentials.",
}
SIGN_IN_WINDOW = timedelta(minutes=15)
SIGN_UPS = 20
"""Accounts that strangers from one place may ask for within `SIGN_IN_WINDOW`."""
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
    if access.level in _LEVEL_ROLE and permission in DEFAULT_ROLES[_LEVEL_ROLE[access.level]]:
        return True
    return any(
        permission in grant.permissions and (grant.target is None or grant.target == target) for grant in access.grants
    )


def held(caller: Caller, access: Access) -> frozenset[str]:
    """All that the caller may do in the whole project; rights on single objects are not among it."""
    return frozenset(permission for permission in ALL_PERMISSIONS if allows(caller, access, permission))


def level_allows(caller: Caller, level: MemberLevel | None, permission: str) -> bool:
    """Whether a member of an organization may do this with what belongs to the organization and to no project."""
    if permission not in ALL_PERMISSIONS:
        message = f"unknown permission {permission}"
        raise ValueError(message)
    return caller.is_platform_admin or (level is not None and permission in DEFAULT_ROLES[_LEVEL_ROLE[level]])


def administers(caller: Caller, level: MemberLevel | None) -> bool:
    """Whether the caller may change an organization in which it is this."""
    return caller.is_platform_admin or level in ADMIN_LEVELS


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


def suits_target(permissions: frozenset[str], type_: ObjectType) -> bool:
    """Whether a role gives anything on one object of this type."""
    prefix = _TYPE_PREFIX[type_]
    return any(name.startswith(prefix) for name in permissions)


def check_limit(value: int | None, field: str) -> int | None:
    """A limit of a plan.

    Raises:
        QuadratError: invalid.
    """
    if value is not None and not 0 <= value <= _MAX_LIMIT:
        raise QuadratError(ErrorKind.INVALID, f"{field} is a number from 0 to {_MAX_LIMIT}.", field=field)
    return value


def check_link(text: str, field: str) -> str:
    """The address of a document, or nothing.

    Raises:
        QuadratError: invalid.
    """
    if len(text) > _MAX_LINK or _CONTROL.search(text):
        raise QuadratError(ErrorKind.INVALID, f"{field} has at most {_MAX_LINK} characters.", field=field)
    return text


def check_name(name: str, field: str) -> str:
    """A name that serves as a URL key.

    Raises:
        QuadratError: invalid.
    """
    if not is_slug(name):
        raise QuadratError(
            ErrorKind.INVALID,
            "A name has 1 to 64 lower-case letters, digits and dashes, and begins with a letter.",
            field=field,
        )
    return name


def check_role_name(name: str) -> str:
    """The name of a custom role: a slug, and none of the default roles'.

    Raises:
        QuadratError: invalid, already_exists.
    """
    if check_name(name, "name") in DEFAULT_ROLES:
        raise QuadratError(ErrorKind.ALREADY_EXISTS, f"{name} is a default role.", field="name")
    return name


def check_text(text: str, field: str) -> str:
    """A name or title that people write: one line of at most 256 characters, trimmed.

    Raises:
        QuadratError: invalid.
    """
    cleaned = text.strip()
    if len(cleaned) > _MAX_TEXT or _CONTROL.search(cleaned):
        raise QuadratError(
            ErrorKind.INVALID, f"The {field} is one line of at most {_MAX_TEXT} characters.", field=field
        )
    return cleaned


def check_person_name(name: str | None, field: str) -> str | None:
    """The name of a person as it is stored: None when there is nothing of it.

    Raises:
        QuadratError: invalid.
    """
    return None if name is None else check_text(name, field) or None


def check_token(secret: str) -> str:
    """A token that someone chose.

    Raises:
        QuadratError: invalid.
    """
    if _TOKEN.fullmatch(secret) is None:
        raise QuadratError(ErrorKind.INVALID, "A token has 40 lower-case hex digits.", field="token")
    return secret


def check_permissions(permissions: Collection[str]) -> frozenset[str]:
    """What a custom role may hold: at least one, and only known ones.

    Raises:
        QuadratError: invalid.
    """
    unknown = sorted(set(permissions) - ALL_PERMISSIONS)
    if unknown:
        raise QuadratError(ErrorKind.INVALID, f"Unknown permission: {unknown[0]}.", field="permissions")
    if not permissions:
        raise QuadratError(ErrorKind.INVALID, "A role needs at least one permission.", field="permissions")
    return frozenset(permissions)


def suits_service_user(permissions: frozenset[str]) -> bool:
    """Whether a service user may hold a role with these: none on roles, assignments or service users."""
    return not permissions & RESTRICTED_PERMISSIONS


def account_subject(email: str) -> str:
    """Under which failed sign-ins to one account are counted; a hash, since it may be nobody's account."""
    return f"account:{sha256(email.encode()).hexdigest()}"


def address_subject(address: str) -> str:
    """Under which failed sign-ins from one place are counted: the IPv4 address, or the /64 network of an IPv6 one."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return f"address:{address[:_MAX_TEXT]}"
    if not isinstance(parsed, IPv6Address):
        return f"address:{parsed}"
    if parsed.ipv4_mapped is not None:
        return f"address:{parsed.ipv4_mapped}"
    return f"address:{IPv6Address(int(parsed) >> 64 << 64)}/64"


def sign_up_subject(address: str) -> str:
    """Under which requests for accounts from one place are counted."""
    return f"sign-up:{address_subject(address)}"


def sign_in_wait_s(newest_failures: Sequence[datetime], limit: int, at: datetime) -> float | None:
    """How long until another attempt is allowed, in s; None when it is allowed now.

    Args:
        newest_failures: The newest within `SIGN_IN_WINDOW`, newest first, at least `limit` of them if there are.
        limit: How many are allowed within the window.
        at: The time of the attempt.
    """
    if len(newest_failures) < limit:
        return None
    return max(1.0, (newest_failures[limit - 1] + SIGN_IN_WINDOW - at).total_seconds())
