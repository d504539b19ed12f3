"""The job that writes an enrichment as a zip file."""

import asyncio
import tempfile
import zipfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

from quadrat.errors import ErrorKind, QuadratError
from quadrat.gaze.actions.access import not_found
from quadrat.gaze.actions.exports import DOCS_URL, FORMAT_VERSION, export_key, file_name
from quadrat.gaze.actions.statistics import make_plan
from quadrat.gaze.analysis import Analyst, Plan, plane_of
from quadrat.gaze.formats import writer
from quadrat.gaze.formats.archives import clean
from quadrat.gaze.formats.columns import DTYPES
from quadrat.gaze.rules.tables import fixation_rows, metrics_rows, plain_names, to_csv
from quadrat.gaze.samples import iterate_rows
from quadrat.gaze.store import enrichments as store
from quadrat.gaze.store import files as file_store
from quadrat.gaze.store import recordings as recording_store
from quadrat.gaze.tasks.resources import GazeResources
from quadrat.gaze.types import Event, MappedRecording, Recording, Unit
from quadrat.identity.store.projects import get_project
from quadrat.identity.types import OrganizationId
from quadrat.jobs.registry import JobContext
from quadrat.jobs.types import ResultFile

_MAX_IMAGE_BYTES = 512 * 1024**2


