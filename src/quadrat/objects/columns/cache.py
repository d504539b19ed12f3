"""The columns of all projects that this process holds: loaded when they are asked for, followed, let go.

PostgreSQL stays the truth. Before each query the project's clock is read, and what has changed since is fetched, so
that a query sees every change that was committed before it, whichever process made it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.db.engine import Database
from quadrat.errors import QuadratError
from quadrat.identity.types import ProjectId
from quadrat.objects.columns.files import ColumnFiles
from quadrat.objects.columns.locks import ReadWriteLock
from quadrat.objects.columns.rows import Rows
from quadrat.objects.frames.frame import Decisions, Frame, View
from quadrat.objects.frames.names import TaxonNames
from quadrat.objects.frames.sorting import Permutation
from quadrat.objects.frames.specs import (
    ACQUISITION,
    CORE,
    NO_DATE,
    NO_ID,
    NO_LETTER,
    NO_MOMENT,
    NO_TIME,
    SAMPLE,
    Array,
    Column,
    Form,
    Ids,
    Positions,
    Source,
)
from quadrat.objects.store import columns as store
from quadrat.objects.store.clock import ClockState, NotedChange, changes_after, read_clock
from quadrat.objects.types import ChangeKind

_log = structlog.get_logger(__name__)
Result = TypeVar("Result")

_CORE_BYTES_PER_OBJECT = 21
_FOLLOW_AFTER_S = 2.0
_DECIDED_AT_ONCE = 5_000
_MISSING: dict[Form, float] = {
    Form.ID: NO_ID,
    Form.RANK: NO_ID,
    Form.FLOAT: np.nan,
    Form.INTEGER: 0,
    Form.LETTER: NO_LETTER,
    Form.MOMENT: NO_MOMENT,
    Form.DATE: NO_DATE,
    Form.TIME: NO_TIME,
}


@dataclass(frozen=True, slots=True)
class Needs:
    """What a query reads beside the core.

    Args:
        columns: Which columns.
        annotations: Whether it asks who decided in the past.
    """

    columns: frozenset[Column] = frozenset()
    annotations: bool = False


@dataclass(frozen=True, slots=True)
class Places:
    """Where objects of one project belong.

    Args:
        project_id: The project.
        acquisition_ids: Of each object.
        sample_ids: Of each object.
    """

    project_id: ProjectId
    acquisition_ids: Array
    sample_ids: Array


class _Entry:
    """A project's frame with its lock; the frame is None until the first query."""

    def __init__(self) -> None:
        self.lock = ReadWriteLock()
        self.frame: Frame | None = None


class Reading:
    """What one query may do while it holds a project's columns."""

    def __init__(self, frame: Frame, view: View) -> None:
        self._frame = frame
        self.view = view

    def positions_of(self, object_ids: Ids) -> Positions:
        """Positions of the objects that are there."""
        return self._frame.positions_of(object_ids)

    def has_order(self, column: Column) -> bool:
        """Whether all objects have been sorted by the column, and nothing has changed since."""
        found = self._frame.permutations.get(column)
        return found is not None and found.is_clean

    def permutation(self, column: Column, key: Array) -> Array:
        """All objects in the order of a column. Call it in the thread that computes."""
        with self._frame.sorting:  # whoever comes meanwhile waits for the one order instead of making another
            found = self._frame.permutations.get(column)
            if found is None:
                found = self._frame.permutations.setdefault(column, Permutation(key))
        return found.order(key)


