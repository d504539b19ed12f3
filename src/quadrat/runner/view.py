"""Which files of the machine an instance may use: what the kernel is told where it has Landlock.

Whatever the server's user may read stays readable but the hidden directories; writable are the instance's own
directory and the machine's shared temporary ones, where its files count and are removed with it.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

DEVICES = Path("/dev")
MEMORY_FILES = Path("/dev/shm")  # noqa: S108 - shared memory of processes lies there
TEMPORARY = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108 - models are written for machines that have them

View = Mapping[str, Sequence[str]]


def make_view(hidden: Sequence[Path], readable: Sequence[Path], looked_into: Path, writable: Sequence[Path]) -> View:
    """Paths by what may be done with them, see `quadrat.runner.shim.confine`.

    Args:
        hidden: Directories of which nothing is shown but what the other arguments name.
        readable: Files and directories.
        looked_into: A directory in which files can be read by those who know their names.
        writable: Directories beside the machine's temporary ones.
    """
    kept_out = {path.resolve() for path in hidden}
    around = {parent for path in kept_out for parent in path.parents}
    found: dict[str, list[str]] = {"read": [*map(str, readable)], "use": [], "own": [*map(str, writable)]}
    for path, right in _beside(Path("/"), "read", kept_out, around):
        found[right].append(str(path))
    inside = kept_out | around
    found["use"] += [str(path) for path in (DEVICES,) if path not in inside]
    found["own"] += [str(path) for path in (*TEMPORARY, MEMORY_FILES) if path not in inside]
    return {"look": [str(looked_into)], **found}


def _beside(folder: Path, right: str, kept_out: set[Path], around: set[Path]) -> Iterator[tuple[Path, str]]:
    """Everything below a folder but what is kept out, in as few paths as possible."""
    if folder not in around:
        yield folder, right
        return
    if folder in (*TEMPORARY, MEMORY_FILES):
        right = "own"
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if not entry.is_symlink()]
    except OSError:  # what the server may not list it cannot offer either
        return
    for name in names:
        if folder / name not in kept_out:
            yield from _beside(folder / name, right, kept_out, around)
