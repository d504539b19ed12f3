"""The different values of a text column, searched without a Python object for each."""

import re

import numpy as np

from quadrat.objects.frames.specs import Mask, Positions

_SEPARATOR = b"\x00"  # PostgreSQL stores no such character in a text
_ANY_TEXT = rb"[^\x00]*"
_ANY_CHARACTER = rb"(?:[\x01-\x7f]|[\xc0-\xff][\x80-\xbf]*)"


class DistinctTexts:
    """Texts in lower case, in the order of their ranks.

    Args:
        joined: UTF-8, a NUL between one and the next.
        n: How many.
    """

    def __init__(self, joined: bytes, n: int) -> None:
        self.n = n
        self._blob = _SEPARATOR + joined + _SEPARATOR if n else b""
        self._starts: Positions = np.flatnonzero(np.frombuffer(self._blob, np.uint8) == 0)[:n]

    @property
    def joined(self) -> bytes:
        """The texts as they were given."""
        return self._blob[1:-1]

    @property
    def nbytes(self) -> int:
        """Memory."""
        return len(self._blob) + self._starts.nbytes

    def matching(self, pattern: str) -> Mask:
        """For each rank, whether its text is LIKE the pattern, which is in lower case."""
        found = np.zeros(len(self._starts) + 1, bool)  # the last one stands for a missing text
        needle = pattern[1:-1]
        if len(pattern) >= 2 and pattern[0] == pattern[-1] == "%" and not set(needle) & {"%", "_"}:
            if not needle:
                found[:-1] = True
                return found
            expression = re.compile(re.escape(needle.encode("utf-8", "replace")))
        else:
            expression = re.compile(rb"\x00" + _translated(pattern) + rb"(?=\x00)")
        at = np.fromiter((match.start() for match in expression.finditer(self._blob)), np.intp)
        found[np.searchsorted(self._starts, at, "right") - 1] = True
        found[-1] = False
        return found


def _translated(pattern: str) -> bytes:
    special = {"%": _ANY_TEXT, "_": _ANY_CHARACTER}
    return b"".join(special.get(char) or re.escape(char.encode("utf-8", "replace")) for char in pattern)
