"""Users who signed up alone show that their address is theirs."""

from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base.clock import now
from quadrat.base.ids import new_token
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity import rules
from quadrat.identity.actions.access import hash_token
from quadrat.identity.actions.users import activate_user
from quadrat.identity.store import activations as store
from quadrat.identity.store import users as user_store
from quadrat.identity.types import User, UserId, UserStatus

LIFE = timedelta(days=7)


async def begin_activation(tx: AsyncConnection, user_id: UserId) -> tuple[User, str] | None:
    """The secret of a link that activates the user, which is stored as a hash only; None when there is no need."""
    user = await user_store.find_user(tx, user_id)
    if user is None or user.status is not UserStatus.PENDING:
        return None
    secret = new_token()
    await store.insert_activation(tx, hash_token(secret), user_id, now() + LIFE)
    return user, secret


async def find_pending(tx: AsyncConnection, secret: str) -> User:
    """Whom a link would activate.

    Raises:
        QuadratError: not_found for a link that is unknown, used or over.
    """
    user_id = await store.find_activation(tx, hash_token(rules.check_token(secret)), now())
    user = None if user_id is None else await user_store.find_user(tx, user_id)
    if user is None:
        raise QuadratError(ErrorKind.NOT_FOUND, "This link is not valid any more; sign up again or ask the operator.")
    return user


async def activate(tx: AsyncConnection, secret: str) -> User:
    """Let the user of the link sign in; the link works once.

    Raises:
        QuadratError: as `find_pending`.
    """
    user = await find_pending(tx, secret)
    await store.delete_activations(tx, user.id)
    return await activate_user(tx, user.id)
