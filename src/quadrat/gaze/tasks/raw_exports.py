"""The job that writes recordings, as the scene camera saw them, as a zip file."""

import asyncio
import zipfile
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from quadrat.errors import ErrorKind, QuadratError
from quadrat.gaze.actions.access import not_found
from quadrat.gaze.actions.exports import RAW_NAME
from quadrat.gaze.actions.videos import SCENE, find_scene_bytes, scene_key
from quadrat.gaze.formats import timeseries, writer
from quadrat.gaze.formats.columns import DTYPES
from quadrat.gaze.samples import iterate_rows
from quadrat.gaze.store import fixations as fixation_store
from quadrat.gaze.store import recordings as store
from quadrat.gaze.tasks.exports import in_scratch, store_zip
from quadrat.gaze.tasks.resources import GazeResources
from quadrat.gaze.types import Event, Recording
from quadrat.identity.types import OrganizationId
from quadrat.jobs.registry import JobContext

_ATTEMPTS = 3


async def export_raw(context: JobContext[GazeResources], params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Write the zip and store it as the job's file. Safe to run twice."""
    return await in_scratch(context, lambda scratch: _export(context, params, scratch))


async def _export(context: JobContext[GazeResources], params: Mapping[str, Any], scratch: Path) -> Mapping[str, Any]:
    path = scratch / "export.zip"
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            await _Writing(context, params).write(path)
            break
        except QuadratError as error:
            # Files that went while they were read: the recording was replaced, or is gone, which the next attempt says.
            if error.kind is not ErrorKind.NOT_FOUND or attempt == _ATTEMPTS:
                raise
    return await store_zip(context, path, RAW_NAME)


@dataclass(frozen=True, slots=True)
class _Facts:
    """What the database knows of a recording at one moment."""

    recording: Recording
    events: list[Event]
    fixations: NDArray[np.void]


def _add_samples(target: IO[bytes], recording: Recording, block: Mapping[str, NDArray[Any]]) -> None:
    target.write(timeseries.gaze_rows(recording, block).encode())


class _Writing:
    def __init__(self, context: JobContext[GazeResources], params: Mapping[str, Any]) -> None:
        self._context = context
        self._blobs = context.resources.blobs
        self._organization_id = OrganizationId(params["organization_id"])
        self._workspace_id: str = params["workspace_id"]
        self._wanted = [UUID(text) for text in params["recording_ids"]]
        self._exclude: Collection[str] = frozenset(params["exclude"])

    async def write(self, path: Path) -> None:
        names = timeseries.folder_names([(await self._facts(uuid)).recording for uuid in self._wanted])
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for number, (folder, uuid) in enumerate(zip(names, self._wanted, strict=True)):
                await self._write_recording(archive, folder, await self._facts(uuid))
                await self._context.progress(95 * (number + 1) / len(names), "Writing recordings")

    async def _facts(self, uuid: UUID) -> _Facts:
        async with self._context.db.begin() as tx:
            found = await store.find_recording(tx, self._organization_id, uuid)
            if found is None:
                raise not_found("Recording", uuid)
            events = await store.list_recording_events(tx, found.id)
            return _Facts(found, events, await fixation_store.read_recording(tx, found.id))

    async def _write_recording(self, archive: zipfile.ZipFile, folder: str, facts: _Facts) -> None:
        recording = facts.recording
        texts = {
            "info.json": timeseries.info_json(recording, self._workspace_id),
            "events.csv": writer.events_csv([(recording, facts.events)]),
        }
        # A recording of which only mapped gaze came has nothing of the scene camera's own.
        if recording.blob is not None or len(facts.fixations):
            texts["fixations.csv"] = await asyncio.to_thread(timeseries.fixations_csv, recording, facts.fixations)
        for name, text in texts.items():
            if name not in self._exclude:
                archive.writestr(writer.entry(f"{folder}/{name}"), text)
        if recording.blob is not None:
            await self._write_gaze(archive, folder, recording, recording.blob)
            await self._write_scene(archive, folder, recording, recording.blob)

    async def _write_gaze(self, archive: zipfile.ZipFile, folder: str, recording: Recording, blob: str) -> None:
        if "gaze.csv" in self._exclude:
            return
        names = tuple(DTYPES)
        with archive.open(writer.entry(f"{folder}/gaze.csv"), "w", force_zip64=True) as target:
            target.write(timeseries.GAZE_HEADER.encode())
            async for values in iterate_rows(self._blobs, blob, names, recording.n_samples):
                block = dict(zip(names, values, strict=True))
                await asyncio.to_thread(_add_samples, target, recording, block)

    async def _write_scene(self, archive: zipfile.ZipFile, folder: str, recording: Recording, blob: str) -> None:
        name = timeseries.scene_name(recording)
        if {SCENE, name} & set(self._exclude) or await find_scene_bytes(self._blobs, recording) is None:
            return
        entry = writer.entry(f"{folder}/{name}")
        entry.compress_type = zipfile.ZIP_STORED
        reader = await self._blobs.open(scene_key(blob))
        with archive.open(entry, "w", force_zip64=True) as target:
            async for chunk in reader.chunks:
                await asyncio.to_thread(target.write, chunk)