async def export_enrichment(context: JobContext[GazeResources], params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Write the zip and store it as the job's file. Safe to run twice."""
    return await in_scratch(context, lambda scratch: _export(context, params, scratch))


async def in_scratch(
    context: JobContext[GazeResources], work: Callable[[Path], Awaitable[Mapping[str, Any]]]
) -> Mapping[str, Any]:
    """Run the work of an export in a folder of its own; a refusal is a result like any other."""
    scratch = Path(tempfile.gettempdir()) / f"quadrat-export-{context.job.uuid.hex}"
    await asyncio.to_thread(clean, scratch)
    scratch.mkdir(mode=0o700)
    try:
        return await work(scratch)
    except QuadratError as error:
        if error.kind is ErrorKind.UNAVAILABLE:
            raise
        return {"refused": {"kind": error.kind.value, "message": error.message, "field": error.field}}
    finally:
        await asyncio.to_thread(clean, scratch)


async def _export(context: JobContext[GazeResources], params: Mapping[str, Any], scratch: Path) -> Mapping[str, Any]:
    analyst = Analyst(context.db, context.resources.blobs)
    path = scratch / "export.zip"

    async def plan() -> Plan:
        return await _plan(context, params)

    async def write(made: Plan) -> str:
        await _Writing(context, analyst, made).write(path)
        return file_name(made.enrichment)

    written = await analyst.fresh(plan, write)
    return await store_zip(context, path, written)


async def store_zip(context: JobContext[GazeResources], path: Path, name: str) -> Mapping[str, Any]:
    """Make a zip file the job's file, called `name`; returns the job's result."""
    key = export_key(context.job.uuid)
    facts, _ = await context.resources.blobs.put(key, path)
    context.result_file = ResultFile(key, name, "application/zip")
    return {"size_bytes": facts.size_bytes}


async def _plan(context: JobContext[GazeResources], params: Mapping[str, Any]) -> Plan:
    assert context.job.project_id is not None  # noqa: S101 - every export belongs to a project
    wanted = params["recording_ids"]
    async with context.db.begin() as tx:
        project = await get_project(tx, context.job.project_id)
        enrichment = await store.find_enrichment(tx, project, UUID(params["enrichment_uuid"]))
        if enrichment is None:
            raise not_found("Enrichment", params["enrichment_uuid"])
        chosen = None if wanted is None else [UUID(one) for one in wanted]
        plan = await make_plan(tx, OrganizationId(params["organization_id"]), enrichment, chosen)
    return _with_plain_names(plan) if params.get("plain_names") else plan


def _with_plain_names(plan: Plan) -> Plan:
    areas = plain_names(aoi.name for aoi in plan.aois)
    recordings = plain_names(mapping.recording.name for mapping in plan.mappings)
    return replace(
        plan,
        aois=[replace(aoi, name=name) for aoi, name in zip(plan.aois, areas, strict=True)],
        mappings=[
            replace(mapping, recording=replace(mapping.recording, name=name))
            for mapping, name in zip(plan.mappings, recordings, strict=True)
        ],
    )


class _Writing:
    def __init__(self, context: JobContext[GazeResources], analyst: Analyst, plan: Plan) -> None:
        self._context = context
        self._blobs = context.resources.blobs
        self._analyst = analyst
        self._plan = plan
        self._size = plane_of(plan.enrichment, Unit.PX)

    async def write(self, path: Path) -> None:
        plan = self._plan
        statistics = await self._analyst.statistics(plan)
        hits = await self._analyst.hits_of(plan)
        fixations = [(mapping, found) for mapping, found, _ in hits]
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            archive.writestr(writer.entry("sections.csv"), writer.sections_csv(plan.mappings))
            await self._write_gaze(archive)
            text = await asyncio.to_thread(writer.fixations_csv, plan.enrichment, fixations, self._size)
            archive.writestr(writer.entry("fixations.csv"), text)
            rows = await asyncio.to_thread(lambda: to_csv(fixation_rows(plan.aois, hits)))
            archive.writestr(writer.entry("aoi_fixations.csv"), rows)
            archive.writestr(writer.entry("aoi_metrics.csv"), to_csv(metrics_rows(statistics)))
            await self._write_image(archive)
            archive.writestr(
                writer.entry("enrichment_info.txt"), writer.info_txt(plan.enrichment, DOCS_URL, FORMAT_VERSION)
            )
            archive.writestr(writer.entry("events.csv"), writer.events_csv(await self._events()))

    async def _write_gaze(self, archive: zipfile.ZipFile) -> None:
        with_gaze = [mapping for mapping in self._plan.mappings if mapping.blob is not None]
        if not with_gaze:
            return
        with archive.open(writer.entry("gaze.csv"), "w", force_zip64=True) as target:
            gaze = writer.GazeWriter(target, self._plan.enrichment, self._size)
            for number, mapping in enumerate(with_gaze):
                await self._write_recording(gaze, mapping)
                await self._context.progress(90 * (number + 1) / len(with_gaze), "Writing gaze")

    async def _write_recording(self, gaze: writer.GazeWriter, mapping: MappedRecording) -> None:
        assert mapping.blob is not None  # noqa: S101 - chosen by the caller
        names = tuple(DTYPES)
        first = 0
        async for values in iterate_rows(self._blobs, mapping.blob, names, mapping.n_samples):
            block = dict(zip(names, values, strict=True))
            n_rows = len(values[0])
            for section in mapping.sections:
                start = max(section.first_sample - first, 0)
                stop = min(section.first_sample + section.n_samples - first, n_rows)
                if start < stop:
                    part = {name: column[start:stop] for name, column in block.items()}
                    await asyncio.to_thread(gaze.write, mapping, section.id, part)
            first += n_rows

    async def _write_image(self, archive: zipfile.ZipFile) -> None:
        reference = self._plan.enrichment.reference
        if reference is None or reference.file_uuid is None:
            return
        async with self._context.db.begin() as tx:
            file = await file_store.find_file(tx, reference.organization_id, reference.file_uuid)
        if file is None:
            return
        picture = await self._blobs.read(f"gaze/files/{file.uuid.hex}/whole", max_bytes=_MAX_IMAGE_BYTES)
        suffix = "jpeg" if file.media_type == "image/jpeg" else "png"
        archive.writestr(writer.entry(f"reference_image.{suffix}"), picture)

    async def _events(self) -> Sequence[tuple[Recording, Sequence[Event]]]:
        async with self._context.db.begin() as tx:
            return [
                (mapping.recording, await recording_store.list_recording_events(tx, mapping.recording.id))
                for mapping in self._plan.mappings
            ]
