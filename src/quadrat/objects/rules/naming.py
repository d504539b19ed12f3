"""Which taxon a text means, and which user. Pure."""

import re
from collections.abc import Iterable
from typing import NamedTuple

_WITH_PARENT = re.compile(r"(.+?)\s*(?:<\s*(.+)|\((.+)\))")


class TaxonName(NamedTuple):
    """A taxon as it may be meant; texts in lower case.

    Args:
        id: What to use: of a deprecated taxon, its successor.
        display_name: Unique.
        name: Its own.
        parent: Its parent's own name; empty for a root.
        is_active: False for a deprecated one.
    """

    id: int
    display_name: str
    name: str
    parent: str
    is_active: bool


def names_in(text: str) -> set[str]:
    """Names under which to look for the taxon that a lower-case text means."""
    found = _WITH_PARENT.fullmatch(text)
    return {text} if found is None else {text, found[1]}


def meant_taxon(text: str, candidates: Iterable[TaxonName]) -> int | None:
    """The taxon that a lower-case text means; None for an unknown or ambiguous one.

    By display name, as ``name<parent`` or ``name (parent)``, or by a name that only one taxon has.
    """
    known = list(candidates)
    for active in (True, False):
        among = [taxon for taxon in known if taxon.is_active is active]
        by_display = {taxon.id for taxon in among if taxon.display_name == text}
        if by_display:
            return min(by_display)
        split = _WITH_PARENT.fullmatch(text)
        parent = (split[2] or split[3]) if split else None
        by_parent = {taxon.id for taxon in among if split and taxon.name == split[1] and taxon.parent == parent}
        by_name = {taxon.id for taxon in among if taxon.name == text}
        for ids in (by_parent, by_name):
            if len(ids) == 1:
                return ids.pop()
    return None
