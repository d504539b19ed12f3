"""An import from its archive to its rows: all is checked first, then all is written in one transaction."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from quadrat.db.locks import importing
from quadrat.objects.archive.reading import open_archive
from quadrat.objects.archive.types import Archive
from quadrat.objects.importing.check import LineCheck
from quadrat.objects.importing.gallery import Gallery
from quadrat.objects.importing.leftovers import remove_leftovers
from quadrat.objects.importing.load import Loading
from quadrat.objects.importing.rows import NewImage, RowFile
from quadrat.objects.importing.scan import ArchiveScan
from quadrat.objects.importing.types import (
    Answers,
    Imported,
    ImportOptions,
    MissingNames,
    Order,
    Problems,
    Scan,
    Workshop,
)
from quadrat.objects.rules.header import ColumnBook
from quadrat.objects.store import imports as store

_SCANNED_PERCENT = 75.0


MakeScan = Callable[[Archive, ColumnBook, frozenset[str]], Scan]


class ImportRefusedError(Exception):
    """Nothing was imported, and all that is wrong."""

    def __init__(self, problems: Problems) -> None:
        super().__init__(f"{problems.count} error(s) during run")
        self.problems = problems


class NamesMissingError(Exception):
    """Nothing was imported yet: somebody has to say which users and taxa are meant."""

    def __init__(self, missing: MissingNames) -> None:
        super().__init__("names are missing")
        self.missing = missing


async def run_import(workshop: Workshop, order: Order, make_scan: MakeScan | None = None) -> Imported:
    """Import an archive whole or not at all.

    Raises:
        ImportRefusedError: Mistakes; all of them are named.
        NamesMissingError: Nobody is known by some names.
        QuadratError: invalid for what is no archive, or not to be trusted.
    """
    project_id = order.place.project_id
    async with importing(workshop.db.dsn, project_id):
        await remove_leftovers(workshop.db, workshop.blobs, project_id)
        try:
            return await _run_alone(workshop, order, make_scan or _scan_index_files(order.options))
        except BaseException:
            # Shielded, because whoever cancels an import wants nothing of it to stay.
            await asyncio.shield(remove_leftovers(workshop.db, workshop.blobs, project_id))
            raise


def _scan_index_files(options: ImportOptions) -> MakeScan:
    return lambda archive, book, loaded: ArchiveScan(archive, book, options, loaded)


async def _run_alone(workshop: Workshop, order: Order, make_scan: MakeScan) -> Imported:
    await workshop.progress(0, "Reading the archive")
    archive = await asyncio.to_thread(open_archive, order.archive)
    async with workshop.db.begin() as tx:
        content = await store.read_content(tx, order.place.project_id)
    scan = make_scan(archive, content.book, content.loaded_files)
    check = LineCheck(workshop.db, order.place, order.options, content, order.answers, scan.problems)
    with TemporaryDirectory(prefix="quadrat-import-") as folder:
        rows = RowFile(Path(folder, "rows"))
        try:
            async with Gallery(workshop, order.place.project_id, scan.problems, with_tiff=scan.takes_tiff) as gallery:
                n_lines = await _check_all(workshop, scan, check, rows, gallery)
                await gallery.finish()
            _refuse_mistakes(scan, check, n_lines)
            if check.missing.users or check.missing.taxa:
                raise NamesMissingError(check.missing)
            loading = Loading(workshop, order, content.book, scan, gallery)
            await loading.write(rows)
        finally:
            rows.close()
    return Imported(rows.n_objects, rows.n_images, rows.n_updates)


async def _check_all(workshop: Workshop, scan: Scan, check: LineCheck, rows: RowFile, gallery: Gallery) -> int:
    """Read all lines and look at all images; the number of lines."""
    n_lines = 0
    blocks = scan.blocks()
    while block := await asyncio.to_thread(next, blocks, None):
        n_lines += len(block)
        checked = await check.check(block)
        rows.add([row for _, of_line in checked for row in of_line])
        may_store = not scan.problems and not any(check.missing)
        for line, of_line in checked:
            if any(isinstance(row, NewImage) for row in of_line):
                await gallery.add(line, store=may_store)
        done = scan.bytes_done / max(1, scan.bytes_total)
        await workshop.progress(_SCANNED_PERCENT * done, f"Checked {n_lines} lines")
    return n_lines


def _refuse_mistakes(scan: Scan, check: LineCheck, n_lines: int) -> None:
    if check.unknown_taxon_ids:
        unknown = ", ".join(str(id_) for id_ in sorted(check.unknown_taxon_ids))
        scan.problems.add(f"Some specified classif_id don't exist, correct them prior to reload: {unknown}")
    if n_lines == 0 and not scan.problems and not scan.passed_over:
        scan.problems.add(
            "No object to import: there is no line in a file that is called ecotaxa*.txt or ecotaxa*.tsv, and no image"
            if not scan.files
            else "No object to import: the index files have no lines"
        )
    if scan.problems:
        raise ImportRefusedError(scan.problems)


def merged_answers(replies: Mapping[str, Mapping[str, int]]) -> Answers:
    """What was answered so far."""
    return Answers(replies.get("users", {}), replies.get("taxa", {}))
