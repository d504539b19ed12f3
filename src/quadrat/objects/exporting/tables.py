"""An export of tables and images as one zip: lines in blocks from one snapshot, then the images, then the log."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.errors import ErrorKind, QuadratError
from quadrat.objects.exporting.extras import ExtraBook
from quadrat.objects.exporting.images import ImageBook, WantedImage
from quadrat.objects.exporting.table import Catalog, LineImage, TableWriter
from quadrat.objects.exporting.types import Exporter, ExportOrder, Images, Layout, Put, Split, TablePlan, file_of
from quadrat.objects.exporting.zip import ZipStream
from quadrat.objects.frames.specs import TAXON, Ids, Positions
from quadrat.objects.rules.export_names import NO_CATEGORY, distinct, safe_folder, taxon_folder
from quadrat.objects.rules.extras import NAME as EXTRAS
from quadrat.objects.rules.filters import read_filters
from quadrat.objects.store import exports as store
from quadrat.objects.store.backups import KeptObject, read_kept
from quadrat.objects.store.exports import Block, ImageRow
from quadrat.objects.store.filters import look_up
from quadrat.objects.store.projects import free_columns

_BLOCK_OBJECTS = 2000
_RANKED_AT_A_TIME = 100_000
_BATCH_IMAGES = 64
_BATCH_BYTES = 8 * 1024 * 1024
_MOST_NAMED = 20
_Step = Callable[[], bytes]
_OWNER = {Split.ACQUISITION: "acquisition_id", Split.TAXON: "taxon_id"}


@dataclass(frozen=True, slots=True)
class _Objects:
    """Objects in the order of their lines.

    Args:
        ids: Their numbers.
        groups: The owner by which each is put into a table; None where there is one table only.
        names: Of the tables, by owner; 0 where there is one only.
    """

    ids: Ids
    groups: Ids | None
    names: dict[int, str]


class _Found(NamedTuple):
    """A block of objects, with their images, and what is kept of them besides, by number."""

    block: Block
    images: Mapping[int, Sequence[ImageRow]]
    kept: Mapping[int, KeptObject]


class TableExport:
    """One export.

    Args:
        exporter: With what it works.
        order: What is exported.
        plan: How it is written.
    """

    def __init__(self, exporter: Exporter, order: ExportOrder, plan: TablePlan) -> None:
        self._exporter = exporter
        self._order = order
        self._plan = plan
        self._base = file_of(plan, order.project_id, order.at).name.removesuffix(".zip")
        self._zip = ZipStream(order.at)
        self._book = ImageBook(plan, order.project_id)
        self._extras: ExtraBook | None = None
        self._group: int | None = None
        self._n_lines = 0
        self._steps: list[_Step] = []
        # One thread for each of the two, because each thread keeps memory of its own.
        self._writing, self._packing = ThreadPoolExecutor(1), ThreadPoolExecutor(1)

    async def write(self, put: Put) -> int:
        """Hand out the bytes of the zip; how many lines there are."""
        with closing(self._zip), closing(self._book), self._writing, self._packing, ExitStack() as opened:
            async with self._exporter.db.snapshot() as tx:
                await self._write_tables(tx, put, opened)
            await self._write_extras(put)
            await self._write_images(put)
            await self._exporter.log(f"{self._n_lines} lines and {self._book.count} images exported")
            await put(await self._log())
            for piece in self._zip.finish():
                await put(piece)
        return self._n_lines

    async def _log(self) -> bytes:
        text = (await self._order.read_log()).encode()
        return self._zip.begin(self._order.log_name, deflate=True) + self._zip.write(text) + self._zip.end()

    # Tables.

    async def _write_tables(self, tx: AsyncConnection, put: Put, opened: ExitStack) -> None:
        order = self._order
        conditions = read_filters(order.filters)
        selection = await look_up(tx, order.project_id, conditions, order.user_id)
        catalog = await self._catalog(tx)
        owner = _OWNER.get(self._plan.split, "sample_id")
        selected = await store.list_selected(tx, selection, owner)
        await store.read_blocks_alone(tx)
        objects = await asyncio.get_running_loop().run_in_executor(self._writing, self._sorted, *selected, catalog)
        del selected
        self._book.taxa = {row.id: taxon_folder(row.display_name) for row in catalog.taxa}
        writer = TableWriter(self._plan, catalog)
        if self._plan.extras and len(objects.ids):
            self._extras = opened.enter_context(closing(ExtraBook(catalog.samples)))
        if not len(objects.ids) and self._plan.split is Split.NONE:
            self._begin_table(writer, 0, self._base)
        await self._write_blocks(tx, writer, objects, put)
        if self._group is not None:
            self._steps.append(self._zip.end)
        await self._pack(self._taken(), put)

    async def _write_blocks(self, tx: AsyncConnection, writer: TableWriter, objects: _Objects, put: Put) -> None:
        """Three things at a time: PostgreSQL packs a block, the one before becomes text, the one before that a zip."""
        loop = asyncio.get_running_loop()
        n = len(objects.ids)
        share = 30 if self._plan.with_bytes else 98
        fetching = asyncio.create_task(self._fetch(tx, objects, 0, writer))
        packing = asyncio.create_task(self._pack([], put))
        try:
            for start in range(0, n, _BLOCK_OBJECTS):
                found = await fetching
                fetching = asyncio.create_task(self._fetch(tx, objects, start + _BLOCK_OBJECTS, writer))
                await loop.run_in_executor(self._writing, self._format, writer, objects, start, found)
                await packing
                packing = asyncio.create_task(self._pack(self._taken(), put))
                done = min(n, start + _BLOCK_OBJECTS)
                await self._exporter.progress(share * done / n, f"Wrote {done} of {n} objects")
            await packing
        finally:
            fetching.cancel()
            packing.cancel()
            await asyncio.gather(fetching, packing, return_exceptions=True)

    def _taken(self) -> list[_Step]:
        steps, self._steps = self._steps, []
        return steps

    async def _pack(self, steps: Sequence[_Step], put: Put) -> None:
        loop = asyncio.get_running_loop()
        for step in steps:
            await put(await loop.run_in_executor(self._packing, step))

    async def _catalog(self, tx: AsyncConnection) -> Catalog:
        project_id = self._order.project_id
        taxa = await store.list_used_taxa(tx, project_id, predicted=self._plan.internal_ids)
        return Catalog(
            await store.list_samples(tx, project_id),
            await store.list_acquisitions(tx, project_id),
            await store.list_taxa(tx, taxa),
            await store.list_authors(tx, project_id),
            await free_columns(tx, project_id),
        )

    def _sorted(self, ids: Ids, owners: Ids, catalog: Catalog) -> _Objects:
        """By the name of what splits them, else of their sample; then by number."""
        split = self._plan.split
        named = {
            Split.ACQUISITION: [(row.id, row.orig_id) for row in catalog.acquisitions],
            Split.TAXON: [(row.id, row.display_name) for row in catalog.taxa],
        }.get(split, [(row.id, row.orig_id) for row in catalog.samples])
        named.sort(key=lambda pair: (pair[1], pair[0]))
        ranks = _ranks(owners, [id_ for id_, _ in named])
        # The numbers rise already, and equals keep their order.
        in_order = (ranks[1:] >= ranks[:-1]).all()
        order: Positions | slice = slice(None) if in_order else np.argsort(ranks, kind="stable")
        if split is Split.NONE:
            return _Objects(ids[order], None, {0: self._base})
        clean = taxon_folder if split is Split.TAXON else safe_folder
        there = set(np.unique(ranks).tolist())
        kept = [(id_, clean(name)) for place, (id_, name) in enumerate(named) if place in there]
        names = distinct([*kept, (-1, NO_CATEGORY)])
        return _Objects(ids[order], owners[order], names)

    async def _fetch(self, tx: AsyncConnection, objects: _Objects, start: int, writer: TableWriter) -> _Found:
        ids = np.sort(objects.ids[start : start + _BLOCK_OBJECTS])
        block = await store.read_block(tx, self._order.project_id, ids, writer.needs)
        images: dict[int, list[ImageRow]] = {}
        if self._plan.images is not Images.NONE:
            for image in await store.list_images(tx, ids):
                images.setdefault(image.object_id, []).append(image)
        return _Found(block, images, await read_kept(tx, ids) if self._plan.extras else {})

    def _format(self, writer: TableWriter, objects: _Objects, start: int, found: _Found) -> None:
        """The text of one block, which may go into several tables."""
        ids = objects.ids[start : start + _BLOCK_OBJECTS]
        groups = np.zeros(len(ids), np.int64) if objects.groups is None else objects.groups[start : start + len(ids)]
        frame = writer.read(found.block)
        bounds = [0, *(np.flatnonzero(np.diff(groups)) + 1).tolist(), len(ids)]
        for first, last in pairwise(bounds):
            group = int(groups[first])
            if group != self._group:
                self._begin_table(writer, group, objects.names[group])
            at = np.searchsorted(found.block.ids, ids[first:last])
            named: list[LineImage] = []
            if self._plan.images is not Images.NONE:
                taxa = found.block.values[TAXON][at].tolist()
                of_each = [
                    self._lines_of(id_, taxon, found) for id_, taxon in zip(ids[first:last].tolist(), taxa, strict=True)
                ]
                at = np.repeat(at, [len(lines) for lines in of_each])
                named = [image for lines in of_each for image in lines]
            self._steps.append(partial(self._zip.write, writer.lines(frame, at, named)))
            self._n_lines += len(at)

    def _lines_of(self, object_id: int, taxon_id: int, found: _Found) -> Sequence[LineImage]:
        """The images of an object, one for each of its lines."""
        images = found.images.get(object_id, ())
        lines = self._book.take(taxon_id, images)
        if self._extras is not None:
            self._extras.add(found.kept[object_id], images, lines)
        return lines

    def _begin_table(self, writer: TableWriter, group: int, name: str) -> None:
        if self._group is not None:
            self._steps.append(self._zip.end)
        self._group = group
        path = f"ecotaxa_{name}.tsv"
        if self._plan.layout is Layout.FOLDERS:
            path = f"{name}/{path}"
        self._book.begin(name, path)
        self._steps += [partial(self._zip.begin, path, deflate=True), partial(self._zip.write, writer.header())]

    # What tables have no columns for.

    async def _write_extras(self, put: Put) -> None:
        if self._extras is None:
            return
        await put(self._zip.begin(EXTRAS, deflate=True))
        for piece in self._extras.pieces():
            await put(await asyncio.to_thread(self._zip.write, piece))
        await put(self._zip.end())

    # Images.

    async def _write_images(self, put: Put) -> None:
        missing: list[str] = []
        done, total = 0, self._book.total_bytes
        for batch in self._book.batches(_BATCH_IMAGES, _BATCH_BYTES):
            if batch[0].size_bytes > _BATCH_BYTES:
                await self._write_large(batch[0], put, missing)
            else:
                contents = await self._read(batch)
                for image, content in zip(batch, contents, strict=True):
                    if content is None:
                        missing.append(image.path)
                    else:
                        await put(self._zip.store(image.path, content))
            done += sum(image.size_bytes for image in batch)
            await self._exporter.progress(30 + 68 * done / max(1, total), "Adding images")
        if missing:
            names = ", ".join(missing[:_MOST_NAMED])
            await self._exporter.log(f"{len(missing)} images are not in the store and not in the archive: {names}")

    async def _write_large(self, image: WantedImage, put: Put, missing: list[str]) -> None:
        try:
            reader = await self._exporter.blobs.open(image.key)
        except QuadratError as error:
            if error.kind is not ErrorKind.NOT_FOUND:
                raise
            missing.append(image.path)
            return
        await put(self._zip.begin(image.path, deflate=False))
        async for chunk in reader.chunks:
            await put(self._zip.write(chunk))
        await put(self._zip.end())

    async def _read(self, batch: Sequence[WantedImage]) -> list[bytes | None]:
        """The bytes of images; None for one that is not there."""
        root = self._exporter.blobs.local_root
        if root is not None:
            return await asyncio.to_thread(lambda: [_read_file(root / image.key) for image in batch])
        return await asyncio.gather(*(self._read_blob(image) for image in batch))

    async def _read_blob(self, image: WantedImage) -> bytes | None:
        try:
            return await self._exporter.blobs.read(image.key, max_bytes=_BATCH_BYTES)
        except QuadratError as error:
            if error.kind is not ErrorKind.NOT_FOUND:
                raise
            return None


def _ranks(owners: Ids, in_order: Sequence[int]) -> npt.NDArray[np.int32]:
    """The place of each owner in an order; what has none comes last."""
    last = len(in_order)
    numbers = np.array([-1, *in_order], np.int64)
    places = np.array([last, *range(last)], np.int32)
    rising = np.argsort(numbers)
    numbers, places = numbers[rising], places[rising]
    ranks = np.empty(len(owners), np.int32)
    # In pieces, so that the memory in between stays small.
    for start in range(0, len(owners), _RANKED_AT_A_TIME):
        part = owners[start : start + _RANKED_AT_A_TIME]
        at = np.minimum(np.searchsorted(numbers, part), last)
        ranks[start : start + len(part)] = np.where(numbers[at] == part, places[at], last)
    return ranks


def _read_file(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
