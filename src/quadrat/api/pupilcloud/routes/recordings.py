"""Recordings, wearers, events, and gaze over time."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

import msgspec
from fastapi import Depends, Query, Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from quadrat.api.guard import new_router
from quadrat.api.pupilcloud.auth import SignedIn
from quadrat.api.pupilcloud.convert import recordings as convert
from quadrat.api.pupilcloud.convert.enrichments import plane_kind, recording_ids
from quadrat.api.pupilcloud.downloads import ZIP, send_export
from quadrat.api.pupilcloud.paths import IN_PROJECT, IN_WORKSPACE, InWorkspace, RawPath, to_uuid, workspace_of
from quadrat.api.pupilcloud.schemas.envelope import Success, success
from quadrat.api.pupilcloud.schemas.recordings import (
    EventCount,
    EventPost,
    FixationBucket,
    OwnFixation,
    ProjectEvent,
    ProjectRecording,
    Recording,
    RecordingEvent,
    RecordingFile,
    Scanpath,
    Wearer,
    WearerPatch,
    WearerPost,
)
from quadrat.api.wire import Tx, base_url
from quadrat.db.engine import Database
from quadrat.gaze.actions import exports, gaze, recordings, videos
from quadrat.gaze.actions.gaze import Window
from quadrat.gaze.types import Recording as RecordingOfGaze
from quadrat.identity.actions.workspaces import Workspace
from quadrat.identity.types import Caller
from quadrat.storage.blobs import BlobStore

router = new_router("Recordings")

_ALL = IN_WORKSPACE + "/recordings/"
_ONE = _ALL + "{recording_id}"
_WEARER = IN_WORKSPACE + "/wearers/{wearer_id}"
_encoder = msgspec.json.Encoder()


async def _window(start: float | None = None, end: float | None = None, max_rate_hz: float | None = None) -> Window:
    return Window(start, end, max_rate_hz)


InWindow = Annotated[Window, Depends(_window)]


@router.get(_ALL, operation_id="get_recordings")
async def get_recordings(tx: Tx, caller: SignedIn, workspace: InWorkspace) -> Success[list[Recording]]:
    """All recordings of a workspace."""
    found = await recordings.list_recordings(tx, caller, workspace)
    return success([convert.recording(one, workspace.organization, listed=True) for one in found])


@router.get(_ONE, operation_id="get_recording")
async def get_recording(tx: Tx, caller: SignedIn, workspace: InWorkspace, recording_id: str) -> Success[Recording]:
    """One recording."""
    found = await recordings.get_recording(tx, caller, workspace, to_uuid(recording_id, "Recording"))
    return success(convert.recording(found, workspace.organization, listed=False))


@router.delete(_ONE, operation_id="delete_recording")
async def delete_recording(
    tx: Tx, caller: SignedIn, workspace: InWorkspace, recording_id: str
) -> Success[dict[str, str]]:
    """Remove a recording, also from all enrichments."""
    await recordings.delete_recording(tx, caller, workspace, to_uuid(recording_id, "Recording"))
    return success({"id": recording_id})


# Events.


@router.get(_ONE + "/events", operation_id="get_recording_events", tags=["Events"])
async def get_recording_events(
    tx: Tx, caller: SignedIn, workspace: InWorkspace, recording_id: str
) -> Success[list[RecordingEvent]]:
    """A recording's own events."""
    uuid = to_uuid(recording_id, "Recording")
    recording, found = await recordings.list_recording_events(tx, caller, workspace, uuid)
    return success([convert.recording_event(one, recording.start_ns) for one in found])


@router.post(_ONE + "/events", operation_id="post_recording_event", tags=["Events"])
async def post_recording_event(
    tx: Tx, caller: SignedIn, workspace: InWorkspace, recording_id: str, body: EventPost
) -> Success[RecordingEvent]:
    """Add an event to a recording."""
    uuid = to_uuid(recording_id, "Recording")
    made = await recordings.create_recording_event(tx, caller, workspace, uuid, (body.name, body.offset_s))
    recording = await recordings.get_recording(tx, caller, workspace, uuid)
    return success(convert.recording_event(made, recording.start_ns))


