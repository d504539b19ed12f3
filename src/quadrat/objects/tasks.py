"""Jobs of object sets."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.actions.housekeeping import list_missing_projects, list_missing_users
from quadrat.identity.types import ProjectId
from quadrat.jobs.registry import Handler, JobContext, JobRefusedError
from quadrat.jobs.store import read_log as read_job_log
from quadrat.jobs.types import ResultFile
from quadrat.objects.actions import taxa
from quadrat.objects.actions.exports import EXPORTS, read_plan
from quadrat.objects.actions.files import USER_FILES, opened_source
from quadrat.objects.actions.imports import IMPORT_ARCHIVE, IMPORT_IMAGES
from quadrat.objects.actions.objects import DELETE_IMAGES
from quadrat.objects.actions.prediction import PREDICT
from quadrat.objects.actions.sets import EMPTY_FOLDER
from quadrat.objects.exporting.deliver import deliver
from quadrat.objects.exporting.run import run_export
from quadrat.objects.exporting.types import Exporter, ExportOrder, delivered_name, file_of
from quadrat.objects.importing.images_scan import ImagesScan
from quadrat.objects.importing.leftovers import remove_all_leftovers
from quadrat.objects.importing.run import ImportRefusedError, MakeScan, NamesMissingError, run_import
from quadrat.objects.importing.types import Answers, Imported, ImportOptions, ImportPlace, Order, UpdateMode, Workshop
from quadrat.objects.predicting.run import predict
from quadrat.objects.rules.images import image_key, project_folder, thumbnail_key
from quadrat.objects.rules.simple import read_values
from quadrat.objects.store.learning import forget_unfinished
from quadrat.objects.types import ImageId
from quadrat.runner.base import Runner
from quadrat.serving.actions.housekeeping import purge_tomorrow
from quadrat.serving.actions.withdrawal import withdraw_requests
from quadrat.storage.blobs import BlobStore

_IMPORT_ATTEMPTS = 3
_PREDICT_ATTEMPTS = 3
_EXPORT_ATTEMPTS = 3
_EXPORTS = "objects/exports"
PURGE = "objects.purge"
FOLDER = "objects"


class ObjectResources(Protocol):
    """What a worker process has to offer these jobs."""

    @property
    def blobs(self) -> BlobStore:
        """Where images are stored."""
        ...

    @property
    def common_dir(self) -> Path | None:
        """Folder that every user may import from."""
        ...

    @property
    def export_dir(self) -> Path | None:
        """Folder for copies of exports."""
        ...

    @property
    def runner(self) -> Runner:
        """Lends files to models."""
        ...

    @property
    def import_processes(self) -> int:
        """Picture processes of one import."""
        ...


Context = JobContext[ObjectResources]


async def export(context: Context, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Write an export as the job's file. Safe to repeat: each run makes the same file under the same key."""
    job, blobs = context.job, context.resources.blobs
    if job.owner_id is None or job.project_id is None:
        raise QuadratError(ErrorKind.NOT_FOUND, "Whoever asked for this export, or its project, is gone.")
    folder = context.resources.export_dir
    if params["deliver"] and folder is None:
        raise QuadratError(
            ErrorKind.INVALID,
            "There is no folder for copies of exports on this server: set QUADRAT_EXPORT_DIR and ask again, or ask "
            "without out_to_ftp.",
        )
    plan = read_plan(params["plan"])
    file = file_of(plan, job.project_id, job.created_at)
    key = f"{_EXPORTS}/{job.uuid.hex}"
    await blobs.forget_unfinished(key)

    async def read_log() -> str:
        async with context.db.begin() as tx:
            lines = await read_job_log(tx, job.id)
        return "".join(f"{at:%Y-%m-%d %H:%M:%S} {line}\n" for at, line in lines)

    order = ExportOrder(job.project_id, job.owner_id, params["filters"], job.created_at, f"job_{job.id}.log", read_log)
    exporter = Exporter(context.db, blobs, context.progress, context.log)
    await context.log(f"Exporting project {job.project_id} to {file.name}")
    n_lines = await run_export(exporter, order, plan, lambda pieces: blobs.put(key, pieces))
    if params["deliver"] and folder is not None:
        await deliver(blobs, key, folder / delivered_name(job.id, file.name))
    context.result_file = ResultFile(key, file.name, file.media_type)
    return {"rowcount": n_lines, "out_file": file.name}


