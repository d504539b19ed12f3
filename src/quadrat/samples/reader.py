"""Looks into the full image of a sample and keeps what it finds. Safe to repeat."""

import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from quadrat.db.engine import Database
from quadrat.errors import ErrorKind, QuadratError
from quadrat.imaging.pool import DecoderPool
from quadrat.imaging.types import Picture, UndecodableError
from quadrat.samples.rules.common import this_moment
from quadrat.samples.rules.samples import blob_key, encode_document
from quadrat.samples.store import images as store
from quadrat.samples.types import DatasetId, Facts, Rendition, SampleId, StoredImage
from quadrat.storage import disk
from quadrat.storage.blobs import BlobStore
from quadrat.storage.references import References, is_bucket, path_of
from quadrat.storage.types import BlobFacts

_THUMBNAIL_TYPE = "image/webp"


@dataclass(frozen=True, slots=True)
class Found:
    """What one look into an image has brought.

    Args:
        sample_id: Whose image.
        facts: About the bytes that were looked into.
        thumbnail: A WebP; None for bytes that show no picture.
    """

    sample_id: SampleId
    facts: Facts
    thumbnail: bytes | None


class ImageReader:
    """Reads images one after the other or several at a time; nothing is kept between two of them.

    Args:
        db: Where samples are.
        blobs: Where their bytes are.
        references: Reads those that were imported without a copy.
        decoders: Decode them.
    """

    def __init__(self, db: Database, blobs: BlobStore, references: References, decoders: DecoderPool) -> None:
        self._db = db
        self._blobs = blobs
        self._references = references
        self._decoders = decoders

    @property
    def at_a_time(self) -> int:
        """How many images to look into at the same time, so that no decoder waits for its next."""
        return 2 * self._decoders.processes

    async def read(self, dataset_id: DatasetId, sample_id: SampleId, etag: str, location: str | None) -> str | None:
        """Look into one image and keep what is found: `look`, then `keep`.

        Returns:
            Why it shows no picture; None when all is well.

        Raises:
            QuadratError: unavailable.
        """
        found = await self.look(dataset_id, sample_id, etag, location)
        await self.keep(dataset_id, [found])
        return found.facts.problem

    async def look(self, dataset_id: DatasetId, sample_id: SampleId, etag: str, location: str | None) -> Found:
        """Look into one image.

        Args:
            dataset_id: Of the sample.
            sample_id: Whose image.
            etag: Of the bytes as the database knows them: what is found in other bytes is not kept.
            location: Where the bytes lie when they are not in the store.

        Raises:
            QuadratError: unavailable.
        """
        try:
            async with self._file_of(dataset_id, sample_id, location) as path:
                if location is None and self._blobs.local_root is not None:
                    etag = await self._etag_of(path, sample_id, etag)
                size_bytes = _facts_of(path).size_bytes
                picture = await self._decoders.read(path)
        except UndecodableError as error:
            return Found(sample_id, Facts(etag, problem=str(error)), None)
        return Found(sample_id, _facts(etag, size_bytes, picture), picture.thumbnail)

    async def _etag_of(self, path: Path, sample_id: SampleId, etag: str) -> str:
        """The entity tag as the database knows it of what lies there.

        Raises:
            QuadratError: unavailable, while one of them is ahead of the other.
        """
        if _facts_of(path).etag == etag:
            return etag
        # Replaced since; or about to be, for files follow the database by a moment.
        async with self._db.look() as tx:
            known = await store.find_full(tx, sample_id)
        if known is None or _facts_of(path).etag != known[0]:
            raise QuadratError(ErrorKind.UNAVAILABLE, "Other bytes of this image are about to be in its place.")
        return known[0]

    async def keep(self, dataset_id: DatasetId, found: Sequence[Found]) -> None:
        """Keep what was found in images of a dataset, unless other bytes have come meanwhile.

        Raises:
            QuadratError: unavailable.
        """
        if found:
            shown = {one.sample_id: one.thumbnail for one in found if one.thumbnail is not None}
            keys = [blob_key(dataset_id, id_, Rendition.MADE_THUMBNAIL) for id_ in shown]
            put = dict(
                zip(shown, await self._blobs.put_many(list(zip(keys, shown.values(), strict=True))), strict=True)
            )
            made_at = this_moment()
            thumbnails = {
                id_: StoredImage(facts.size_bytes, facts.etag, _THUMBNAIL_TYPE, made_at) for id_, facts in put.items()
            }
            rows = [(one.sample_id, one.facts, thumbnails.get(one.sample_id)) for one in found]
            async with self._db.begin() as tx:
                await store.keep_facts(tx, dataset_id, rows, this_moment())

    @asynccontextmanager
    async def _file_of(self, dataset_id: DatasetId, sample_id: SampleId, location: str | None) -> AsyncIterator[Path]:
        key = blob_key(dataset_id, sample_id, Rendition.FULL)
        root = self._blobs.local_root
        path = root / key if root is not None and location is None else None
        if location is not None and not is_bucket(location):
            path = path_of(location)
        if path is not None:
            # Replaced in one step when new bytes come; what is open stays as it was.
            yield path
            return
        with tempfile.TemporaryDirectory(prefix="quadrat-image-") as folder:
            copy = Path(folder) / "image"
            if location is None:
                await self._blobs.fetch_to(key, copy)
            else:
                await self._references.fetch_to(location, copy)
            yield copy


def _facts_of(path: Path) -> BlobFacts:
    try:
        return disk.facts_of(str(path))
    except OSError as error:
        reason = error.strerror or str(error)
        raise QuadratError(ErrorKind.UNAVAILABLE, f"The file of this picture cannot be read: {reason}.") from error


def _facts(etag: str, size_bytes: int, picture: Picture) -> Facts:
    numbers = picture.measures
    metadata = {
        "sizeInBytes": size_bytes,
        "shape": list(numbers.shape),
        "mean": list(numbers.mean),
        "std": list(numbers.std),
        "sumOfValues": list(numbers.sum_of_values),
        "sumOfSquares": list(numbers.sum_of_squares),
        "snr": numbers.snr,
        "sharpness": numbers.sharpness,
        "luminance": numbers.luminance,
        "uniformRowRatio": numbers.uniform_row_ratio,
    }
    return Facts(
        etag=etag,
        sha256=picture.sha256,
        perceptual_hash=picture.perceptual_hash,
        size_px=(picture.width_px, picture.height_px),
        format=picture.format,
        bit_depth=picture.bit_depth,
        channels=picture.channels,
        metadata=encode_document(metadata, "metadata"),
        exif=encode_document(picture.exif, "exif"),
    )
