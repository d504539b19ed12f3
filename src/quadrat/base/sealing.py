"""Secrets at rest: sealed with a key of the installation, and tied to the place where they are stored.

AES-256-GCM. A sealed text begins with the id of its key, so that keys can be changed while the server runs. Source of
the cipher's limits: NIST SP 800-38D; random 96-bit nonces are safe for far more texts than one installation holds.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_FORMAT = b"\x01"
_KEY_BYTES = 32
_ID_BYTES = 8
_NONCE_BYTES = 12
MARK_BYTES = len(_FORMAT) + _ID_BYTES
"""How many bytes at the beginning of a sealed text name its key."""

_INFO = b"quadrat secrets at rest 1"


class SealError(Exception):
    """A text that cannot be opened: sealed under a key that is not here, changed, or moved from its place."""


@dataclass(frozen=True, slots=True)
class _Key:
    mark: bytes
    cipher: AESGCM = field(repr=False)


class Sealer:
    """Seals and opens secrets.

    Args:
        keys: Gives the installation's keys, the current one first. It is asked each time, so a key that was put in
            front while this process ran is used at once.
    """

    def __init__(self, keys: Callable[[], Sequence[bytes]]) -> None:
        self._keys = keys

    @property
    def mark(self) -> bytes:
        """How every text begins that is sealed now."""
        return _derive(self._keys()[0]).mark

    def seal(self, plain: str, context: str) -> bytes:
        """The text, so that only `open` with the same context gives it back.

        Args:
            plain: The secret.
            context: Where it will be stored, e.g. table, column and id of the row.
        """
        key = _derive(self._keys()[0])
        nonce = os.urandom(_NONCE_BYTES)
        # The second half of a surrogate pair may come out of JSON; it has to come back as it was.
        sealed = key.cipher.encrypt(nonce, plain.encode("utf-8", "surrogatepass"), context.encode())
        return key.mark + nonce + sealed

    def open(self, sealed: bytes, context: str) -> str:
        """What was sealed.

        Raises:
            SealError: It cannot be opened here; the message tells nothing of it.
        """
        mark, nonce, rest = sealed[:MARK_BYTES], sealed[MARK_BYTES:][:_NONCE_BYTES], sealed[MARK_BYTES + _NONCE_BYTES :]
        for key in map(_derive, self._keys()):
            if key.mark == mark:
                try:
                    return key.cipher.decrypt(nonce, rest, context.encode()).decode("utf-8", "surrogatepass")
                except (InvalidTag, ValueError):
                    break
        else:
            message = "A secret was sealed under a key that this server does not have; see QUADRAT_SECRET_KEY."
            raise SealError(message)
        message = "A stored secret was changed or moved, and cannot be opened."
        raise SealError(message) from None


@lru_cache(maxsize=16)
def _derive(secret: bytes) -> _Key:
    material = HKDF(SHA256(), _ID_BYTES + _KEY_BYTES, salt=None, info=_INFO).derive(secret)
    return _Key(_FORMAT + material[:_ID_BYTES], AESGCM(material[_ID_BYTES:]))
