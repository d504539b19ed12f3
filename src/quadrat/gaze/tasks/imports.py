"""The job that imports gaze files."""

import asyncio
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from quadrat.errors import ErrorKind, QuadratError
from quadrat.gaze.actions.access import not_found
from quadrat.gaze.actions.imports import Incoming, store_recordings
from quadrat.gaze.actions.videos import scene_key
from quadrat.gaze.formats.archives import clean, unpack
from quadrat.gaze.formats.assemble import assemble, start_warning
from quadrat.gaze.formats.columns import DTYPES
from quadrat.gaze.formats.parsed import FileSet, GivenFacts, ParsedRecording
from quadrat.gaze.formats.reader import ImportReader
from quadrat.gaze.store import enrichments as store
from quadrat.gaze.tasks.resources import GazeResources
from quadrat.gaze.types import ImportedRecording
from quadrat.identity.store.projects import get_project
from quadrat.identity.types import OrganizationId
from quadrat.jobs import store as job_store
from quadrat.jobs.registry import JobContext

_BYTES_PER_ROW = 120
_LOOK_S = 0.5
_READING_SHARE = 80.0


class _StoppedError(Exception):
    """Ends the thread of an import that is not wanted any more."""


async def import_files(context: JobContext[GazeResources], params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Read uploaded files and store what they hold, all or nothing. Safe to run twice.

    A refusal is a result like any other (``{"refused": ...}``): whoever waits for the job tells it with its kind.
    """
    if context.job.result:
        # The run before this one was lost after its transaction.
        return context.job.result
    blobs = context.resources.blobs
    scratch = Path(tempfile.gettempdir()) / f"quadrat-import-{context.job.uuid.hex}"
    target = f"gaze/data/{context.job.uuid.hex}"
    await asyncio.to_thread(clean, scratch)
    scratch.mkdir(mode=0o700)
    await blobs.delete_prefix(target)
    stored = False
    try:
        parsed = await _Reading(context, params, scratch).parse()
        await _upload(context, parsed, target)
        result = await _store(context, params, parsed, target)
        stored = True
    except QuadratError as error:
        if error.kind is ErrorKind.UNAVAILABLE:
            raise
        return {"refused": {"kind": error.kind.value, "message": error.message, "field": error.field}}
    finally:
        await asyncio.to_thread(clean, scratch)
        if not stored:
            await blobs.delete_prefix(target)
    await blobs.delete_prefix(str(params["folder"]))
    return result


class _Reading:
    """Reads in a thread, and tells how far it is."""

    def __init__(self, context: JobContext[GazeResources], params: Mapping[str, Any], scratch: Path) -> None:
        self._context = context
        self._params = params
        self._scratch = scratch
        self._stop = threading.Event()
        self._rows = 0
        self._total_bytes = 1

    async def parse(self) -> list[ParsedRecording]:
        paths: dict[str, Path] = {}
        for part in self._params["files"]:
            paths[part] = self._scratch / part
            await self._context.resources.blobs.fetch_to(f"{self._params['folder']}/{part}", paths[part])
        self._total_bytes = sum(path.stat().st_size for path in paths.values()) or 1
        return await self._in_thread(lambda: self._parse(paths))

    async def _in_thread(self, work: Callable[[], list[ParsedRecording]]) -> list[ParsedRecording]:
        task = asyncio.ensure_future(asyncio.to_thread(work))
        try:
            while not (await asyncio.wait({task}, timeout=_LOOK_S))[0]:
                share = min(1.0, self._rows * _BYTES_PER_ROW / self._total_bytes)
                await self._context.progress(_READING_SHARE * share, f"{self._rows} rows read")
        except BaseException:
            # The thread has to end before its folder goes.
            self._stop.set()
            await asyncio.wait({task})
            raise
        return task.result()

    def _progress(self, rows: int) -> None:
        self._rows = rows
        if self._stop.is_set():
            raise _StoppedError

    def _parse(self, paths: Mapping[str, Path]) -> list[ParsedRecording]:
        given = _given(self._params["given"])
        names = dict(self._params["files"])
        if "archive" in paths:
            sets = unpack(paths["archive"], self._scratch / "unpacked", int(self._params["max_bytes"]))
        else:
            sets = [FileSet(paths, names)]
        found: list[ParsedRecording] = []
        for number, files in enumerate(sets):
            folder = self._scratch / f"set-{number}"
            folder.mkdir()
            reader = ImportReader(files, given if len(sets) == 1 else _shared(given), folder, self._progress)
            reader.read()
            found += assemble(reader, given if len(sets) == 1 else _shared(given), folder)
        _check(found)
        return found


def _given(texts: Mapping[str, str]) -> GivenFacts:
    return GivenFacts(
        name=texts.get("name"),
        start_ns=int(texts["start_time_ns"]) if "start_time_ns" in texts else None,
        duration_ns=int(texts["duration_ns"]) if "duration_ns" in texts else None,
        recording_id=UUID(texts["recording_id"]) if "recording_id" in texts else None,
        wearer=texts.get("wearer_name"),
    )


def _shared(given: GivenFacts) -> GivenFacts:
    """What may be said of several recordings at once."""
    return GivenFacts(wearer=given.wearer)


def _check(found: Sequence[ParsedRecording]) -> None:
    seen: set[UUID] = set()
    for one in found:
        if one.uuid in seen:
            raise QuadratError(ErrorKind.INVALID, f"Recording {one.uuid} is in the archive twice.", field="archive")
        seen.add(one.uuid)
        if one.name is None:
            raise QuadratError(
                ErrorKind.INVALID,
                f"Recording {one.uuid} has no name: send name, or sections.csv with recording name.",
                field="name",
            )


async def _upload(context: JobContext[GazeResources], parsed: Sequence[ParsedRecording], target: str) -> None:
    with_columns = [one for one in parsed if one.columns is not None]
    for number, one in enumerate(with_columns):
        assert one.columns is not None  # noqa: S101 - chosen above
        for name in DTYPES:
            await context.resources.blobs.put(f"{target}/{one.uuid.hex}/{name}", one.columns / name)
        if one.scene is not None:
            await context.resources.blobs.put(scene_key(f"{target}/{one.uuid.hex}"), one.scene)
        share = (number + 1) / len(with_columns)
        await context.progress(_READING_SHARE + (100 - _READING_SHARE) * share, "Storing")


async def _store(
    context: JobContext[GazeResources], params: Mapping[str, Any], parsed: Sequence[ParsedRecording], target: str
) -> Mapping[str, Any]:
    job = context.job
    assert job.project_id is not None  # noqa: S101 - every import belongs to a project
    async with context.db.begin() as tx:
        project = await get_project(tx, job.project_id)
        enrichment = await store.find_enrichment(tx, project, UUID(params["enrichment_uuid"]), lock=True)
        if enrichment is None:
            raise not_found("Enrichment", params["enrichment_uuid"])
        place = (OrganizationId(params["organization_id"]), enrichment)
        incoming = [_incoming(one, target) for one in parsed]
        made = await store_recordings(tx, place, incoming, UUID(params["user_uuid"]), replace=bool(params["replace"]))
        result = {"recordings": [_told(one) for one in made]}
        # In the same transaction: a second run of this job finds that it is done, and one that was thought lost and
        # comes late stores nothing.
        if not await job_store.change(tx, job.id, attempt=job.attempt, result=result):
            raise QuadratError(ErrorKind.UNAVAILABLE, "Another worker has taken this import over.")
    return result


def _incoming(one: ParsedRecording, target: str) -> Incoming:
    assert one.name is not None  # noqa: S101 - checked after reading
    guess = start_warning(one.start_source)
    return Incoming(
        uuid=one.uuid,
        name=one.name,
        wearer=one.wearer,
        start_ns=one.start_ns,
        start_source=one.start_source,
        duration_ns=one.duration_ns,
        events=one.events,
        own=one.own,
        unit=one.unit,
        blob=None if one.columns is None else f"{target}/{one.uuid.hex}",
        n_samples=one.n_samples,
        n_mapped=one.n_mapped,
        period_ns=one.period_ns,
        sections=one.sections,
        fixations=one.fixations,
        n_fixations=len(one.fixations),
        gaze_offset_px=one.gaze_offset_px,
        warnings=(*one.warnings, *(() if guess is None else (guess,))),
    )


def _told(one: ImportedRecording) -> dict[str, Any]:
    return {
        "recording_id": one.recording_id,
        "name": one.name,
        "section_ids": list(one.section_ids),
        "gaze_samples": one.gaze_samples,
        "fixations": one.fixations,
        "warnings": list(one.warnings),
    }
