"""Scene videos that came with recordings."""

from datetime import timedelta

from quadrat.errors import ErrorKind, QuadratError
from quadrat.gaze.actions.access import not_found
from quadrat.gaze.types import Recording
from quadrat.storage.blobs import BlobStore
from quadrat.storage.types import SignedMethod

SCENE = "scene.mp4"
_ADDRESS_LIFE = timedelta(hours=1)


def scene_key(folder: str) -> str:
    """The scene video of a recording, in the folder of its columns."""
    return f"{folder}/{SCENE}"


async def find_scene_bytes(blobs: BlobStore, recording: Recording) -> int | None:
    """The size of a recording's scene video; None without one."""
    if recording.blob is None:
        return None
    try:
        return (await blobs.head(scene_key(recording.blob))).size_bytes
    except QuadratError as error:
        if error.kind is not ErrorKind.NOT_FOUND:
            raise
        return None


async def address_of_file(blobs: BlobStore, recording: Recording, name: str, base_url: str) -> str:
    """Where a file of a recording can be read without a credential, in parts too, for an hour.

    Raises:
        QuadratError: not_found.
    """
    if name != SCENE or recording.blob is None or await find_scene_bytes(blobs, recording) is None:
        raise not_found("File", name)
    return await blobs.sign(SignedMethod.GET, scene_key(recording.blob), _ADDRESS_LIFE, base_url=base_url)
