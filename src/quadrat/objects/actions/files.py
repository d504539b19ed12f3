"""Users' own files on the server, and the folder that all share: what can be imported from."""

import asyncio
import os
import stat
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base.ids import new_uuid
from quadrat.db.engine import Database
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.types import Caller, UserId
from quadrat.jobs.actions import DELETE_FILE, enqueue
from quadrat.objects.rules.paths import UserPath, clean_path, clean_tag, read_user_path, upload_path
from quadrat.objects.store import user_files as store
from quadrat.storage.blobs import BlobStore

USER_FILES = "objects/files"
"""Where the uploads of users lie, in a folder for each."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One name in a folder.

    Args:
        name: Without the folder.
        is_folder: What it is.
        size_bytes: Of a file; 0 for a folder.
        modified_at: When it last changed; of a folder, the newest of what is in it.
    """

    name: str
    is_folder: bool
    size_bytes: int
    modified_at: datetime


def new_file_key(user_id: UserId) -> str:
    """Where the bytes of an upload go."""
    return f"{USER_FILES}/{user_id}/{new_uuid().hex}"


async def note_upload(
    tx: AsyncConnection, caller: Caller, key: str, size_bytes: int, *, names: tuple[str, str | None, str | None]
) -> UserPath:
    """Keep an upload whose bytes are stored.

    Args:
        tx: The transaction.
        caller: Whose it is.
        key: From `new_file_key`.
        size_bytes: Its size.
        names: The file name, the path on the client, the tag.

    Raises:
        QuadratError: invalid names.
    """
    file_name, client_path, tag = names
    path = upload_path(file_name, client_path)
    id_ = new_uuid()
    group = clean_tag(tag) or id_.hex
    replaced = await store.put_file(tx, id_, caller.user_id, (group, path), blob_key=key, size_bytes=size_bytes)
    if replaced is not None:
        await enqueue(tx, DELETE_FILE, {"key": replaced})
    return UserPath(group, path)


async def list_files(tx: AsyncConnection, caller: Caller, sub_path: str) -> tuple[str, Sequence[Entry]]:
    """The caller's files in a folder: its path as it is shown, and what is in it.

    Raises:
        QuadratError: not_found.
    """
    tag, _, folder = clean_path(sub_path, "sub_path").partition("/")
    if not tag:
        tags = await store.list_tags(tx, caller.user_id)
        return "", [Entry(name, is_folder=True, size_bytes=0, modified_at=_EPOCH) for name in tags]
    rows = await store.list_files(tx, caller.user_id, tag, folder)
    if not rows or any(path == folder for path, *_ in rows):
        raise _no_such_file()
    entries: dict[str, Entry] = {}
    for path, _, size, at in rows:
        name, _, rest = path[len(folder) + 1 if folder else 0 :].partition("/")
        before = entries.get(name)
        newest = at if before is None else max(at, before.modified_at)
        entries[name] = Entry(name, bool(rest), 0 if rest else size, newest)
    return UserPath(tag, folder).shown, list(entries.values())


async def delete_files(tx: AsyncConnection, caller: Caller, sub_path: str) -> int:
    """Remove a file or a folder of the caller's; how many files that were.

    Raises:
        QuadratError: not_found.
    """
    tag, _, folder = clean_path(sub_path, "sub_path").partition("/")
    keys = await store.delete_files(tx, caller.user_id, tag, folder) if tag else []
    if not keys:
        raise _no_such_file()
    for key in keys:
        await enqueue(tx, DELETE_FILE, {"key": key})
    return len(keys)


async def list_common(root: Path | None, sub_path: str) -> Sequence[Entry]:
    """What is in a folder of the shared one.

    Raises:
        QuadratError: not_found.
    """
    folder = common_path(root, sub_path)
    if not folder.is_dir():
        raise _no_such_file()
    return await asyncio.to_thread(_scan, folder)


def common_path(root: Path | None, sub_path: str) -> Path:
    """A file or folder of the shared one, which no link leads out of.

    Raises:
        QuadratError: not_found; invalid.
    """
    if root is None:
        raise _no_such_file()
    home = root.resolve()
    found = (home / clean_path(sub_path, "path")).resolve()
    if not found.is_relative_to(home) or not found.exists():
        raise _no_such_file()
    return found


async def check_source(tx: AsyncConnection, caller: Caller, root: Path | None, source: str) -> None:
    """Refuse what the caller cannot import from.

    Raises:
        QuadratError: not_found; invalid.
    """
    found = read_user_path(source)
    if found is None:
        common_path(root, source)
    elif not await store.list_files(tx, caller.user_id, found.tag, found.path):
        raise _no_such_file()


@asynccontextmanager
async def opened_source(
    db: Database, blobs: BlobStore, root: Path | None, user_id: UserId, source: str
) -> AsyncIterator[Path]:
    """A zip or a folder on this machine, while the block runs.

    Raises:
        QuadratError: not_found.
    """
    found = read_user_path(source)
    if found is None:
        yield common_path(root, source)
        return
    async with db.begin() as tx:
        files = await store.list_files(tx, user_id, found.tag, found.path)
    if not files:
        raise _no_such_file()
    single = files[0][0] == found.path or (len(files) == 1 and files[0][0].lower().endswith(".zip"))
    if single and blobs.local_root is not None:
        yield blobs.local_root / files[0][1]
        return
    with TemporaryDirectory(prefix="quadrat-source-") as folder:
        if single:
            target = Path(folder, "source")
            await blobs.fetch_to(files[0][1], target)
            yield target
            return
        for path, key, _, _ in files:
            await _place(blobs, key, Path(folder, path))
        yield Path(folder, found.path)


async def _place(blobs: BlobStore, key: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if blobs.local_root is not None:
        try:
            os.link(blobs.local_root / key, target)
        except OSError:
            pass  # another file system
        else:
            return
    await blobs.fetch_to(key, target)


def _scan(folder: Path) -> list[Entry]:
    entries = []
    for path in sorted(folder.iterdir()):
        found = path.lstat()
        if stat.S_ISDIR(found.st_mode) or stat.S_ISREG(found.st_mode):
            is_folder = stat.S_ISDIR(found.st_mode)
            at = datetime.fromtimestamp(found.st_mtime, UTC)
            entries.append(Entry(path.name, is_folder, 0 if is_folder else found.st_size, at))
    return entries


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _no_such_file() -> QuadratError:
    return QuadratError(ErrorKind.NOT_FOUND, "Not found.", field="source_path")
