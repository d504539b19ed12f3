"""Files that are uploaded in pieces, and the planes that are made of pictures."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base.clock import now
from quadrat.base.ids import new_uuid
from quadrat.db.engine import Database
from quadrat.errors import ErrorKind, QuadratError
from quadrat.gaze.actions.access import not_found
from quadrat.gaze.pictures.pool import Pictures
from quadrat.gaze.rules.texts import check_name
from quadrat.gaze.store import files as store
from quadrat.gaze.types import File, Reference, ReferenceKind
from quadrat.identity.actions.workspaces import Workspace, require_in_workspace
from quadrat.identity.types import Caller
from quadrat.storage.blobs import BlobStore
from quadrat.storage.types import SignedMethod

MAX_PICTURE_BYTES = 512 * 1024**2
_PART_BYTES = 16 * 1024**2
_ADDRESS_LIFE = timedelta(hours=1)


def folder_of(uuid: UUID) -> str:
    """Where the bytes of a file are stored."""
    return f"gaze/files/{uuid.hex}"


def whole_key(uuid: UUID) -> str:
    """The bytes of a complete file."""
    return f"{folder_of(uuid)}/whole"


@dataclass(frozen=True, slots=True)
class FileBytes:
    """Where bytes go, and what looks at them."""

    blobs: BlobStore
    pictures: Pictures


@dataclass(frozen=True, slots=True)
class NewFile:
    """An upload that was announced."""

    name: str
    size_bytes: int
    max_bytes: int


async def create_file(tx: AsyncConnection, caller: Caller, workspace: Workspace, new: NewFile) -> File:
    """Announce an upload.

    Raises:
        QuadratError: forbidden, too_large, invalid.
    """
    require_in_workspace(caller, workspace, "gaze.create", creates=True)
    if new.size_bytes > new.max_bytes:
        raise QuadratError(ErrorKind.TOO_LARGE, f"A file may have at most {new.max_bytes} bytes.")
    made = File(
        uuid=new_uuid(),
        organization_id=workspace.organization.id,
        name=check_name(new.name),
        size_bytes=new.size_bytes,
        offset_bytes=0,
        parts=(),
        media_type=None,
        size=None,
        created_by=caller.uuid,
        created_at=now(),
    )
    await store.insert_file(tx, made)
    return made


async def open_file(tx: AsyncConnection, caller: Caller, workspace: Workspace, uuid: UUID) -> File:
    """An upload, for whoever may go on with it.

    Raises:
        QuadratError: not_found, forbidden.
    """
    found = await store.find_file(tx, workspace.organization.id, uuid)
    require_in_workspace(caller, workspace, "gaze.create", made_by=None if found is None else found.created_by)
    if found is None:
        raise not_found("File", uuid)
    return found


async def resume_file(tx: AsyncConnection, caller: Caller, workspace: Workspace, uuid: UUID) -> File:
    """An upload that goes on at this moment, which keeps it from being removed as unused.

    Raises:
        QuadratError: not_found, forbidden.
    """
    found = await open_file(tx, caller, workspace, uuid)
    if not await store.touch_file(tx, uuid):
        raise not_found("File", uuid)
    return found


async def append_to_file(
    db: Database, bytes_: FileBytes, file: File, offset_bytes: int, pieces: AsyncIterator[bytes]
) -> int:
    """Store the next bytes of an upload as they come; returns the new offset.

    What has been stored stays when the rest does not come, so that an upload can go on from there.

    Raises:
        QuadratError: wrong_state for another offset than the file's, also when another sends the same bytes; too_large;
            not_found when the file was removed meanwhile.
    """
    blobs = bytes_.blobs
    if offset_bytes != file.offset_bytes:
        raise _wrong_offset(file.offset_bytes)
    async for part in _parts(pieces):
        offset = file.offset_bytes + len(part)
        if offset > file.size_bytes:
            raise QuadratError(ErrorKind.TOO_LARGE, f"These are more than the {file.size_bytes} bytes announced.")
        # Bytes first, the row second; only one of two uploads of the same part counts.
        key = f"{folder_of(file.uuid)}/part-{new_uuid().hex}"
        await blobs.put(key, part)
        grown = replace(file, offset_bytes=offset, parts=(*file.parts, key))
        if grown.is_complete:
            grown = await _finish(bytes_, grown)
        async with db.begin() as tx:
            advanced = await store.advance_file(tx, file, grown)
        if not advanced:
            raise await _overtaken(db, blobs, file, key)
        file = grown
    if file.is_complete and file.parts:
        for key in file.parts:
            await blobs.delete(key)
    return file.offset_bytes


async def _overtaken(db: Database, blobs: BlobStore, file: File, key: str) -> QuadratError:
    """Take back a part that does not count."""
    async with db.begin() as tx:
        known = await store.find_file(tx, file.organization_id, file.uuid)
    if known is None:
        await blobs.delete_prefix(folder_of(file.uuid))
        return not_found("File", file.uuid)
    await blobs.delete(key)
    return _wrong_offset(known.offset_bytes)


async def _parts(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    held: list[bytes] = []
    size = 0
    async for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= _PART_BYTES:
            yield b"".join(held)
            held, size = [], 0
    if size:
        yield b"".join(held)


def _wrong_offset(known: int) -> QuadratError:
    return QuadratError(
        ErrorKind.WRONG_STATE,
        f"The upload goes on at byte {known}; send Upload-Offset: {known}.",
        field="Upload-Offset",
    )


async def _finish(bytes_: FileBytes, file: File) -> File:
    """Join the parts and look at what they are."""
    blobs = bytes_.blobs

    async def joined() -> AsyncIterator[bytes]:
        for part in file.parts:
            reader = await blobs.open(part)
            async for chunk in reader.chunks:
                yield chunk

    await blobs.put(whole_key(file.uuid), joined())
    if file.size_bytes > MAX_PICTURE_BYTES:
        return file
    data = await blobs.read(whole_key(file.uuid), max_bytes=MAX_PICTURE_BYTES)
    picture = await bytes_.pictures.recognize(data)
    if picture is None:
        return file
    if picture.data is not data:
        await blobs.put(whole_key(file.uuid), picture.data)
    await blobs.put(f"{folder_of(file.uuid)}/thumbnail", picture.thumbnail_png)
    return replace(file, media_type=picture.media_type, size=picture.size)


# Planes.


@dataclass(frozen=True, slots=True)
class NewReference:
    """A plane to be made.

    Args:
        file: Its picture; a surface may have none.
    """

    kind: ReferenceKind
    name: str = ""
    file: UUID | None = None
    scanning_recording: str = ""
    markers: tuple[str, ...] = ()


async def create_reference(tx: AsyncConnection, caller: Caller, workspace: Workspace, new: NewReference) -> Reference:
    """Make a plane.

    Raises:
        QuadratError: forbidden; invalid for a picture that is not there, not complete or none.
    """
    require_in_workspace(caller, workspace, "gaze.create", creates=True)
    picture = None if new.file is None else await _picture(tx, workspace, new.file)
    made = Reference(
        uuid=new_uuid(),
        organization_id=workspace.organization.id,
        kind=new.kind,
        name=new.name[:500].replace("\0", ""),
        file_uuid=new.file,
        size=None if picture is None else picture.size,
        scanning_recording=new.scanning_recording[:500].replace("\0", ""),
        markers=new.markers,
        created_by=caller.uuid,
        created_at=now(),
    )
    await store.insert_reference(tx, made)
    return made


async def set_markers(
    tx: AsyncConnection, caller: Caller, workspace: Workspace, uuid: UUID, markers: Sequence[str]
) -> Reference:
    """Say between which markers a surface lies.

    Raises:
        QuadratError: not_found, forbidden.
    """
    found = await get_reference(tx, caller, workspace, uuid, ReferenceKind.SURFACE)
    require_in_workspace(caller, workspace, "gaze.update", made_by=found.created_by)
    await store.set_markers(tx, found.organization_id, uuid, markers)
    return replace(found, markers=tuple(markers))


async def _picture(tx: AsyncConnection, workspace: Workspace, uuid: UUID) -> File:
    file = await store.find_file(tx, workspace.organization.id, uuid, keep=True)
    problem = None
    if file is None:
        problem = "does not exist"
    elif not file.is_complete:
        problem = f"is not complete: {file.offset_bytes} of {file.size_bytes} bytes have come"
    elif file.size is None:
        problem = "is neither a PNG nor a JPEG"
    if problem is not None or file is None:
        raise QuadratError(ErrorKind.INVALID, f"File {uuid} {problem}.", field="reference_image_id")
    return file


async def get_reference(
    tx: AsyncConnection, caller: Caller, workspace: Workspace, uuid: UUID, kind: ReferenceKind
) -> Reference:
    """One of a workspace's planes.

    Raises:
        QuadratError: not_found, forbidden.
    """
    require_in_workspace(caller, workspace, "gaze.read")
    found = await store.find_reference(tx, workspace.organization.id, uuid, kind)
    if found is None:
        raise not_found("Surface" if kind is ReferenceKind.SURFACE else "Reference image", uuid)
    return found


@dataclass(frozen=True, slots=True)
class PictureAddresses:
    """Makes addresses of pictures that work without a credential, for an hour.

    Args:
        blobs: The store.
        base_url: Of this server, as the caller reaches it.
    """

    blobs: BlobStore
    base_url: str

    async def thumbnail(self, reference: Reference) -> str:
        """The picture of a plane at most 2048 pixels wide or high; empty for a plane without one."""
        return await self._sign(reference, "thumbnail")

    async def whole(self, reference: Reference) -> str:
        """The picture of a plane as it was uploaded; empty for a plane without one."""
        return await self._sign(reference, "whole")

    async def _sign(self, reference: Reference, rendition: str) -> str:
        if reference.file_uuid is None:
            return ""
        key = f"{folder_of(reference.file_uuid)}/{rendition}"
        return await self.blobs.sign(SignedMethod.GET, key, _ADDRESS_LIFE, base_url=self.base_url)


async def read_reference_picture(blobs: BlobStore, reference: Reference) -> bytes | None:
    """The picture of a plane, if it has one."""
    if reference.file_uuid is None:
        return None
    return await blobs.read(whole_key(reference.file_uuid), max_bytes=MAX_PICTURE_BYTES)
