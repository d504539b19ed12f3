"""Copies of exports in a folder of the operator's, from where others fetch them."""

import asyncio
import contextlib
from pathlib import Path

from quadrat.errors import ErrorKind, QuadratError
from quadrat.storage.blobs import BlobStore
from quadrat.storage.full import disk_full, is_disk_full


async def deliver(blobs: BlobStore, key: str, target: Path) -> None:
    """Copy bytes of the store to a file, which is there whole or not at all.

    Raises:
        QuadratError: unavailable where the disk is full; invalid where the folder cannot be written to.
    """
    # Always the same name for one target, so that a second run writes over what a lost one has left.
    part = target.with_name(f".{target.name}.part")
    try:
        await blobs.fetch_to(key, part)
        await asyncio.to_thread(part.replace, target)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        if is_disk_full(error):
            raise disk_full() from error
        raise QuadratError(
            ErrorKind.INVALID,
            f"The copy cannot be written to {target.parent}: {error.strerror}. QUADRAT_EXPORT_DIR has to name a folder "
            "that the server may write to.",
        ) from error
