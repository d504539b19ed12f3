"""Identifiers. Pure: no I/O, no state but the counters that keep ids of one process apart."""

import itertools
import os
import secrets
import time
import uuid
from collections.abc import Callable

_OBJECT_ID_RANDOM = secrets.token_bytes(5)
_STOCK = 256
_FIXED_BITS = 0xF << 76 | 0x3 << 62
_VERSION_7 = 0x7 << 76 | 0x2 << 62
_UNKNOWN = uuid.SafeUUID.unknown
_set_int: Callable[[uuid.UUID, int], None] = vars(uuid.UUID)["int"].__set__
_set_is_safe: Callable[[uuid.UUID, uuid.SafeUUID], None] = vars(uuid.UUID)["is_safe"].__set__
_stock: list[bytes] = []
# A forked process must not give out the same ids as its parent.
os.register_at_fork(after_in_child=_stock.clear)
_object_id_counter = itertools.count(int.from_bytes(secrets.token_bytes(3), "big"))


def new_uuid() -> uuid.UUID:
    """A UUIDv7: 48 bits of Unix milliseconds, then random bits, so that ids sort by creation time.

    Source: RFC 9562 section 5.7.
    """
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(_random_bytes(), "big")
    # What its constructor would check is so; it takes longer than all the rest.
    made = object.__new__(uuid.UUID)
    _set_int(made, value & ~_FIXED_BITS | _VERSION_7)
    _set_is_safe(made, _UNKNOWN)
    return made


def _random_bytes() -> bytes:
    """The next 10 random bytes; asked of the system for many ids at a time."""
    try:
        return _stock.pop()
    except IndexError:
        drawn = os.urandom(10 * _STOCK)
        pieces = [drawn[start : start + 10] for start in range(0, len(drawn), 10)]
        taken = pieces.pop()
        _stock.extend(pieces)
        return taken


def new_object_id() -> str:
    """24 hex digits: 4 bytes of Unix seconds, 5 random bytes of this process, a 3-byte counter.

    The order of ids is the order of creation within a process, and to the second across processes.
    """
    seconds = int(time.time()).to_bytes(4, "big")
    counter = (next(_object_id_counter) & 0xFFFFFF).to_bytes(3, "big")
    return (seconds + _OBJECT_ID_RANDOM + counter).hex()


def new_token() -> str:
    """An API token: 40 hex digits, 160 random bits."""
    return secrets.token_hex(20)