@router.delete(_ONE + "/events/{event_id}", operation_id="delete_recording_event", tags=["Events"])
async def delete_recording_event(
    tx: Tx, caller: SignedIn, workspace: InWorkspace, recording_id: str, event_id: str
) -> Success[RecordingEvent]:
    """Remove an event that somebody added; answers with what it was, which the client's model requires."""
    what = (to_uuid(recording_id, "Recording"), to_uuid(event_id, "Event"))
    recording, event = await recordings.delete_recording_event(tx, caller, workspace, what)
    return success(convert.recording_event(event, recording.start_ns))


@router.get(IN_PROJECT + "/recordings/", operation_id="get_project_recordings", tags=["Projects"])
async def get_project_recordings(
    tx: Tx, caller: SignedIn, workspace: InWorkspace, project_id: str
) -> Success[list[ProjectRecording]]:
    """The recordings of a project."""
    found = await recordings.list_project_recordings(tx, caller, workspace, to_uuid(project_id, "Project"))
    return success([convert.project_recording(one) for one in found])


@router.get(IN_PROJECT + "/events/", operation_id="get_project_events", tags=["Events"])
async def get_project_events(
    tx: Tx, caller: SignedIn, workspace: InWorkspace, project_id: str
) -> Success[list[ProjectEvent]]:
    """Events of a project's recordings."""
    found = await recordings.list_project_events(tx, caller, workspace, to_uuid(project_id, "Project"))
    return success([convert.project_event(one) for one in found])


@router.get(IN_PROJECT + "/unique-events/", operation_id="get_project_unique_events", tags=["Events"])
async def get_project_unique_events(
    tx: Tx, caller: SignedIn, workspace: InWorkspace, project_id: str
) -> Success[list[EventCount]]:
    """Names of events in a project, and how often they happen."""
    counts = await recordings.count_project_events(tx, caller, workspace, to_uuid(project_id, "Project"))
    return success([EventCount(name=name, count=count) for name, count in counts])


@router.post(
    IN_PROJECT + "/recordings/{recording_id}/events", operation_id="post_project_recording_event", tags=["Events"]
)
async def post_project_recording_event(
    tx: Tx, caller: SignedIn, workspace: InWorkspace, project_id: str, recording_id: str, body: EventPost
) -> Success[ProjectEvent]:
    """Add an event that only this project knows."""
    place = (workspace, to_uuid(project_id, "Project"), to_uuid(recording_id, "Recording"))
    made = await recordings.create_project_event(tx, caller, place, (body.name, body.offset_s))
    return success(convert.project_event(made))


# Wearers.


@router.get(IN_WORKSPACE + "/wearers/", operation_id="get_wearers", tags=["Wearers"])
async def get_wearers(tx: Tx, caller: SignedIn, workspace: InWorkspace) -> Success[list[Wearer]]:
    """All wearers of a workspace."""
    found = await recordings.list_wearers(tx, caller, workspace)
    return success([convert.wearer(one, workspace.organization) for one in found])


@router.post(IN_WORKSPACE + "/wearers/", operation_id="post_wearer", tags=["Wearers"])
async def post_wearer(tx: Tx, caller: SignedIn, workspace: InWorkspace, body: WearerPost) -> Success[Wearer]:
    """Add a wearer."""
    made = await recordings.create_wearer(tx, caller, workspace, body.name)
    return success(convert.wearer(made, workspace.organization))


@router.get(_WEARER, operation_id="get_wearer", tags=["Wearers"])
async def get_wearer(tx: Tx, caller: SignedIn, workspace: InWorkspace, wearer_id: str) -> Success[Wearer]:
    """One wearer."""
    found = await recordings.get_wearer(tx, caller, workspace, to_uuid(wearer_id, "Wearer"))
    return success(convert.wearer(found, workspace.organization))


