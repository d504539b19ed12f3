"""Public tokens: links to the images of one dataset that work without an account, until they are revoked."""

from collections.abc import Sequence
from datetime import timedelta
from hashlib import sha256

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base.ids import new_object_id, new_token
from quadrat.base.sealing import Sealer, SealError
from quadrat.errors import ErrorKind
from quadrat.identity.actions.access import caller_in_name_of, unauthenticated
from quadrat.identity.types import Caller
from quadrat.samples.actions.datasets import open_dataset
from quadrat.samples.rules.common import refusal, this_moment
from quadrat.samples.store import links as store
from quadrat.samples.types import DatasetId, PublicLink

# Told apart from API tokens at a glance, and never taken for one.
_PREFIX = "public-"


async def link_token(
    tx: AsyncConnection, caller: Caller, dataset_id: DatasetId, sealer: Sealer, life: timedelta | None
) -> str:
    """A token that opens the images of the dataset for reading; the one without an end is made only once per user.

    Args:
        tx: The transaction.
        caller: In whose name the token opens the dataset: when they lose access, so does the token.
        dataset_id: What it opens.
        sealer: Keeps the secret, so that the next export carries the same links.
        life: None for no end.

    Raises:
        QuadratError: not_found, forbidden.
    """
    await open_dataset(tx, caller, dataset_id, "samples.read")
    if life is None and (known := await store.find_endless(tx, dataset_id, caller.user_id)) is not None:
        try:
            return sealer.open(known[1], _context(known[0]))
        except SealError:
            # Sealed under a key that is no longer here. Links with it go on to work; new ones get a new token.
            pass
    at = this_moment()
    made = PublicLink(new_object_id(), dataset_id, at, None if life is None else at + life)
    secret = _PREFIX + new_token()
    await store.insert_token(tx, made, caller.user_id, _hash(secret), sealer.seal(secret, _context(made.id)))
    return secret


async def open_link(tx: AsyncConnection, secret: str, dataset_id: DatasetId) -> Caller:
    """In whose name a public token opens a dataset.

    Raises:
        QuadratError: unauthenticated, also for a good token of another dataset.
    """
    user_id = await store.find_maker(tx, dataset_id, _hash(secret), this_moment())
    caller = None if user_id is None else await caller_in_name_of(tx, user_id)
    if caller is None:
        raise unauthenticated()
    return caller


def is_public(secret: str) -> bool:
    """Whether a credential is a public token rather than somebody's own."""
    return secret.startswith(_PREFIX)


async def list_links(tx: AsyncConnection, caller: Caller, dataset_id: DatasetId) -> Sequence[PublicLink]:
    """The public tokens of a dataset, without their secrets, newest first.

    Raises:
        QuadratError: not_found, forbidden.
    """
    await open_dataset(tx, caller, dataset_id, "samples.update")
    return await store.list_tokens(tx, dataset_id)


async def revoke_link(tx: AsyncConnection, caller: Caller, dataset_id: DatasetId, id_: str) -> None:
    """End a public token at once.

    Raises:
        QuadratError: not_found, forbidden.
    """
    await open_dataset(tx, caller, dataset_id, "samples.update")
    if not await store.delete_token(tx, dataset_id, id_):
        raise refusal(ErrorKind.NOT_FOUND, "NOT_FOUND", f"The dataset has no public token {id_}.")


def _hash(secret: str) -> bytes:
    return sha256(secret.encode()).digest()


def _context(id_: str) -> str:
    return f"samples.public_token.sealed:{id_}"
