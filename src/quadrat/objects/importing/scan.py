"""Reads the index files of an archive in blocks of lines, and finds what is wrong in each by itself."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack

from quadrat.objects.archive.types import Archive, refuse
from quadrat.objects.importing.extras import Extras, extras_for, open_extras
from quadrat.objects.importing.tsv import UnreadableTableError, read_rows
from quadrat.objects.importing.types import FoundParents, ImportOptions, Problems, ScannedLine
from quadrat.objects.rules.header import OBJECT_ID, ColumnBook, Header, Part, read_header
from quadrat.objects.rules.lines import LineReader, Parent, image_member, is_index

BLOCK_LINES = 500
MAX_INDEX_FILES = 2000
_DUMMY = "__DUMMY_ID__"
_MAX_ID = 255


class ArchiveScan:
    """One pass over an archive.

    Args:
        archive: What is imported.
        book: The free columns of the project; new ones are added.
        options: How it is imported.
        loaded: Names of index files that the project has.
    """

    def __init__(
        self, archive: Archive, book: ColumnBook, options: ImportOptions, loaded: Collection[str] = frozenset()
    ) -> None:
        self.takes_tiff = False
        self.problems = Problems()
        self.parents = FoundParents()
        self._archive = archive
        self._book = book
        self._options = options
        files = sorted(name for name in archive.names() if is_index(name))
        if len(files) > MAX_INDEX_FILES:
            raise refuse(f"The archive has {len(files)} index files, more than {MAX_INDEX_FILES}. Split it.")
        self.passed_over = [name for name in files if options.skip_loaded_files and name in loaded]
        self.files = [name for name in files if name not in set(self.passed_over)]
        self.has_index = bool(files)
        self.bytes_total = sum(self._size(name) for name in self.files)
        self.bytes_done = 0

    def blocks(self) -> Iterator[list[ScannedLine]]:
        """The lines without mistakes, in blocks."""
        block: list[ScannedLine] = []
        with ExitStack() as opened:
            # An update is about objects that are there, of which a backup knows what they once were.
            extras = {} if self._options.updates else open_extras(self._archive, self.problems)
            for each in extras.values():
                opened.callback(each.close)
                self.parents.positions |= each.head.samples
            for name in self.files:
                for line in self._lines(name, extras_for(name, extras)):
                    block.append(line)
                    if len(block) >= BLOCK_LINES:
                        yield block
                        block = []
                self.bytes_done += self._size(name)
        if block:
            yield block

    def _lines(self, name: str, extras: Extras | None) -> Iterator[ScannedLine]:
        place = self._archive.find(name)
        assert place is not None  # noqa: S101 - the archive gave the name
        rows = read_rows(place)
        try:
            first, second = next(rows, None), next(rows, None)
            if first is None or second is None:
                self.problems.add(f"Invalid Header: {name} has no two lines of names and types")
                return
            header, mistakes = read_header(first[1], second[1], self._book, needs_image=not self._options.updates)
            for mistake in mistakes:
                self.problems.add(f"{mistake} (in {name})")
            if not mistakes:
                file = _FileScan(self, name, header, self._options, self._archive, extras)
                yield from file.lines(rows)
        except UnreadableTableError as error:
            self.problems.add(f"{error} (in {name})")

    def _size(self, name: str) -> int:
        place = self._archive.find(name)
        return 0 if place is None else place.size_bytes


class _FileScan:
    def __init__(
        self,
        scan: ArchiveScan,
        name: str,
        header: Header,
        options: ImportOptions,
        archive: Archive,
        extras: Extras | None,
    ) -> None:
        self._problems = scan.problems
        self._parents = scan.parents
        self._name = name
        self._width = header.width
        self._updates = options.updates
        self._archive = archive
        self._extras = extras
        self._reader = LineReader(header, options.mappings)
        self._numbers_at = _unless_natural(self._reader.number_positions)
        self._texts_at = _unless_natural(self._reader.text_positions)
        self._seen: dict[tuple[str, str, str], tuple[str, str]] = {}

    def lines(self, rows: Iterator[tuple[int, Sequence[str]]]) -> Iterator[ScannedLine]:
        reader, width = self._reader, self._width
        for number, cells in rows:
            mistakes: list[str] = []
            if len(cells) != width:
                cells = _fitted(cells, width, mistakes)  # noqa: PLW2901 - the same line
            extra = None if self._extras is None else self._extras.find(reader.cell(cells, OBJECT_ID))
            line = reader.read(cells, mistakes, needs_image=extra is None or extra.has_image)
            place = None
            if line is not None and line.image and not self._updates:
                member = image_member(self._name, line.image)
                place = None if member is None else self._archive.find(member)
                if place is None:
                    mistakes.append(f"Missing Image '{line.image[:200]}'")
            sample, acquisition = self._parents_of(cells, mistakes)
            if mistakes or line is None:
                for mistake in mistakes:
                    self._problems.add(f"{mistake} in line {number} of {self._name}")
                continue
            yield ScannedLine(
                self._name,
                number,
                line,
                sample,
                acquisition,
                place,
                self._numbers_at,
                self._texts_at,
                extra,
            )

    def _parents_of(self, cells: Sequence[str], mistakes: list[str]) -> tuple[str, str]:
        """Names of the sample and the acquisition."""
        read = self._reader.cell
        key = (read(cells, "sample_id"), read(cells, "acq_id"), read(cells, "process_id"))
        known = self._seen.get(key)
        if known is None:
            known = self._add_parents(cells, mistakes)
            if not mistakes:
                self._seen[key] = known
        return known

    def _add_parents(self, cells: Sequence[str], mistakes: list[str]) -> tuple[str, str]:
        sample, acquisition, process = (
            self._reader.parent(cells, part) for part in (Part.SAMPLE, Part.ACQUISITION, Part.PROCESS)
        )
        sample_id = sample.orig_id or _dummy("")
        acquisition_id = acquisition.orig_id or _dummy(sample_id)
        mistakes += [
            f"Invalid {part}_id: more than {_MAX_ID} characters"
            for part, parent in ((Part.SAMPLE, sample), (Part.ACQUISITION, acquisition), (Part.PROCESS, process))
            if len(parent.orig_id) > _MAX_ID
        ]
        known = self._parents.acquisitions.get(acquisition_id)
        if known is not None and known[0] != sample_id:
            mistakes.append(in_another_sample(acquisition_id, known[0], sample_id))
        if not mistakes:
            self._parents.samples.setdefault(sample_id, sample)
            named = process if process.orig_id else Parent(_dummy(acquisition_id), process.fixed, process.free)
            self._parents.acquisitions.setdefault(acquisition_id, (sample_id, acquisition, named))
        return sample_id, acquisition_id


def in_another_sample(acquisition: str, known: str, sample: str) -> str:
    """The mistake of an acquisition under two samples."""
    return f"Acquisition '{acquisition}' is already in sample '{known}', so it cannot be in another sample, '{sample}'"


def _unless_natural(positions: list[int]) -> list[int] | None:
    return None if positions == list(range(len(positions))) else positions


def _fitted(cells: Sequence[str], width: int, mistakes: list[str]) -> Sequence[str]:
    if len(cells) < width:
        return [*cells, *[""] * (width - len(cells))]
    if any(cells[width:]):
        mistakes.append(f"Invalid line: {len(cells)} values under {width} columns")
    return cells[:width]


def _dummy(of: str) -> str:
    """The name of a parent that its lab did not name: always the same, so that a second import finds it."""
    return f"{_DUMMY}{of}"[:_MAX_ID]
