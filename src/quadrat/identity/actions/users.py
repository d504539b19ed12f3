"""Users: made, found, changed, removed; and the first of them."""

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base.slugs import slugify
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity import rules
from quadrat.identity.actions.access import hash_token, unauthenticated
from quadrat.identity.actions.naming import make_named
from quadrat.identity.actions.tokens import create_token, revoke_tokens
from quadrat.identity.audit import record
from quadrat.identity.changes import announce_change
from quadrat.identity.passwords import hash_password, verify_password
from quadrat.identity.store import organizations as organization_store
from quadrat.identity.store import subscriptions as plan_store
from quadrat.identity.store import tokens as token_store
from quadrat.identity.store import users as store
from quadrat.identity.store.unique import refuse_taken
from quadrat.identity.types import (
    Caller,
    FirstAdministrator,
    MemberLevel,
    NewUser,
    TokenKind,
    User,
    UserChanges,
    UserId,
    UserStatus,
)

FREE = plan_store.FREE
DEFAULT_ADMIN_EMAIL = "admin@quadrat.localhost"
_FIRST_TOKEN_NAME = "first start"  # noqa: S105 - a label
_EMAIL_TAKEN = "There is a user with this e-mail address already."


async def create_user(tx: AsyncConnection, new: NewUser, *, password_hash: str | None = None) -> User:
    """Make a user with a personal organization.

    A user who was only invited so far is completed by the first one who chooses a password, or may sign in at once.

    Args:
        tx: The transaction.
        new: The user.
        password_hash: Of the new one's password, from whoever did not want to hold a transaction while it was made.

    Raises:
        QuadratError: invalid address, password or name; already_exists.
    """
    if new.password is not None:
        rules.check_password(new.password)
    checked = NewUser(
        email=rules.check_email(new.email),
        name=rules.check_person_name(new.name, "name"),
        surname=rules.check_person_name(new.surname, "surname"),
        status=new.status,
        is_platform_admin=new.is_platform_admin,
    )
    if new.password is not None and password_hash is None:
        password_hash = await hash_password(new.password)
    user = await store.insert_user(tx, checked, password_hash)
    if user is None and (new.password is not None or new.status is UserStatus.ACTIVE):
        user = await store.accept_invitation(tx, checked, password_hash)
    if user is None:
        raise QuadratError(ErrorKind.ALREADY_EXISTS, _EMAIL_TAKEN, field="email")
    await _make_personal_organization(tx, user)
    await record(tx, "user.created", user.email, status=user.status, administrator=user.is_platform_admin)
    return user


async def find_user_by_email(tx: AsyncConnection, email: str) -> User | None:
    """The user with this address, in any case."""
    return await store.find_user_by_email(tx, rules.check_email(email))


async def get_user_by_email(tx: AsyncConnection, email: str) -> User:
    """The user with this address, in any case.

    Raises:
        QuadratError: not_found.
    """
    user = await find_user_by_email(tx, email)
    if user is None:
        raise QuadratError(ErrorKind.NOT_FOUND, f"There is no user {email}.", field="email")
    return user


async def get_own_user(tx: AsyncConnection, caller: Caller) -> User:
    """The caller, person or service user.

    Raises:
        QuadratError: unauthenticated, when the user was removed a moment ago.
    """
    user = await store.find_user(tx, caller.user_id)
    if user is None:
        raise unauthenticated()
    return user


async def activate_user(tx: AsyncConnection, user_id: UserId) -> User:
    """Let a user who is pending or blocked sign in.

    Raises:
        QuadratError: not_found.
    """
    user = await store.update_user(tx, user_id, {"status": UserStatus.ACTIVE})
    if user is None:
        raise QuadratError(ErrorKind.NOT_FOUND, "This user does not exist.", field="user")
    await record(tx, "user.activated", user.email)
    await announce_change(tx)
    return user


async def update_user(tx: AsyncConnection, caller: Caller, changes: UserChanges) -> User:
    """Change the caller's own address, names or password; a new password ends all sessions, but no API token.

    Raises:
        QuadratError: forbidden for a service user, invalid values or previous password, already_exists.
    """
    _require_person(caller)
    values: dict[str, str | None] = {}
    if changes.email is not None:
        values["email"] = rules.check_email(changes.email)
    if changes.name is not None:
        values["name"] = rules.check_person_name(changes.name, "name")
    if changes.surname is not None:
        values["surname"] = rules.check_person_name(changes.surname, "surname")
    if changes.password is not None:
        values["password_hash"] = await _new_password_hash(tx, caller, changes)
    if not values:
        return await get_own_user(tx, caller)
    async with refuse_taken(tx, _EMAIL_TAKEN, field="email"):
        user = await store.update_user(tx, caller.user_id, values)
    if user is None:
        raise unauthenticated()
    if changes.password is not None:
        # After the update, which waits for a sign-in that is under way: its session ends as well.
        await revoke_tokens(tx, caller.user_id, TokenKind.SESSION)
    await record(tx, "user.changed", user.email, changed=sorted(name.removesuffix("_hash") for name in values))
    await announce_change(tx)
    return user


