"""Zip archives of gaze files: which entries belong together, unpacked within limits."""

import re
import shutil
import zipfile
from collections import defaultdict
from pathlib import Path, PurePosixPath

from quadrat.errors import ErrorKind, QuadratError
from quadrat.gaze.formats.parsed import FileSet

_EXACT = {
    "gaze.csv": "gaze",
    "fixations.csv": "fixations",
    "sections.csv": "sections",
    "events.csv": "events",
    "info.json": "info",
}
_PREFIXES = {"gaze_positions_on_surface": "gaze", "fixations_on_surface": "fixations"}
# The scene video of Timeseries downloads, and as the device calls it.
_SCENE = re.compile(r"([0-9a-f]{8}_.*|neon scene camera.*)\.mp4", re.IGNORECASE)
_MAX_ENTRIES = 10_000
_COPY_BYTES = 1024**2


def kind_of(file_name: str) -> str | None:
    """What a file is by its name; None for everything that an import does not read."""
    if file_name in _EXACT:
        return _EXACT[file_name]
    if file_name.endswith(".csv"):
        return next((kind for prefix, kind in _PREFIXES.items() if file_name.startswith(prefix)), None)
    return "scene" if _SCENE.fullmatch(file_name) else None


def unpack(archive: Path, scratch: Path, max_bytes: int) -> list[FileSet]:
    """The sets of files in an archive, one for each folder that has gaze or fixations.

    Args:
        archive: A zip file.
        scratch: Where to unpack.
        max_bytes: Most bytes of all files that are read.

    Raises:
        QuadratError: invalid for what is no zip file, too_large.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            return _unpack(opened, scratch, max_bytes)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise QuadratError(ErrorKind.INVALID, f"The archive cannot be read: {error}.", field="archive") from None


def _unpack(opened: zipfile.ZipFile, scratch: Path, max_bytes: int) -> list[FileSet]:
    entries = opened.infolist()
    if len(entries) > _MAX_ENTRIES:
        raise QuadratError(ErrorKind.INVALID, f"The archive has more than {_MAX_ENTRIES} entries.", field="archive")
    folders: dict[str, dict[str, zipfile.ZipInfo]] = defaultdict(dict)
    for entry in entries:
        path = PurePosixPath(entry.filename)
        kind = None if entry.is_dir() else kind_of(path.name)
        # A surface's own files win over those of the scene camera beside them.
        if kind is not None and (kind not in folders[str(path.parent)] or not (path.name in _EXACT or kind == "scene")):
            before = folders[str(path.parent)].get(kind)
            if before is not None and PurePosixPath(before.filename).name not in _EXACT:
                raise _several_surfaces(before.filename, entry.filename)
            folders[str(path.parent)][kind] = entry
    _inherit_info(folders)
    found = []
    left = max_bytes
    for number, (folder, files) in enumerate(folders.items()):
        if not {"gaze", "fixations"} & set(files):
            continue
        target = scratch / f"folder-{number}"
        target.mkdir(parents=True)
        paths = {}
        for kind, entry in files.items():
            paths[kind] = target / kind
            left = _extract(opened, entry, paths[kind], left)
        names = {kind: entry.filename for kind, entry in files.items()}
        owner = PurePosixPath(folder if "info" not in files else names["info"])
        folder_name = owner.name if "info" not in files else owner.parent.name
        found.append(FileSet(paths, names, folder_name if folder_name not in {"", "."} else None))
    if not found:
        raise QuadratError(ErrorKind.INVALID, "The archive holds neither gaze.csv nor fixations.csv.", field="archive")
    return found


def _several_surfaces(first: str, second: str) -> QuadratError:
    return QuadratError(
        ErrorKind.INVALID,
        f"The archive holds more than one surface: {first} and {second}. Import each into an enrichment of its own.",
        field="archive",
    )


def _inherit_info(folders: dict[str, dict[str, zipfile.ZipInfo]]) -> None:
    """Programs on the desktop export into a folder below the recording, whose info.json stays above."""
    for folder, files in folders.items():
        above = (str(parent) for parent in PurePosixPath(folder).parents)
        with_info = next((parent for parent in above if "info" in folders.get(parent, {})), None)
        if "info" not in files and with_info is not None:
            files["info"] = folders[with_info]["info"]


def _extract(opened: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, left: int) -> int:
    """Write one entry, counting what really comes out; returns how many bytes are still allowed."""
    with opened.open(entry) as source, target.open("wb") as file:
        while piece := source.read(_COPY_BYTES):
            left -= len(piece)
            if left < 0:
                raise QuadratError(ErrorKind.TOO_LARGE, "The archive holds more than may be imported at once.")
            file.write(piece)
    return left


def clean(scratch: Path) -> None:
    """Remove a folder, if it is there."""
    shutil.rmtree(scratch, ignore_errors=True)
