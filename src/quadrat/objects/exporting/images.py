"""The images of an export: what they are called in the archive, and which bytes have to go there."""

import tempfile
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from quadrat.identity.types import ProjectId
from quadrat.objects.exporting.table import LineImage
from quadrat.objects.exporting.types import Images, Layout, TablePlan
from quadrat.objects.rules.export_names import NO_CATEGORY, FileNames, safe_path
from quadrat.objects.rules.images import file_name_of, image_key
from quadrat.objects.store.exports import ImageRow
from quadrat.objects.types import ImageId

_NO_IMAGE = LineImage(None, None)


class WantedImage(NamedTuple):
    """An image whose bytes are to be in the archive.

    Args:
        key: Where they are.
        path: Of the member.
        size_bytes: How many there are.
    """

    key: str
    path: str
    size_bytes: int


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(WantedImage)


class ImageBook:
    """Names images as their lines are written, and keeps on disk what has to follow.

    Args:
        plan: Which images, and where they stand.
        project_id: Whose they are.
    """

    def __init__(self, plan: TablePlan, project_id: ProjectId) -> None:
        self.taxa: dict[int, str] = {}
        self.count = 0
        self.total_bytes = 0
        self._plan = plan
        self._project_id = project_id
        self._names = FileNames()
        self._folder = ""
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`

    def begin(self, folder: str, table: str) -> None:
        """A table begins; its images go into a folder of its own.

        Args:
            folder: Its name.
            table: Path of the table.
        """
        self._folder = folder
        self._names.begin(table)

    def take(self, taxon_id: int, images: Sequence[ImageRow]) -> Sequence[LineImage]:
        """The images of an object, one for each of its lines.

        Args:
            taxon_id: What it is in; -1 for nothing.
            images: All that it has, by rank.
        """
        if self._plan.images is Images.FIRST:
            images = images[:1]
        return [self._take(taxon_id, image) for image in images] or [_NO_IMAGE]

    def _take(self, taxon_id: int, image: ImageRow) -> LineImage:
        path = shown = self._path(taxon_id, image)
        if self._plan.layout is Layout.FOLDERS:
            shown = path.removeprefix(f"{self._folder}/")
        if self._plan.with_bytes:
            key = image_key(self._project_id, ImageId(image.id), image.extension)
            self._file.write(_encoder.encode(WantedImage(key, path, image.size_bytes)) + b"\n")
            self.count += 1
            self.total_bytes += image.size_bytes
        return LineImage(shown, image.rank)

    def _path(self, taxon_id: int, image: ImageRow) -> str:
        if self._plan.layout is Layout.TAXA:
            folder = NO_CATEGORY if taxon_id < 0 else f"{self.taxa.get(taxon_id, '')}__{taxon_id}"
            return f"images/{folder}/{image.object_id}_{image.rank}{image.extension}"
        name = file_name_of(image.file_name, image.extension)
        return self._names.take(self._folder, safe_path(name), image.rank, image.object_id)

    def batches(self, most: int, most_bytes: int) -> Iterator[list[WantedImage]]:
        """What has to follow, in the order of the lines; one that is larger than a batch may be comes alone."""
        self._file.seek(0)
        batch: list[WantedImage] = []
        size = 0
        for line in self._file:
            image = _decoder.decode(line)
            if batch and (len(batch) == most or size + image.size_bytes > most_bytes):
                yield batch
                batch, size = [], 0
            batch.append(image)
            size += image.size_bytes
        if batch:
            yield batch

    def close(self) -> None:
        """Nothing more is asked."""
        self._file.close()
