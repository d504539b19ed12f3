"""From an uploaded archive to an unpacked revision. Works on untrusted bytes; blocking, so call it in a thread."""

import os
import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import IO

from quadrat.runner.base import BuildError, BuildStage

ENTRY_LIMIT = 100_000
UNPACKED_LIMIT_BYTES = 16 * 1024**3
RATIO_LIMIT = 200
RATIO_FREE_BYTES = 64 * 1024**2
"""Up to this unpacked size the ratio does not matter: a small file of zeros is no attack."""

_COPY_BYTES = 1024 * 1024
_NAME_LIMIT = 100
_NOISE = ("__MACOSX", ".DS_Store")
_MAIN_FILES = {"model_package": "model.py", "deployment_package": "deployment.py"}


def unpack(archive: Path, scratch: Path, target: Path) -> Path:
    """Unpack the archive so that `target` appears complete or not at all.

    Args:
        archive: The uploaded zip.
        scratch: Empty directory on the file system of `target`; unpacking happens here.
        target: Where the revision shall be; another process may put it there meanwhile.

    Returns:
        The package directory inside `target`.

    Raises:
        BuildError: stage PACKAGE, naming the file at fault.
    """
    try:
        with zipfile.ZipFile(archive) as source:
            _extract(source, scratch, archive.stat().st_size)
    except (zipfile.BadZipFile, zlib.error, EOFError, UnicodeDecodeError) as error:
        raise _refusal(f"The package is not a readable zip archive: {error}.") from error
    except (NotImplementedError, RuntimeError) as error:  # unknown compression; needs a password
        raise _refusal(f"The package cannot be unpacked: {error}.") from error
    package = find_package_dir(scratch)
    try:
        scratch.rename(target)
    except OSError:
        if not target.is_dir():
            raise
        shutil.rmtree(scratch)
    return target / package.name


def find_package_dir(revision: Path) -> Path:
    """The directory in an unpacked archive that holds the main file.

    ``model_package`` and ``deployment_package`` go before any other name; else there must be exactly one directory.

    Raises:
        BuildError: stage PACKAGE, when there is none or it holds no Python file.
    """
    found = sorted(entry for entry in revision.iterdir() if entry.is_dir() and entry.name not in _NOISE)
    named = [revision / name for name in _MAIN_FILES if (revision / name).is_dir()]
    if not named and len(found) != 1:
        raise _refusal("The archive has no directory model_package in its root.")
    package = named[0] if named else found[0]
    if not any(package.glob("*.py")):
        main_file = _MAIN_FILES.get(package.name, "model.py")
        raise _refusal(f"The main file {package.name}/{main_file} is missing in the archive.")
    return package


def _extract(source: zipfile.ZipFile, target: Path, packed_bytes: int) -> None:
    entries = source.infolist()
    if len(entries) > ENTRY_LIMIT:
        raise _refusal(f"The archive has {len(entries)} entries; at most {ENTRY_LIMIT} are allowed.")
    allowed = min(UNPACKED_LIMIT_BYTES, max(RATIO_FREE_BYTES, packed_bytes * RATIO_LIMIT))
    written = 0
    for entry in entries:
        path = target / _safe_name(entry)
        try:
            if entry.is_dir():
                path.mkdir(parents=True, exist_ok=True)
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            with source.open(entry) as stream, path.open("wb") as out:
                written += _copy(stream, out, allowed - written)
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            raise _refusal(f"{_shown(entry)} is both a file and a directory in the archive.") from error
        executable = (entry.external_attr >> 16) & stat.S_IXUSR
        path.chmod(0o755 if executable else 0o644)
    for folder, _, _ in os.walk(target):
        # Whatever the server's umask is: the model runs as another user.
        Path(folder).chmod(0o755)


def _copy(stream: IO[bytes], out: IO[bytes], allowed_bytes: int) -> int:
    written = 0
    while block := stream.read(_COPY_BYTES):
        written += len(block)
        if written > allowed_bytes:
            raise _refusal("The archive unpacks to far more bytes than a package may have.")
        out.write(block)
    return written


def _safe_name(entry: zipfile.ZipInfo) -> PurePosixPath:
    # Archives made on Windows by careless programs have the other slash.
    path = PurePosixPath(entry.filename.replace("\\", "/"))
    outside = path.is_absolute() or ".." in path.parts or (path.parts and path.parts[0].endswith(":"))
    if outside or not path.parts:
        raise _refusal(f"{_shown(entry)} in the archive points outside of the package.")
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind == stat.S_IFLNK:
        raise _refusal(f"{_shown(entry)} in the archive is a symbolic link; put the file itself there.")
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise _refusal(f"{_shown(entry)} in the archive is neither a file nor a directory.")
    if any(len(part.encode()) > 255 for part in path.parts):
        raise _refusal(f"{_shown(entry)} in the archive has too long a name.")
    return path


def _shown(entry: zipfile.ZipInfo) -> str:
    name = entry.filename
    return repr(name if len(name) <= _NAME_LIMIT else f"{name[:_NAME_LIMIT]}…")


def _refusal(message: str) -> BuildError:
    return BuildError(BuildStage.PACKAGE, message)