class ColumnCache:
    """Columns in memory within a budget.

    Args:
        db: To follow changes in the background.
        folder: For files of columns.
        budget_bytes: What all columns together may take; what was used longest ago goes first. Rows that lists have
            shown may take a quarter as much besides.
    """

    def __init__(self, db: Database, folder: Path, budget_bytes: int) -> None:
        self._db = db
        self._behind: set[ProjectId] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._files = ColumnFiles(folder)
        self._budget_bytes = budget_bytes
        self.rows = Rows(budget_bytes // 4)
        self.names: TaxonNames | None = None
        self._entries: dict[ProjectId, _Entry] = {}
        self._used: dict[tuple[ProjectId, Column], int] = {}
        self._uses = 0

    async def holds(self, tx: AsyncConnection, project_id: ProjectId) -> bool:
        """Whether the project is small enough to be held; if not, the database has to be asked."""
        entry = self._entries.get(project_id)
        if entry is not None and entry.frame is not None:
            return True
        n = await store.count_objects(tx, project_id)
        return n * _CORE_BYTES_PER_OBJECT <= self._budget_bytes

    @asynccontextmanager
    async def reading(
        self,
        tx: AsyncConnection,
        project_id: ProjectId,
        needs: Needs,
        *,
        before: int | None = None,
        clock: ClockState | None = None,
    ) -> AsyncIterator[Reading]:
        """The columns as they are for everyone who looks now, or newer; they do not change inside the block.

        Args:
            tx: Where to read; it may be the transaction that holds the project's clock.
            project_id: Whose objects.
            needs: What the query needs beside the core.
            before: The change that the transaction itself is about to make, once it holds the clock.
            clock: The project's, where it has just been read.
        """
        wanted, annotations = {*CORE, *needs.columns}, needs.annotations
        entry = self._entries.setdefault(project_id, _Entry())
        clock = clock or await read_clock(tx, project_id)
        if before is not None:
            clock = replace(clock, last=before - 1)
        while True:
            async with entry.lock.reading():
                frame = entry.frame
                if frame is not None and _is_ready(frame, clock, wanted, annotations=annotations):
                    self._touch(project_id, wanted)
                    yield Reading(frame, frame.view(wanted))
                    return
            async with entry.lock.writing():
                frame = await self._follow(tx, project_id, entry, clock)
                await self._complete(tx, project_id, frame, wanted, annotations=annotations)
                self._touch(project_id, wanted)
                self._shrink(project_id, wanted)

    def find_project(self, object_ids: Ids) -> ProjectId | None:
        """The held project that has, or lately had, all of the objects; who relies on it looks again."""
        for project_id, entry in self._entries.items():
            frame = entry.frame
            if frame is not None and len(object_ids) and len(frame.positions_of(object_ids)) == len(object_ids):
                return project_id
        return None

    async def find_places(self, tx: AsyncConnection, object_ids: Ids) -> Places | None:
        """Where objects belong, when one of the held projects has them all."""
        project_id = self.find_project(object_ids)
        if project_id is None:
            return None
        # Only what is still there once the project's changes have been followed counts.
        async with self.reading(tx, project_id, Needs()) as reading:
            view = reading.view
            at = reading.positions_of(object_ids)
            if len(at) < len(object_ids):
                return None
            return Places(project_id, view.values[ACQUISITION][at], view.values[SAMPLE][at])

    async def compute(self, work: Callable[[], Result]) -> Result:
        """Run what takes longer than a moment beside the event loop."""
        return await asyncio.to_thread(work)

    def on_change(self, payload: str) -> None:
        """Somebody changed a project; follow soon, where it is held, so that the notes do not run out."""
        project_id = ProjectId(int(payload))
        if project_id in self._entries and project_id not in self._behind:
            self._behind.add(project_id)
            self._begin(self._follow_soon(project_id), "columns-follow")

    def _begin(self, work: Coroutine[None, None, None], name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """End what runs in the background."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def decided(self, project_id: ProjectId, number: int, made: Decisions) -> None:
        """Decisions of this process have been committed: take them over soon, so that nobody has to read them.

        Whoever looks before that reads them; so does whoever looks where another change came between.

        Args:
            project_id: Where.
            number: Of the change.
            made: What it did.
        """
        entry = self._entries.get(project_id)
        if entry is not None and entry.frame is not None:
            self._begin(self._take_over(entry, number, made), "columns-decided")

    async def _take_over(self, entry: _Entry, number: int, made: Decisions) -> None:
        async with entry.lock.writing():
            frame = entry.frame
            if frame is None or frame.number != number - 1:
                return
            at_once = len(made.object_ids) <= _DECIDED_AT_ONCE
            if frame.decide(made) if at_once else await asyncio.to_thread(frame.decide, made):
                frame.number = number

    async def _follow_soon(self, project_id: ProjectId) -> None:
        await asyncio.sleep(_FOLLOW_AFTER_S)
        self._behind.discard(project_id)
        entry = self._entries.get(project_id)
        if entry is None or entry.frame is None:
            return
        try:
            async with self._db.begin() as tx:
                clock = await read_clock(tx, project_id)
                if clock.last - entry.frame.number > 1:
                    async with entry.lock.writing():
                        await self._follow(tx, project_id, entry, clock)
        except QuadratError:
            _log.warning("columns.not_followed", project_id=project_id)

    @property
    def nbytes(self) -> int:
        """Memory of all columns."""
        return sum(entry.frame.nbytes for entry in self._entries.values() if entry.frame is not None)

    async def _follow(self, tx: AsyncConnection, project_id: ProjectId, entry: _Entry, clock: ClockState) -> Frame:
        frame = entry.frame
        if frame is not None and frame.number >= clock.last:
            return frame
        if frame is not None and frame.number >= clock.horizon:
            changes = await changes_after(tx, project_id, frame.number)
            if changes is not None and not any(map(_needs_everything, changes)):
                await self._apply(tx, project_id, frame, changes, clock)
                return frame
        while True:
            object_ids, values = await store.load_core(tx, project_id)
            again = await read_clock(tx, project_id)
            if again.content == clock.content:
                break
            clock = replace(again, last=min(again.last, clock.last))
        entry.frame = await asyncio.to_thread(Frame, clock.last, clock.content, object_ids, values)
        _log.info("columns.loaded", project_id=project_id, objects=len(object_ids))
        return entry.frame

    async def _apply(
        self, tx: AsyncConnection, project_id: ProjectId, frame: Frame, changes: list[NotedChange], clock: ClockState
    ) -> None:
        removed = [change.object_ids for change in changes if change.kind is ChangeKind.REMOVED]
        named = [ids for ids in removed if ids is not None]
        if named:
            await asyncio.to_thread(frame.remove, np.unique(np.concatenate(named)), clock.content)
        if any(change.kind is ChangeKind.CONTENT for change in changes):
            frame.forget_content(clock.content)
        others = [change.object_ids for change in changes if change.kind is not ChangeKind.REMOVED]
        named = [ids for ids in others if ids is not None]
        if named:
            object_ids = np.unique(np.concatenate(named))
            found, values = await store.load_some(tx, project_id, object_ids, frame.state_columns())
            await asyncio.to_thread(frame.change_state, found, values)
            if frame.annotations is not None:
                pairs = await store.load_annotations(tx, project_id, object_ids)
                await asyncio.to_thread(frame.change_annotations, object_ids, pairs)
        frame.number = max(clock.last, changes[-1].number if changes else 0)

    async def _complete(
        self, tx: AsyncConnection, project_id: ProjectId, frame: Frame, wanted: set[Column], *, annotations: bool
    ) -> None:
        missing = [column for column in wanted if column not in frame.values]
        states = [column for column in missing if column.source is Source.STATE]
        if states:
            object_ids, values = await store.load(tx, project_id, states)
            for column in states:
                await asyncio.to_thread(frame.add, column, object_ids, values[column], missing=_MISSING[column.form])
        for column in missing:
            if column.source is not Source.STATE:
                await self._add_content(tx, project_id, frame, column)
        if annotations and frame.annotations is None:
            pairs = await store.load_annotations(tx, project_id, None)
            frame.annotations = await asyncio.to_thread(frame.annotations_from, *pairs)

    async def _add_content(self, tx: AsyncConnection, project_id: ProjectId, frame: Frame, column: Column) -> None:
        kept = await asyncio.to_thread(self._files.find, project_id, frame.content, column, len(frame.ids))
        if kept is not None:
            frame.values[column], texts = kept
        else:
            texts = None
            if column.form is Form.RANK:
                object_ids, values, texts = await store.load_ranks(tx, project_id, column)
            else:
                object_ids, loaded = await store.load(tx, project_id, [column])
                values = loaded[column]
            await asyncio.to_thread(frame.add, column, object_ids, values, missing=_MISSING[column.form])
            # Only what is known to belong to this content goes under its mark.
            if (await read_clock(tx, project_id)).content == frame.content:
                frame.values[column] = await asyncio.to_thread(
                    self._files.keep, project_id, frame.content, column, frame.values[column], texts
                )
        if texts is not None:
            frame.texts[column] = texts

    def _touch(self, project_id: ProjectId, columns: Iterable[Column]) -> None:
        self._uses += 1
        for column in columns:
            self._used[project_id, column] = self._uses

    def _shrink(self, project_id: ProjectId, wanted: set[Column]) -> None:
        """Let go what was used longest ago, until the rest fits; never what is needed now."""
        total = self.nbytes
        for id_, column in sorted(self._used, key=self._used.__getitem__):
            if total <= self._budget_bytes:
                return
            if id_ == project_id and column in wanted:
                continue
            del self._used[id_, column]
            entry = self._entries.get(id_)
            if entry is None or entry.frame is None:
                continue
            before = entry.frame.nbytes
            if column in CORE:
                if id_ == project_id:
                    continue
                entry.frame = None
                total -= before
            else:
                entry.frame.drop(column)
                total -= before - entry.frame.nbytes


def _needs_everything(change: NotedChange) -> bool:
    return change.object_ids is None or change.kind is ChangeKind.ADDED


def _is_ready(frame: Frame, clock: ClockState, wanted: set[Column], *, annotations: bool) -> bool:
    complete = all(column in frame.values for column in wanted)
    return complete and frame.number >= clock.last and (frame.annotations is not None or not annotations)
