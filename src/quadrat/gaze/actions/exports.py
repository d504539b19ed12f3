"""Exports: asked for by a request, written by a job."""

from collections.abc import Collection
from datetime import timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.errors import ErrorKind, QuadratError
from quadrat.gaze.actions.access import EnrichmentPath, not_found, open_enrichment
from quadrat.gaze.actions.imports import DROP_UPLOAD
from quadrat.gaze.actions.statistics import make_plan
from quadrat.gaze.rules.tables import plain_names as plain_names_of
from quadrat.gaze.store import recordings as recording_store
from quadrat.gaze.types import PLANAR_KINDS, Enrichment
from quadrat.identity.actions.workspaces import Workspace, require_in_workspace
from quadrat.identity.types import Caller
from quadrat.jobs.actions import enqueue
from quadrat.jobs.types import JobId, Queueing

EXPORT = "gaze.export"
RAW_EXPORT = "gaze.raw_export"
RAW_NAME = "raw-data-export.zip"
DOCS_URL = "docs/gaze.md"
FORMAT_VERSION = "2"
_LIFE = timedelta(hours=1)


EXPORTS = "gaze/exports"
"""Where the files of exports lie, in a folder for each job."""


def export_folder(job_uuid: UUID) -> str:
    """Where the file of an export is stored."""
    return f"{EXPORTS}/{job_uuid.hex}"


def export_key(job_uuid: UUID) -> str:
    """The file of an export."""
    return f"{export_folder(job_uuid)}/enrichment.zip"


async def order_export(
    tx: AsyncConnection,
    caller: Caller,
    path: EnrichmentPath,
    recordings: Collection[UUID] | None,
    *,
    plain_names: bool = False,
) -> tuple[JobId, str]:
    """Ask for the zip of an enrichment; returns the job, and what to call its file.

    Args:
        tx: The transaction.
        caller: Who asks.
        path: The enrichment.
        recordings: Only these; None for all.
        plain_names: See `rules.tables.plain_names`.

    Raises:
        QuadratError: not_found for the enrichment or a recording; forbidden; wrong_state without a plane.
    """
    opened = await open_enrichment(tx, caller, path, "aois.read")
    if opened.enrichment.kind not in PLANAR_KINDS:
        raise QuadratError(
            ErrorKind.WRONG_STATE, f"An enrichment of kind {opened.enrichment.kind} has nothing to export."
        )
    await make_plan(tx, path.workspace.organization.id, opened.enrichment, recordings)
    params = {
        "organization_id": path.workspace.organization.id,
        "enrichment_uuid": str(path.enrichment),
        "recording_ids": None if recordings is None else [str(uuid) for uuid in recordings],
        "plain_names": plain_names,
    }
    enrichment = opened.enrichment
    job_id = await enqueue(tx, EXPORT, params, owner_id=caller.user_id, project_id=enrichment.project_id)
    return job_id, file_name(enrichment)


async def order_raw_export(
    tx: AsyncConnection,
    caller: Caller,
    workspace: Workspace,
    recordings: Collection[UUID] | None,
    exclude: Collection[str] = (),
) -> JobId:
    """Ask for the zip of recordings as the scene camera saw them.

    Args:
        tx: The transaction.
        caller: Who asks.
        workspace: Whose recordings.
        recordings: Only these; None for all.
        exclude: Names of files to leave out.

    Raises:
        QuadratError: not_found for a recording; forbidden.
    """
    require_in_workspace(caller, workspace, "gaze.read")
    known = [one.uuid for one in await recording_store.list_recordings(tx, workspace.organization.id)]
    wanted = known if recordings is None else list(dict.fromkeys(recordings))
    missing = set(wanted).difference(known)
    if missing:
        raise not_found("Recording", min(missing))
    params = {
        "organization_id": workspace.organization.id,
        "workspace_id": str(workspace.organization.uuid),
        "recording_ids": [str(uuid) for uuid in wanted],
        "exclude": sorted(set(exclude)),
    }
    return await enqueue(tx, RAW_EXPORT, params, owner_id=caller.user_id)


def file_name(enrichment: Enrichment) -> str:
    """What the zip of an enrichment is called: readers take the name of a file for that of its stimulus."""
    [name] = plain_names_of([enrichment.name.replace("/", " ").replace("\\", " ").replace(":", " ")])
    return f"{name[:100]}.zip"


async def forget_export(tx: AsyncConnection, job_uuid: UUID) -> None:
    """Remove the file once it has been sent, at the latest."""
    await enqueue(tx, DROP_UPLOAD, {"folder": export_folder(job_uuid)}, queueing=Queueing(after=_LIFE))
