"""Heatmaps of fixations, alone and over the reference image."""

import io
import zipfile
from collections.abc import Awaitable, Callable
from typing import Annotated, Literal

from fastapi import Depends, Query, Request
from starlette.responses import Response

from quadrat.api.guard import new_router
from quadrat.api.pupilcloud.auth import SignedIn
from quadrat.api.pupilcloud.convert.enrichments import heatmap_options, recording_ids
from quadrat.api.pupilcloud.paths import IN_WORKSPACE, RawPath
from quadrat.api.pupilcloud.schemas.enrichments import HeatmapPost
from quadrat.api.wire import json_response
from quadrat.db.engine import Database
from quadrat.errors import ErrorKind, QuadratError
from quadrat.gaze import heatmaps
from quadrat.gaze.actions.statistics import plan_statistics
from quadrat.gaze.analysis import Analyst, Plan
from quadrat.gaze.heatmaps import Heatmap
from quadrat.gaze.rules.heatmaps import Colormap, Grid, HeatmapOptions
from quadrat.gaze.types import PLANAR_KINDS
from quadrat.identity.types import Caller
from quadrat.storage.sniff import image_type

router = new_router("Heatmaps")

_MAP = IN_WORKSPACE + "/heatmap/"
_BACKGROUND = IN_WORKSPACE + "/heatmap/background"
_ZIP = IN_WORKSPACE + "/heatmap/zip_download"


async def _query(  # noqa: PLR0913, PLR0917 - one for each parameter of the query
    project_id: str,
    enrichment_id: str,
    recording_ids: Annotated[list[str], Query(description="Repeated or separated by commas")] = [],  # noqa: B006
    n_bins: int | None = None,
    sigma: float | None = None,
    width: int | None = None,
    height: int | None = None,
    max_size: int | None = None,
    colormap: Annotated[str | None, Query(description=", ".join(Colormap))] = None,
    as_json: Annotated[bool | None, Query(alias="json")] = None,
    weight: Literal["none", "duration"] | None = None,
) -> HeatmapPost:
    """The same as the body of the POST."""
    values = {
        "project_id": project_id,
        "enrichment_id": enrichment_id,
        "recording_ids": recording_ids,
        "n_bins": n_bins,
        "sigma": sigma,
        "width": width,
        "height": height,
        "max_size": max_size,
        "colormap": colormap,
        "json": as_json,
        "weight": weight,
    }
    return HeatmapPost.model_validate(values)


Asked = Annotated[HeatmapPost, Depends(_query)]


@router.get(_MAP, operation_id="get_heatmap", response_class=Response, responses={200: {"content": {"image/png": {}}}})
async def get_heatmap(request: Request, caller: SignedIn, workspace_id: str, asked: Asked) -> Response:
    """A heatmap as PNG, or as values with ``json=true``."""
    return await _answer(request, caller, workspace_id, asked)


@router.post(
    _MAP, operation_id="post_heatmap", response_class=Response, responses={200: {"content": {"image/png": {}}}}
)
async def post_heatmap(request: Request, caller: SignedIn, workspace_id: str, body: HeatmapPost) -> Response:
    """The same with the options in the body."""
    return await _answer(request, caller, workspace_id, body)


@router.get(
    _BACKGROUND,
    operation_id="get_heatmap_background",
    response_class=Response,
    responses={200: {"content": {"image/png": {}}}},
)
async def get_heatmap_background(
    request: Request, caller: SignedIn, workspace_id: str, project_id: str, enrichment_id: str
) -> Response:
    """The reference image that a heatmap lies over."""
    plan = await _planner(request, caller, RawPath(workspace_id, project_id, enrichment_id), [])()
    picture = await heatmaps.read_background(request.state.blobs, plan)
    return Response(picture, media_type=image_type(picture) or "application/octet-stream")


@router.get(
    _ZIP, operation_id="get_heatmap_zip", response_class=Response, responses={200: {"content": {"application/zip": {}}}}
)
async def get_heatmap_zip(request: Request, caller: SignedIn, workspace_id: str, asked: Asked) -> Response:
    """The map alone and over the reference image, as a zip of two PNG files."""
    return await _zipped(request, caller, workspace_id, asked)


@router.post(
    _ZIP,
    operation_id="post_heatmap_zip",
    response_class=Response,
    responses={200: {"content": {"application/zip": {}}}},
)
async def post_heatmap_zip(request: Request, caller: SignedIn, workspace_id: str, body: HeatmapPost) -> Response:
    """The same with the options in the body."""
    return await _zipped(request, caller, workspace_id, body)


async def _answer(request: Request, caller: Caller, workspace_id: str, asked: HeatmapPost) -> Response:
    options = heatmap_options(asked)
    plan, grid = await _grid(request, caller, workspace_id, (asked, options))
    if asked.as_json:
        result = {"n_bins_x": grid.shape[1], "n_bins_y": grid.shape[0], "values": grid.tolist()}
        return json_response({"code": 200, "status": "success", "result": result})
    drawn = await heatmaps.draw((request.state.blobs, request.state.pictures), plan, grid, options)
    return Response(drawn.png, media_type="image/png")


async def _zipped(request: Request, caller: Caller, workspace_id: str, asked: HeatmapPost) -> Response:
    options = heatmap_options(asked)
    plan, grid = await _grid(request, caller, workspace_id, (asked, options))
    drawn = await heatmaps.draw((request.state.blobs, request.state.pictures), plan, grid, options)
    return Response(
        _zip_of(drawn),
        media_type="application/zip",
        headers={"Content-Disposition": 'attachment; filename="heatmap.zip"'},
    )


def _zip_of(drawn: Heatmap) -> bytes:
    target = io.BytesIO()
    # PNG is compressed already.
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        # Without the time of day the same map is the same file.
        archive.writestr(zipfile.ZipInfo("heatmap.png"), drawn.png)
        archive.writestr(zipfile.ZipInfo("heatmap_over_reference_image.png"), drawn.overlay)
    return target.getvalue()


async def _grid(
    request: Request, caller: Caller, workspace_id: str, how: tuple[HeatmapPost, HeatmapOptions]
) -> tuple[Plan, Grid]:
    asked, options = how
    analyst: Analyst = request.state.analyst
    raw = RawPath(workspace_id, asked.project_id, asked.enrichment_id)

    async def compute(plan: Plan) -> tuple[Plan, Grid]:
        return plan, await heatmaps.compute_grid(analyst, plan, options)

    return await analyst.fresh(_planner(request, caller, raw, asked.recording_ids or []), compute)


def _planner(request: Request, caller: Caller, raw: RawPath, recordings: list[str]) -> Callable[[], Awaitable[Plan]]:
    db: Database = request.state.db

    async def plan() -> Plan:
        async with db.begin() as tx:
            made = await plan_statistics(tx, caller, await raw.open(tx, caller), recording_ids(recordings))
        if made.enrichment.kind not in PLANAR_KINDS:
            raise QuadratError(ErrorKind.UNSUPPORTED, f"An enrichment of kind {made.enrichment.kind} has no heatmap.")
        return made

    return plan