async def import_archive(context: Context, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Import an archive whole or not at all. Safe to repeat: what a lost run has stored is removed first."""
    options = ImportOptions(
        skip_loaded_files=params["skip_loaded_files"],
        skip_existing_objects=params["skip_existing_objects"],
        update_mode=UpdateMode(params["update_mode"]),
        mappings=params["mappings"],
    )
    done = await _import(context, params["source"], options, None)
    return {"rowcount": done.n_lines}


async def import_images(context: Context, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Import images that share all that is said of them. Safe to repeat, as above."""
    same, _ = read_values(params["values"])
    done = await _import(
        context,
        params["source"],
        ImportOptions(skip_existing_objects=True),
        lambda archive, _book, _loaded: ImagesScan(archive, same),
    )
    return {"nb_images": done.n_images}


async def _import(context: Context, source: str, options: ImportOptions, make_scan: MakeScan | None) -> Imported:
    job, resources = context.job, context.resources
    if job.owner_id is None or job.project_id is None:
        raise QuadratError(ErrorKind.NOT_FOUND, "Whoever asked for this import, or its project, is gone.")
    await remove_all_leftovers(context.db, resources.blobs)
    workshop = Workshop(context.db, resources.blobs, resources.import_processes, context.progress)
    # One time for all attempts: it stands in the objects.
    place = ImportPlace(job.project_id, job.owner_id, job.created_at)
    answers = Answers(job.reply.get("users", {}), job.reply.get("taxa", {}))
    opened = opened_source(context.db, resources.blobs, resources.common_dir, job.owner_id, source)
    async with opened as archive:
        order = Order(place, archive, options, answers, job.id)
        try:
            done = await run_import(workshop, order, make_scan)
        except ImportRefusedError as refused:
            await context.log(*refused.problems.kept)
            raise JobRefusedError(str(refused), refused.problems.kept) from refused
        except NamesMissingError as asked:
            context.ask({"missing_users": asked.missing.users, "missing_taxa": asked.missing.taxa})
    await context.log(f"{done.n_objects} new objects, {done.n_images} new images, {done.n_updates} updates")
    return done


async def delete_images(context: Context, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Remove the bytes of images that are gone. Safe to repeat."""
    project_id = ProjectId(params["project_id"])
    for id_, extension, has_thumbnail in params["images"]:
        await context.resources.blobs.delete(image_key(project_id, ImageId(id_), extension))
        if has_thumbnail:
            await context.resources.blobs.delete(thumbnail_key(project_id, ImageId(id_)))
    return {"removed": len(params["images"])}


async def empty_folder(context: Context, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Remove the images of a project that is gone or was emptied; those of later objects stay. Safe to repeat."""
    folder, last = project_folder(params["project_id"]).rstrip("/"), params["last_id"]
    return {"removed": await context.resources.blobs.delete_where(folder, lambda key: _number(key) <= last)}


def _number(key: str) -> int:
    return int(key.rpartition("/")[2].partition(".")[0].partition("_")[0])


async def purge(context: JobContext[ObjectResources], params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Remove the bytes of projects and users that are gone, and what ended predictions have left. Safe to repeat."""
    async with context.db.begin() as tx:
        await withdraw_requests(tx, await forget_unfinished(tx))
    blobs = context.resources.blobs
    removed = 0
    for folder, list_missing in ((FOLDER, list_missing_projects), (USER_FILES, list_missing_users)):
        numbers = [int(name) for name in await blobs.list_folders(folder) if name.isdigit()]
        async with context.db.begin() as tx:
            missing = await list_missing(tx, numbers)
        for number in missing:
            removed += await blobs.delete_prefix(f"{folder}/{number}")
    if params.get("daily"):
        async with context.db.begin() as tx:
            await purge_tomorrow(tx, PURGE)
    return {"removed": removed}


async def recount_taxa(context: JobContext[ObjectResources], _params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Renew the numbers that the taxonomy shows. Safe to repeat."""
    async with context.db.begin() as tx:
        await taxa.recount(tx)
    return {}


HANDLERS = (
    Handler(PURGE, purge),
    Handler(taxa.RECOUNT, recount_taxa),
    Handler(IMPORT_ARCHIVE, import_archive, max_attempts=_IMPORT_ATTEMPTS),
    Handler(IMPORT_IMAGES, import_images, max_attempts=_IMPORT_ATTEMPTS),
    Handler(PREDICT, predict, max_attempts=_PREDICT_ATTEMPTS),
    *(Handler(kind, export, max_attempts=_EXPORT_ATTEMPTS) for kind in sorted(EXPORTS)),
    Handler(DELETE_IMAGES, delete_images),
    Handler(EMPTY_FOLDER, empty_folder),
)
