"""What a backup adds about its objects, spooled until the tables are written."""

import tempfile
from collections.abc import Iterator, Sequence
from typing import cast

from quadrat.objects.exporting.table import LineImage
from quadrat.objects.rules.extras import Extra, Letter, Past, Predicted, encode, head
from quadrat.objects.store.backups import KeptObject, KeptPast
from quadrat.objects.store.exports import ImageRow, SampleRow

_PIECE_BYTES = 1024 * 1024


class ExtraBook:
    """Lines of JSON on disk, in the order of the objects.

    Args:
        samples: Of the project.
    """

    def __init__(self, samples: Sequence[SampleRow]) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        self._file.write(
            encode(head({row.orig_id: (row.latitude, row.longitude) for row in sorted(samples, key=_name)}))
        )

    def add(self, kept: KeptObject, images: Sequence[ImageRow], lines: Sequence[LineImage]) -> None:
        """One object.

        Args:
            kept: What is known of it.
            images: All that it has.
            lines: Its images as its lines name them.
        """
        shown = {line.rank: line.path for line in lines}
        extra = Extra(
            object_id=kept.orig_id,
            has_image=bool(images),
            time=kept.time if kept.time is not None and kept.time.microsecond else None,
            complement=kept.complement,
            decided_at=kept.decided_at,
            predicted=_predicted(kept),
            past=tuple(_past(each) for each in kept.past),
            image_names={image.rank: image.file_name for image in images if image.file_name != shown.get(image.rank)},
        )
        self._file.write(encode(extra))

    def pieces(self) -> Iterator[bytes]:
        """All lines."""
        self._file.seek(0)
        while piece := self._file.read(_PIECE_BYTES):
            yield piece

    def close(self) -> None:
        """Nothing more comes."""
        self._file.close()


def _name(sample: SampleRow) -> str:
    return sample.orig_id


def _predicted(kept: KeptObject) -> Predicted | None:
    if kept.predicted_taxon_id is None:
        return None
    guesses = tuple(zip(kept.guessed_taxa or (), kept.guessed_scores or (), strict=True))
    return Predicted(kept.predicted_taxon_id, kept.predicted_score, kept.predicted_at, guesses)


def _past(kept: KeptPast) -> Past:
    return Past(cast("Letter", kept.state), kept.taxon_id, kept.entered_at, kept.author, kept.score)
