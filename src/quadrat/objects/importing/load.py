"""The last step of an import: one transaction that writes everything."""

import asyncio
from collections.abc import Sequence

import numpy as np
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.errors import ErrorKind, QuadratError
from quadrat.objects.importing.copying import CopyLines
from quadrat.objects.importing.gallery import Gallery
from quadrat.objects.importing.rows import NewImage, NewObject, Row, RowFile, Update
from quadrat.objects.importing.scan import in_another_sample
from quadrat.objects.importing.types import Order, Scan, Workshop
from quadrat.objects.importing.updating import write_updates
from quadrat.objects.rules.header import ColumnBook
from quadrat.objects.store import clock
from quadrat.objects.store import imports as store
from quadrat.objects.types import ChangeKind

_BLOCK_ROWS = 5000
_CHECKED_PERCENT = 75.0


class Loading:
    """Writes what was checked.

    Args:
        workshop: With what.
        order: Into what.
        book: Free columns, new ones among them.
        scanned: What was found.
        gallery: The images.
    """

    def __init__(self, workshop: Workshop, order: Order, book: ColumnBook, scanned: Scan, gallery: Gallery) -> None:
        self._workshop = workshop
        self._place = order.place
        self._job_id = order.job_id
        self._book = book
        self._scanned = scanned
        self._gallery = gallery
        self._n_images = 0
        self._new_samples: list[str] = []

    async def write(self, rows: RowFile) -> None:
        """Write all, or nothing.

        Raises:
            QuadratError: not_found when the project is gone; wrong_state when an acquisition came into another sample
                meanwhile.
        """
        project_id = self._place.project_id
        async with self._workshop.db.begin() as tx:
            if not await store.has_project(tx, project_id):
                raise QuadratError(ErrorKind.NOT_FOUND, f"Project {project_id} does not exist any more.")
            number = await clock.tick(tx, project_id)
            await store.write_book(tx, project_id, self._book)
            if rows.n_objects or rows.n_images:
                await self._create(tx, rows, number)
            if rows.n_updates:
                await self._update(tx, rows, number)
            await store.add_loaded_files(tx, project_id, self._job_id, self._scanned.files)
            await store.drop_image_ranges(tx, project_id)

    async def _create(self, tx: AsyncConnection, rows: RowFile, number: int) -> None:
        """Write new objects and images."""
        samples, acquisitions = await self._add_parents(tx)
        first = await store.take_objects(tx, max(1, rows.n_objects))
        lines = CopyLines(self._place.project_id, samples, acquisitions, first)
        grown: set[int] = set()
        done = 0
        copying: asyncio.Task[None] | None = None
        try:
            for block in rows.blocks():
                # While PostgreSQL takes in the lines before.
                await asyncio.to_thread(self._format, lines, block, grown)
                done += len(block)
                if len(lines.objects) + len(lines.images) >= _BLOCK_ROWS:
                    if copying is not None:
                        await copying
                    copying = asyncio.create_task(_copy(tx, lines.take()))
                    share = done / max(1, rows.n_objects + rows.n_images)
                    percent = _CHECKED_PERCENT + (99 - _CHECKED_PERCENT) * share
                    await self._workshop.progress(percent, f"Wrote {done} rows")
        finally:
            if copying is not None:
                await copying
        await _copy(tx, lines.take())
        await store.add_counts(tx, self._place.project_id, lines.counts)
        found = self._scanned.parents
        await store.place_samples(tx, self._place.project_id, [samples[name] for name in found.samples])
        known = {samples[name]: found.positions[name] for name in self._new_samples if name in found.positions}
        await store.set_positions(tx, known)
        await self._note(tx, number, range(first, first + rows.n_objects), grown)

    async def _note(self, tx: AsyncConnection, number: int, made: range, grown: set[int]) -> None:
        """Say which objects are new, and which have only got more images."""
        kind = ChangeKind.ADDED if made else ChangeKind.CONTENT
        concerned = np.arange(made.start, made.stop) if made else np.array(sorted(grown), np.int64)
        await clock.note_change(tx, self._place.project_id, number, kind, concerned)

    def _format(self, lines: CopyLines, block: Sequence[Row], grown: set[int]) -> None:
        for row in block:
            if isinstance(row, NewObject):
                lines.add_object(row)
            elif isinstance(row, NewImage):
                index = self._n_images
                self._n_images += 1
                lines.add_image(row, self._gallery.image_id(index), self._gallery.seen(index))
                if row.object_id is not None:
                    grown.add(row.object_id)

    async def _add_parents(self, tx: AsyncConnection) -> tuple[dict[str, int], dict[str, int]]:
        """Numbers of all samples and acquisitions by name, new ones among them."""
        project_id = self._place.project_id
        content = await store.read_content(tx, project_id)
        found = self._scanned.parents
        samples = dict(content.samples)
        new_samples = {name: parent for name, parent in found.samples.items() if name not in samples}
        samples |= await store.add_samples(tx, project_id, new_samples)
        self._new_samples = list(new_samples)
        new = {}
        for name, (sample, parent, process) in found.acquisitions.items():
            known = content.acquisitions.get(name)
            if known is None:
                new[name] = (samples[sample], parent, process)
            elif known.sample != sample:
                raise QuadratError(ErrorKind.WRONG_STATE, in_another_sample(name, known.sample, sample))
        acquisitions = {name: known.id for name, known in content.acquisitions.items()}
        return samples, acquisitions | await store.add_acquisitions(tx, project_id, new)

    async def _update(self, tx: AsyncConnection, rows: RowFile, number: int) -> None:
        place = self._place
        for block in rows.blocks():
            updates = [row for row in block if isinstance(row, Update)]
            if updates:
                await write_updates(tx, place.project_id, number, updates, place.importer_id)
                number = await clock.tick(tx, place.project_id)


async def _copy(tx: AsyncConnection, lines: Sequence[Sequence[str]]) -> None:
    for statement, of_table in zip(store.COPIES, lines, strict=True):
        await store.copy_lines(tx, statement, of_table)
