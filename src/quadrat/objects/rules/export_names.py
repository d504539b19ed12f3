"""Names of files in an archive: made from what people wrote, safe to unpack, and each only once. Pure.

Source: spec of the object-set API, section 1.12 and its section 6: two taxa whose names become the same must not write
over each other.
"""

import re
from collections.abc import Iterable

_NOT_IN_TAXA = re.compile(r"[^a-zA-Z0-9 .\-()]")
_NOT_IN_FILES = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]')
_LONGEST = 150
NO_CATEGORY = "NoCategory"


def taxon_folder(name: str) -> str:
    """A taxon's name as the name of a file or folder."""
    return _short(_NOT_IN_TAXA.sub("_", name))


def safe_folder(name: str) -> str:
    """Any name as the name of a file or folder; letters of all languages stay."""
    return _short(_NOT_IN_FILES.sub("_", name))


def _short(name: str) -> str:
    return name.strip()[:_LONGEST].strip(" .") or "_"


def safe_path(name: str) -> str:
    """A path of an importer's archive, without what leads out of a folder."""
    parts = [part for part in name.replace("\\", "/").split("/") if part not in {"", ".", ".."}]
    return "/".join(parts).replace("\0", "_") or "_"


def distinct(names: Iterable[tuple[int, str]]) -> dict[int, str]:
    """A name for each number, different from all others in any case of letters: with the number where it has to be."""
    found: dict[int, str] = {}
    taken: set[str] = set()
    for number, name in names:
        chosen, tries = name, 0
        while chosen.casefold() in taken:
            chosen = f"{name}_{number}" + "_" * tries
            tries += 1
        taken.add(chosen.casefold())
        found[number] = chosen
    return found


class FileNames:
    """The names that are taken in one folder of an archive, in little memory."""

    def __init__(self) -> None:
        self._taken: set[int] = set()

    def begin(self, *taken: str) -> None:
        """A new folder begins, in which some paths are taken; nothing more goes into those before."""
        self._taken = {hash(path) for path in taken}

    def take(self, folder: str, name: str, rank: int, object_id: int) -> str:
        """The path of an image: under its own name, or where that is taken under its rank, or its object."""
        for path in (
            f"{folder}/{name}",
            f"{folder}/{rank}/{name}",
            f"{folder}/{object_id}/{name}",
            f"{folder}/{object_id}/{rank}/{name}",
        ):
            # Numbers instead of texts: a hash that meets another one only makes the path longer.
            key = hash(path)
            if key not in self._taken:
                break
        self._taken.add(key)
        return path
