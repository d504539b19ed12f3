"""A folder or zip of images without any index file: each becomes an object, and all share what is said of them."""

from collections.abc import Iterator
from hashlib import md5

from quadrat.objects.archive.types import Archive
from quadrat.objects.importing.scan import BLOCK_LINES
from quadrat.objects.importing.types import FoundParents, Problems, ScannedLine
from quadrat.objects.rules.lines import Annotation, Line, Parent
from quadrat.objects.rules.simple import SameValues

_EXTENSIONS = (".png", ".jpg", ".jpeg", ".gif", ".tif", ".tiff")
_DUMMY = "__DUMMY_ID__"


class ImagesScan:
    """One pass over the images of an archive.

    Args:
        archive: What is imported.
        same: What all images share.
    """

    def __init__(self, archive: Archive, same: SameValues) -> None:
        self.takes_tiff = True
        self.problems = Problems()
        self.parents = FoundParents({_DUMMY: Parent(_DUMMY)}, {_DUMMY: (_DUMMY, Parent(_DUMMY), Parent(_DUMMY))})
        self._archive = archive
        self._same = same
        self._names = sorted(name for name in archive.names() if name.lower().endswith(_EXTENSIONS))
        self.files: list[str] = []
        self.passed_over: list[str] = []
        self.bytes_total = len(self._names)
        self.bytes_done = 0

    def blocks(self) -> Iterator[list[ScannedLine]]:
        """The images, in blocks."""
        for start in range(0, len(self._names), BLOCK_LINES):
            block = [self._line(name) for name in self._names[start : start + BLOCK_LINES]]
            self.bytes_done += len(block)
            yield block

    def _line(self, name: str) -> ScannedLine:
        object_id = md5(name.encode(), usedforsecurity=False).hexdigest()
        line = Line(object_id, name[-255:], None, self._same.columns, self._annotation(), [], [])
        return ScannedLine(name, 1, line, _DUMMY, _DUMMY, self._archive.find(name), None, None)

    def _annotation(self) -> Annotation | None:
        same = self._same
        if same.qualification is None or same.taxon is None:
            return None
        number = int(same.taxon) if same.taxon.isdecimal() else None
        taxon = None if number is not None else same.taxon
        return Annotation(same.qualification, number, taxon, same.at, same.person, None)
