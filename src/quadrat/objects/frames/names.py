"""The names of all taxa in memory, for searches that no index of the database serves. No I/O."""

from collections.abc import Collection, Iterator, Sequence
from uuid import UUID

import numpy as np

from quadrat.objects.frames.specs import Ids

SEPARATOR = b"\0"  # in no text of PostgreSQL


class TaxonNames:
    """The tree's names in lower case, in their order.

    Args:
        content: The mark of the tree that has these names.
        ids: Numbers of the taxa, by name, then by number.
        joined: Their names in UTF-8, with separators between them.
    """

    def __init__(self, content: UUID, ids: Ids, joined: bytes) -> None:
        self.content = content
        self._ids = ids
        self._text = SEPARATOR + joined + SEPARATOR
        self._starts = np.flatnonzero(np.frombuffer(self._text, np.uint8) == SEPARATOR[0])

    def search(self, parts: Sequence[str], preset: Collection[int], limit: int) -> list[int]:
        """Taxa whose names begin with the first part and have the others behind it one after the other.

        Args:
            parts: In lower case; may be empty.
            preset: Taxa that come first.
            limit: At most so many.
        """
        encoded = [part.encode() for part in parts]
        first = np.flatnonzero(np.isin(self._ids, list(preset))).tolist() if preset else []
        found = [line for line in first if self._fits(line, encoded)]
        passed = set(first)
        for line in self._having(max(encoded, key=len)):
            if len(found) >= limit:
                break
            if line not in passed and self._fits(line, encoded):
                found.append(line)
        return [int(self._ids[line]) for line in found[:limit]]

    def _having(self, part: bytes) -> Iterator[int]:
        """Names that have the part, in their order."""
        if not part:
            yield from range(len(self._ids))
            return
        at = self._text.find(part)
        while at >= 0:
            line = int(np.searchsorted(self._starts, at, "right")) - 1
            yield line
            at = self._text.find(part, int(self._starts[line + 1]))

    def _fits(self, line: int, parts: Sequence[bytes]) -> bool:
        at, end = int(self._starts[line]) + 1, int(self._starts[line + 1])
        if not self._text.startswith(parts[0], at, end):
            return False
        for part in parts:
            at = self._text.find(part, at, end)
            if at < 0:
                return False
            at += len(part)
        return True
