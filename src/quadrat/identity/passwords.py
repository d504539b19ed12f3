"""Password hashes (argon2id), computed beside the event loop."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_hasher = PasswordHasher()
# Each hash takes 64 MiB and four cores for a moment: a flood of sign-ins queues here and does not exhaust the machine.
_threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="password")


async def hash_password(password: str) -> str:
    """The hash to store, with its parameters and salt in it."""
    return await asyncio.get_running_loop().run_in_executor(_threads, _hasher.hash, _encode(password))


async def verify_password(stored: str | None, password: str) -> bool:
    """Whether the password fits; takes as long when there is nothing to compare with.

    Args:
        stored: What `hash_password` made, or None for an unknown user or one without a password.
        password: What was entered.
    """
    return await asyncio.get_running_loop().run_in_executor(_threads, _verify, stored, password)


def needs_rehash(stored: str) -> bool:
    """Whether the hash was made with weaker parameters than today's."""
    return _hasher.check_needs_rehash(stored)


def _verify(stored: str | None, password: str) -> bool:
    try:
        return _hasher.verify(_decoy() if stored is None else stored, _encode(password)) and stored is not None
    except (VerificationError, InvalidHashError):
        return False


def _encode(password: str) -> bytes:
    """JSON can hold halves of surrogate pairs, which plain UTF-8 refuses."""
    return password.encode("utf-8", "surrogatepass")


@cache
def _decoy() -> str:
    """A hash of no one's password, with today's parameters."""
    return _hasher.hash("no one has this password")