@router.patch(_WEARER, operation_id="patch_wearer", tags=["Wearers"])
async def patch_wearer(
    tx: Tx, caller: SignedIn, workspace: InWorkspace, wearer_id: str, body: WearerPatch
) -> Success[Wearer]:
    """Give a wearer another name."""
    found = await recordings.rename_wearer(tx, caller, workspace, to_uuid(wearer_id, "Wearer"), body.name)
    return success(convert.wearer(found, workspace.organization))


@router.delete(_WEARER, operation_id="delete_wearer", tags=["Wearers"])
async def delete_wearer(tx: Tx, caller: SignedIn, workspace: InWorkspace, wearer_id: str) -> Success[Wearer]:
    """Remove a wearer; the recordings stay."""
    found = await recordings.delete_wearer(tx, caller, workspace, to_uuid(wearer_id, "Wearer"))
    return success(convert.wearer(found, workspace.organization))


# Fixations and gaze of the scene camera.


@router.get(_ONE + "/fixations.json", operation_id="get_recording_fixations", tags=["Gaze"])
async def get_recording_fixations(
    tx: Tx, caller: SignedIn, workspace: InWorkspace, recording_id: str, window: InWindow
) -> Success[list[OwnFixation]]:
    """A recording's own fixations."""
    uuid = to_uuid(recording_id, "Recording")
    return success(convert.own_fixations(await gaze.list_own_fixations(tx, caller, workspace, uuid, window)))


@router.get(_ONE + "/scanpath.json", operation_id="get_recording_scanpath", tags=["Gaze"])
async def get_recording_scanpath(
    tx: Tx, caller: SignedIn, workspace: InWorkspace, recording_id: str, window: InWindow
) -> Success[list[Scanpath]]:
    """A recording's own fixations in their order, as one path."""
    uuid = to_uuid(recording_id, "Recording")
    return success(convert.scanpath(await gaze.list_own_fixations(tx, caller, workspace, uuid, window)))


@router.get(_ONE + "/fixations_timeline", operation_id="get_recording_fixations_timeline", tags=["Gaze"])
async def get_recording_fixations_timeline(
    tx: Tx,
    caller: SignedIn,
    workspace: InWorkspace,
    recording_id: str,
    window: InWindow,
    intervalsize: Annotated[float, Query(gt=0, description="Length of a stretch in seconds")] = 1.0,
) -> Success[list[FixationBucket]]:
    """A recording's own fixations by stretches of time."""
    uuid = to_uuid(recording_id, "Recording")
    found = await gaze.list_own_fixations(tx, caller, workspace, uuid, window)
    recording = await recordings.get_recording(tx, caller, workspace, uuid)
    return success(convert.timeline(found, recording.duration_ns / 1e9, intervalsize))


@router.get(_ONE + "/gaze.json", operation_id="get_recording_gaze", response_class=StreamingResponse, tags=["Gaze"])
async def get_recording_gaze(
    request: Request, caller: SignedIn, workspace_id: str, recording_id: str, window: InWindow
) -> Response:
    """A recording's own gaze in scene camera pixels."""
    window.check()
    _, found = await _open(request, caller, workspace_id, recording_id)
    return _stream(gaze.stream_gaze(request.state.blobs, found, window))


# Files.


@router.get(_ONE + "/files", operation_id="get_recording_files", tags=["Files"])
async def get_recording_files(
    request: Request, caller: SignedIn, workspace_id: str, recording_id: str
) -> Success[list[RecordingFile]]:
    """The scene video of a recording, if one came with it."""
    workspace, found = await _open(request, caller, workspace_id, recording_id)
    size_bytes = await videos.find_scene_bytes(request.state.blobs, found)
    return success([] if size_bytes is None else [convert.scene_file(found, workspace.organization, size_bytes)])


@router.get(
    _ONE + "/files/{filename}",
    operation_id="download_recording_file",
    status_code=307,
    response_class=RedirectResponse,
    tags=["Files"],
)
async def download_recording_file(
    request: Request, caller: SignedIn, workspace_id: str, recording_id: str, filename: str
) -> RedirectResponse:
    """Sends on to an address that needs no token and gives parts, as players of video want it."""
    _, found = await _open(request, caller, workspace_id, recording_id)
    return RedirectResponse(await videos.address_of_file(request.state.blobs, found, filename, base_url(request)))


