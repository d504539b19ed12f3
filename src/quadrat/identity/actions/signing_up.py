"""Making an account of one's own."""

from collections.abc import Awaitable, Callable

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base.clock import now
from quadrat.db.engine import Database
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity import rules
from quadrat.identity.actions.users import create_user
from quadrat.identity.passwords import hash_password
from quadrat.identity.store import sign_ins as store
from quadrat.identity.types import Caller, NewUser, User, UserStatus


async def sign_up(
    db: Database,
    caller: Caller | None,
    new: NewUser,
    *,
    address: str | None,
    terms_accepted: bool,
    also: Callable[[AsyncConnection, User], Awaitable[None]] | None = None,
) -> User:
    """Make a user on request: pending when a stranger asks, active at once when a platform administrator does.

    Strangers from one place may ask only so often, and no connection is held while a password is hashed: nobody can
    keep the database or the processor busy from outside.

    Args:
        db: Where to make it.
        caller: Who asks; None for a stranger.
        new: The user; its status is decided here.
        address: Network address of the request; None where there is none, as on a Unix socket.
        terms_accepted: Whether the terms and conditions were.
        also: What belongs to the making of an account, in the same transaction: mail.

    Raises:
        QuadratError: as `create_user`; also invalid without a password or without the terms, and limit_reached.
    """
    if not terms_accepted:
        raise QuadratError(ErrorKind.INVALID, "Accept the terms and conditions.", field="terms_conditions")
    if new.password is None:
        raise QuadratError(ErrorKind.INVALID, "Choose a password.", field="password")
    rules.check_email(new.email)
    rules.check_password(new.password)
    by_admin = caller is not None and caller.is_platform_admin
    if not by_admin and address is not None:
        async with db.begin() as tx:
            await _count(tx, rules.sign_up_subject(address))
    password_hash = await hash_password(new.password)
    status = UserStatus.ACTIVE if by_admin else UserStatus.PENDING
    async with db.begin() as tx:
        wanted = NewUser(new.email, new.password, new.name, new.surname, status)
        user = await create_user(tx, wanted, password_hash=password_hash)
        if also is not None:
            await also(tx, user)
        return user


async def _count(tx: AsyncConnection, subject: str) -> None:
    at = now()
    await store.lock_subjects(tx, [subject])
    earlier = await store.list_failures(tx, subject, at - rules.SIGN_IN_WINDOW, rules.SIGN_UPS)
    wait_s = rules.sign_in_wait_s(earlier, rules.SIGN_UPS, at)
    if wait_s is not None:
        raise QuadratError(
            ErrorKind.LIMIT_REACHED,
            "Too many accounts were asked for from this address; try again later.",
            retry_after_s=wait_s,
        )
    await store.insert_failures(tx, [subject], at)
