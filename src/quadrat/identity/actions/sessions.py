"""Signing in with a password, and out again."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base.clock import now
from quadrat.db.engine import Database
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity import rules
from quadrat.identity.actions.tokens import create_token, revoke_token
from quadrat.identity.passwords import hash_password, needs_rehash, verify_password
from quadrat.identity.store import sign_ins as store
from quadrat.identity.store import tokens as token_store
from quadrat.identity.store import users as user_store
from quadrat.identity.types import Caller, TokenKind, User, UserStatus

_SESSION_NAME = "sign-in"


@dataclass(frozen=True, slots=True)
class Attempt:
    """Someone's try to sign in.

    Args:
        email: As entered.
        password: As entered.
        address: Network address it comes from; None where there is none, as on a Unix socket.
    """

    email: str
    password: str = field(repr=False)
    address: str | None


async def sign_in(db: Database, attempt: Attempt, *, limit: int, life: timedelta) -> str:
    """A session token for a password.

    An attempt counts as failed from before the password is looked at until it has turned out right, so neither a
    refusal's rollback nor a burst of attempts at the same time can make it go uncounted. No connection is held while
    the password is checked.

    Args:
        db: Where to look; the attempt is recorded in a transaction of its own.
        attempt: Who says to be whom.
        limit: Failed attempts per account and per address that are allowed within `rules.SIGN_IN_WINDOW`.
        life: How long the session lasts.

    Raises:
        QuadratError: invalid address; unauthenticated; forbidden for a user who may not sign in (yet); limit_reached
            with the time to wait.
    """
    email = rules.check_email(attempt.email)
    account = rules.account_subject(email)
    subjects = [account] if attempt.address is None else [account, rules.address_subject(attempt.address)]
    async with db.begin() as tx:
        counted = await _count(tx, subjects, limit)
        known = await user_store.find_credentials(tx, email)
    stored = None if known is None else known[1]
    if not await verify_password(stored, attempt.password) or stored is None:
        raise _refusal()
    renewed = await hash_password(attempt.password) if needs_rehash(stored) else None
    async with db.begin() as tx:
        await store.delete_failures(tx, counted)
        await store.delete_failures_of(tx, account)
        user = await _find_unchanged(tx, email, stored)
        if renewed is not None:
            await user_store.update_user(tx, user.id, {"password_hash": renewed})
        await token_store.delete_ended_tokens(tx, user.id)
        _, secret = await create_token(tx, user.id, _SESSION_NAME, TokenKind.SESSION, now() + life)
    return secret


async def open_session(tx: AsyncConnection, caller: Caller, life: timedelta) -> str:
    """A session token for someone who has shown an API token.

    Raises:
        QuadratError: forbidden for a service user: sessions are for people.
    """
    if caller.is_service:
        raise QuadratError(ErrorKind.FORBIDDEN, "A service user has no session; sign in as a person.")
    _, secret = await create_token(tx, caller.user_id, _SESSION_NAME, TokenKind.SESSION, now() + life)
    return secret


async def sign_out(tx: AsyncConnection, caller: Caller) -> None:
    """End the session that the caller's token opened.

    Raises:
        QuadratError: not_found, when it has ended already.
    """
    await revoke_token(tx, caller.user_id, caller.token_id)


async def _count(tx: AsyncConnection, subjects: Sequence[str], limit: int) -> list[int]:
    at = now()
    await store.lock_subjects(tx, subjects)
    for subject in subjects:
        failures = await store.list_failures(tx, subject, at - rules.SIGN_IN_WINDOW, limit)
        wait_s = rules.sign_in_wait_s(failures, limit, at)
        if wait_s is not None:
            raise QuadratError(
                ErrorKind.LIMIT_REACHED,
                "Too many failed attempts to sign in; try again later.",
                retry_after_s=wait_s,
            )
    await store.delete_failures_before(tx, at - rules.SIGN_IN_WINDOW)
    return await store.insert_failures(tx, subjects, at)


async def _find_unchanged(tx: AsyncConnection, email: str, stored: str) -> User:
    """The user whose password was checked, locked so that a change of password ends this session too."""
    known = await user_store.find_credentials(tx, email, lock=True)
    if known is None or known[1] != stored:
        raise _refusal()
    if known[0].status is not UserStatus.ACTIVE:
        raise QuadratError(ErrorKind.FORBIDDEN, "This account is not active; ask an administrator of the server.")
    return known[0]


def _refusal() -> QuadratError:
    """The same for an unknown address and a wrong password."""
    return QuadratError(ErrorKind.UNAUTHENTICATED, "The e-mail address or the password is wrong.")