async def _open(
    request: Request, caller: Caller, workspace_id: str, recording_id: str
) -> tuple[Workspace, RecordingOfGaze]:
    db: Database = request.state.db
    async with db.begin() as tx:
        workspace = await workspace_of(tx, caller, workspace_id)
        return workspace, await gaze.open_recording(tx, caller, workspace, to_uuid(recording_id, "Recording"))


@router.get(
    IN_WORKSPACE + "/recordings:raw-data-export",
    operation_id="get_raw_data_export",
    response_class=StreamingResponse,
    responses=ZIP,
    tags=["Files"],
)
async def get_raw_data_export(
    request: Request,
    caller: SignedIn,
    workspace_id: str,
    ids: Annotated[list[str], Query(description="Recordings, repeated or separated by commas; all when absent")] = [],  # noqa: B006
    exclude: Annotated[list[str], Query(description="Names of files to leave out, such as gaze.csv, scene.mp4")] = [],  # noqa: B006
) -> Response:
    """Recordings as the scene camera saw them, a folder for each in the layout of Timeseries downloads."""
    db: Database = request.state.db
    async with db.begin() as tx:
        workspace = await workspace_of(tx, caller, workspace_id)
        job_id = await exports.order_raw_export(tx, caller, workspace, recording_ids(ids), exclude)
    return await send_export(request, job_id, exports.RAW_NAME)


# Gaze on a plane.


async def _plane_query(
    workspace_id: str, project_id: str = "", enrichment_id: str = "", recording_id: str = ""
) -> tuple[RawPath, str]:
    return RawPath(workspace_id, project_id, enrichment_id), recording_id


OnPlane = Annotated[tuple[RawPath, str], Depends(_plane_query)]


@router.get(
    IN_WORKSPACE + "/markerless/{markerless_id}/gaze_in_aoi",
    operation_id="get_markerless_gaze_in_aoi",
    response_class=StreamingResponse,
    tags=["Gaze"],
)
async def get_markerless_gaze_in_aoi(
    request: Request, caller: SignedIn, markerless_id: str, on: OnPlane, window: InWindow
) -> Response:
    """Mapped gaze on a reference image: one entry for each sample."""
    return await _gaze_on_plane(request, caller, ("markerless", markerless_id), on, window)


@router.get(
    IN_WORKSPACE + "/surfaces/{surface_id}/gaze_in_aoi",
    operation_id="get_surface_gaze_in_aoi",
    response_class=StreamingResponse,
    tags=["Gaze"],
)
async def get_surface_gaze_in_aoi(
    request: Request, caller: SignedIn, surface_id: str, on: OnPlane, window: InWindow
) -> Response:
    """Mapped gaze on a surface: one entry for each sample."""
    return await _gaze_on_plane(request, caller, ("surfaces", surface_id), on, window)


async def _gaze_on_plane(
    request: Request, caller: Caller, plane: tuple[str, str], on: tuple[RawPath, str], window: Window
) -> Response:
    db: Database = request.state.db
    blobs: BlobStore = request.state.blobs
    raw, recording_id = on
    async with db.begin() as tx:
        path = await raw.open(tx, caller)
        what = (plane_kind(plane[0]), to_uuid(plane[1], "Plane"), to_uuid(recording_id, "Recording"))
        allowed = await gaze.open_gaze_on_plane(tx, caller, path, what, window)
    return _stream(gaze.stream_gaze_on_plane(blobs, allowed))


def _stream(blocks: AsyncIterator[list[dict[str, Any]]]) -> StreamingResponse:
    """Blocks of entries inside the envelope, sent as they are read."""

    async def body() -> AsyncIterator[bytes]:
        yield b'{"code":200,"status":"success","result":['
        first = True
        async for block in blocks:
            if block:
                yield (b"" if first else b",") + _encoder.encode(block)[1:-1]
                first = False
        yield b"]}"

    return StreamingResponse(body(), media_type="application/json")
