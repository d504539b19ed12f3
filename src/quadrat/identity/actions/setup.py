"""The first administrator chooses an address and a password, with the token that the server printed."""

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity import rules
from quadrat.identity.changes import announce_change
from quadrat.identity.passwords import hash_password
from quadrat.identity.store import users as store
from quadrat.identity.store.unique import refuse_taken
from quadrat.identity.types import Caller, User, UserChanges


async def needs_setup(tx: AsyncConnection) -> bool:
    """True as long as no platform administrator can sign in with a password."""
    return not await store.has_administrator_with_password(tx)


async def set_up(tx: AsyncConnection, caller: Caller, chosen: UserChanges) -> User:
    """Give the first administrator what it takes to sign in.

    Args:
        tx: The transaction.
        caller: The administrator, by token.
        chosen: Address and password, names if wanted.

    Raises:
        QuadratError: forbidden unless a platform administrator asks; wrong_state once an administrator has a password;
            invalid address, password or names; already_exists.
    """
    if not caller.is_platform_admin:
        raise QuadratError(ErrorKind.FORBIDDEN, "Only an administrator of the server can set it up.")
    if chosen.email is None or chosen.password is None:
        raise QuadratError(ErrorKind.INVALID, "Choose an e-mail address and a password.", field="password")
    await store.lock_first_administrator(tx)
    if await store.has_administrator_with_password(tx):
        raise QuadratError(ErrorKind.WRONG_STATE, "This server has been set up already: sign in.")
    rules.check_password(chosen.password, complex_=True)
    values = {
        "email": rules.check_email(chosen.email),
        "name": rules.check_person_name(chosen.name, "name"),
        "surname": rules.check_person_name(chosen.surname, "surname"),
        "password_hash": await hash_password(chosen.password),
    }
    async with refuse_taken(tx, "There is a user with this e-mail address already.", field="email"):
        user = await store.update_user(tx, caller.user_id, values)
    if user is None:
        raise QuadratError(ErrorKind.NOT_FOUND, "This user does not exist any more.")
    await announce_change(tx)
    return user