async def delete_user(tx: AsyncConnection, caller: Caller) -> None:
    """Remove the caller with its tokens, memberships and roles, and organizations in which nobody is left.

    Raises:
        QuadratError: forbidden for a service user; wrong_state for the last administrator of an organization that
            still has projects.
    """
    _require_person(caller)
    administered = await organization_store.list_administered_with_projects(tx, caller.user_id)
    await organization_store.lock_organizations(tx, administered)
    for organization_id in administered:
        if not await organization_store.has_other_admin(tx, organization_id, caller.user_id):
            organization = await organization_store.get_organization(tx, organization_id)
            raise QuadratError(
                ErrorKind.WRONG_STATE,
                f"You are the last administrator of {organization.name}, which still has projects: delete them or "
                "make someone else an administrator first.",
            )
    await store.delete_user(tx, caller.user_id)
    await record(tx, "user.deleted", caller.email)
    await announce_change(tx)


async def ensure_first_administrator(
    tx: AsyncConnection, email: str | None, password: str | None, token: str | None
) -> FirstAdministrator:
    """Make sure that someone can run this server; safe to call at every start and from several processes.

    With an address, that user is made unless it is there; without one, an administrator is made only when there is
    none at all. A given token is made sure of; without one, only a new administrator gets one.

    Args:
        tx: The transaction.
        email: Address of the administrator, or None.
        password: Password for a new one, or None for one with tokens only.
        token: The token that must work, 40 lower-case hex digits, or None.

    Raises:
        QuadratError: invalid values; wrong_state when the address belongs to a user who is no administrator;
            already_exists when the token is another user's.
    """
    if token is not None:
        rules.check_token(token)
    await store.lock_first_administrator(tx)
    admin = await _find_administrator(tx, email)
    is_new = admin is None
    if admin is None:
        admin = await create_user(tx, NewUser(email or DEFAULT_ADMIN_EMAIL, password, is_platform_admin=True))
    if token is not None:
        await _ensure_token(tx, admin, token)
        return FirstAdministrator(admin, None)
    if not is_new:
        return FirstAdministrator(admin, None)
    _, secret = await create_token(tx, admin.id, _FIRST_TOKEN_NAME)
    return FirstAdministrator(admin, secret)


async def _find_administrator(tx: AsyncConnection, email: str | None) -> User | None:
    if email is None:
        return await store.find_oldest_platform_admin(tx)
    user = await find_user_by_email(tx, email)
    if user is not None and not (user.is_platform_admin and user.status is UserStatus.ACTIVE):
        # Promoting would hand the server to whoever signed up under this address before.
        raise QuadratError(
            ErrorKind.WRONG_STATE,
            f"{user.email} belongs to a user who is no administrator; choose another address for the administrator.",
            field="email",
        )
    return user


async def _ensure_token(tx: AsyncConnection, admin: User, secret: str) -> None:
    known = await token_store.find_token(tx, hash_token(secret))
    if known is None:
        await create_token(tx, admin.id, _FIRST_TOKEN_NAME, secret=secret)
    elif known.user_id != admin.id:
        raise QuadratError(
            ErrorKind.ALREADY_EXISTS, "The administrator's token is in use by another user.", field="token"
        )


async def _new_password_hash(tx: AsyncConnection, caller: Caller, changes: UserChanges) -> str:
    known = await store.find_credentials(tx, caller.email)
    if known is None:
        raise unauthenticated()
    if changes.previous_password is None or not await verify_password(known[1], changes.previous_password):
        raise QuadratError(ErrorKind.INVALID, "The previous password is missing or wrong.", field="previous_password")
    assert changes.password is not None  # noqa: S101 - what this function is called for
    rules.check_password(changes.password, complex_=True)
    return await hash_password(changes.password)


def _require_person(caller: Caller) -> None:
    if caller.is_service:
        raise QuadratError(ErrorKind.FORBIDDEN, "A service user is managed in its project.")


async def _make_personal_organization(tx: AsyncConnection, user: User) -> None:
    if await organization_store.find_personal_organization(tx, user.id) is not None:
        return
    plan = await organization_store.find_subscription(tx, FREE, hidden=True)
    values = {"title": "Personal", "personal_user_id": user.id, "subscription_id": plan}
    slug = slugify(user.email.partition("@")[0], fallback="personal")
    organization = await make_named(
        slug,
        lambda stem: organization_store.list_taken_names(tx, stem),
        lambda name: organization_store.insert_organization(tx, {**values, "name": name}),
    )
    await organization_store.insert_member(tx, organization.id, user.id, MemberLevel.OWNER)
    await plan_store.insert_record(tx, organization.id, user.id, is_first=True)
