"""Areas of interest. Three odd routes of upstream are true aliases of their plain ones."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Literal

from fastapi import Depends, Query, Request
from starlette.responses import Response

from quadrat.api.guard import new_router
from quadrat.api.pupilcloud.auth import SignedIn
from quadrat.api.pupilcloud.convert import aois as convert
from quadrat.api.pupilcloud.convert import statistics as convert_statistics
from quadrat.api.pupilcloud.convert.enrichments import recording_ids
from quadrat.api.pupilcloud.paths import IN_ENRICHMENT, AtEnrichment, InEnrichment, RawPath, to_uuid
from quadrat.api.pupilcloud.schemas.aois import Aoi, AoiPatch, AoiPost, AoisDelete, ProposePost
from quadrat.api.pupilcloud.schemas.envelope import Deleted, Success, success
from quadrat.api.wire import Tx, json_response
from quadrat.db.engine import Database
from quadrat.gaze.actions import aois, proposals
from quadrat.gaze.actions.access import EnrichmentPath
from quadrat.gaze.actions.statistics import plan_statistics
from quadrat.gaze.analysis import Analyst, Plan, plane_of
from quadrat.gaze.pictures.pool import Pictures
from quadrat.gaze.rules import tables
from quadrat.gaze.types import Statistics
from quadrat.identity.types import Caller

router = new_router("Areas of interest")

_ALL = IN_ENRICHMENT + "/aois"
_STATS = IN_ENRICHMENT + "/aois:stats"
_ONE = _ALL + "/{aoi_id}"


async def _pictures(request: Request) -> Pictures:
    found: Pictures = request.state.pictures
    return found


InPictures = Annotated[Pictures, Depends(_pictures)]
Rids = Annotated[list[str], Query(description="Recordings; repeated or separated by commas, all when absent")]
Table = Literal[
    "aoi_metrics",
    "metrics",
    "aois",
    "labels",
    "label_totals",
    "coverage",
    "visits",
    "transitions",
    "aoi_fixations",
    "segments",
    "fixations",
]


@router.get(_ALL, operation_id="get_aois")
async def get_aois(tx: Tx, caller: SignedIn, path: InEnrichment) -> Success[list[Aoi]]:
    """All areas of an enrichment."""
    return success([convert.aoi(found) for found in await aois.list_aois(tx, caller, path)])


@router.post(_ALL, operation_id="post_aoi")
async def post_aoi(tx: Tx, caller: SignedIn, path: InEnrichment, pictures: InPictures, body: AoiPost) -> Success[Aoi]:
    """Draw an area, by a mask or a box."""
    opened = await aois.open_for_new(tx, caller, path)
    new = convert.new_aoi(body, (path.enrichment, None))
    return success(convert.aoi(await aois.add_aoi(tx, caller, opened, new, pictures)))


@router.post(_STATS, operation_id="post_aoi_1")
async def post_aoi_1(tx: Tx, caller: SignedIn, path: InEnrichment, pictures: InPictures, body: AoiPost) -> Success[Aoi]:
    """The same as `post_aoi`."""
    return await post_aoi(tx, caller, path, pictures, body)


@router.delete(_ALL, operation_id="delete_aois")
async def delete_aois(tx: Tx, caller: SignedIn, path: InEnrichment, body: AoisDelete) -> Success[Deleted]:
    """Remove several areas; those that are not there are named."""
    uuids, strange = convert.known_ids(body.aoi_ids)
    gone, missing = await aois.delete_aois(tx, caller, path, uuids)
    return success(Deleted(deleted=[str(one) for one in gone], not_found=[*map(str, missing), *strange]))


@router.delete(_STATS, operation_id="delete_aois_0")
async def delete_aois_0(tx: Tx, caller: SignedIn, path: InEnrichment, body: AoisDelete) -> Success[Deleted]:
    """The same as `delete_aois`."""
    return await delete_aois(tx, caller, path, body)


@router.get(_ONE, operation_id="get_aoi")
async def get_aoi(tx: Tx, caller: SignedIn, path: InEnrichment, aoi_id: str) -> Success[Aoi]:
    """One area."""
    return success(convert.aoi(await aois.get_aoi(tx, caller, path, to_uuid(aoi_id, "Area"))))


@router.post(_ONE, operation_id="post_aoi_0")
async def post_aoi_0(
    tx: Tx, caller: SignedIn, path: InEnrichment, pictures: InPictures, aoi_id: str, body: AoiPost
) -> Success[Aoi]:
    """Draw an area whose id is in the path."""
    opened = await aois.open_for_new(tx, caller, path)
    new = convert.new_aoi(body, (path.enrichment, aoi_id))
    return success(convert.aoi(await aois.add_aoi(tx, caller, opened, new, pictures)))


@router.patch(_ONE, operation_id="patch_aoi")
async def patch_aoi(
    tx: Tx, caller: SignedIn, path: InEnrichment, pictures: InPictures, aoi_id: str, body: AoiPatch
) -> Success[Aoi]:
    """Change what is given."""
    uuid = to_uuid(aoi_id, "Area")
    await aois.get_aoi(tx, caller, path, uuid)
    change = convert.aoi_change(body, (path.enrichment, uuid))
    return success(convert.aoi(await aois.update_aoi(tx, caller, (path, uuid), change, pictures)))


@router.delete(_ONE, operation_id="delete_aoi")
async def delete_aoi(tx: Tx, caller: SignedIn, path: InEnrichment, aoi_id: str) -> Success[dict[str, str]]:
    """Remove an area."""
    await aois.delete_aoi(tx, caller, path, to_uuid(aoi_id, "Area"))
    return success({"id": aoi_id})


# Numbers.


def planner(request: Request, caller: Caller, raw: RawPath, rids: list[str]) -> Callable[[], Awaitable[Plan]]:
    """Plans statistics in a transaction of its own, as often as it is asked."""
    db: Database = request.state.db

    async def plan() -> Plan:
        async with db.begin() as tx:
            return await plan_statistics(tx, caller, await raw.open(tx, caller), recording_ids(rids))

    return plan


@router.get(_STATS, operation_id="get_aoi_stats", response_model=Success[dict[str, object]])
async def get_aoi_stats(request: Request, caller: SignedIn, raw: AtEnrichment, rids: Rids = []) -> Response:  # noqa: B006
    """Statistics of all areas in all recordings, or in those named."""
    analyst: Analyst = request.state.analyst
    found = await analyst.fresh(planner(request, caller, raw, rids), analyst.statistics)
    return json_response({"code": 200, "status": "success", "result": convert_statistics.statistics(found)})


@router.get(
    IN_ENRICHMENT + "/aois:sequences", operation_id="get_aoi_sequences", response_model=Success[dict[str, object]]
)
async def get_aoi_sequences(request: Request, caller: SignedIn, raw: AtEnrichment, rids: Rids = []) -> Response:  # noqa: B006
    """Visits in order of time, and transitions between areas."""
    found = await _sequences(request, planner(request, caller, raw, rids))
    result = await asyncio.to_thread(convert_statistics.sequences, found)
    return json_response({"code": 200, "status": "success", "result": result})


async def _sequences(request: Request, plan: Callable[[], Awaitable[Plan]]) -> Statistics:
    analyst: Analyst = request.state.analyst
    return await analyst.fresh(plan, lambda made: analyst.statistics(made, sequences=True))


@router.get(
    IN_ENRICHMENT + "/aois:table",
    operation_id="get_aoi_table",
    response_class=Response,
    responses={200: {"content": {"text/csv": {}}}},
)
async def get_aoi_table(
    request: Request,
    caller: SignedIn,
    raw: AtEnrichment,
    table: Table = "metrics",
    rids: Rids = [],  # noqa: B006
) -> Response:
    """One table of statistics as CSV."""
    plan = planner(request, caller, raw, rids)
    if table in {"aoi_fixations", "segments"}:
        text = await _fixation_table(request, plan, table)
    elif table == "fixations":
        text = await _place_table(request, plan)
    else:
        rows = {
            "aoi_metrics": tables.metrics_rows,
            "metrics": tables.all_metrics_rows,
            "aois": tables.area_rows,
            "labels": tables.label_rows,
            "label_totals": tables.label_total_rows,
            "coverage": tables.coverage_rows,
            "visits": tables.visit_rows,
            "transitions": tables.transition_rows,
        }[table]
        found = await _sequences(request, plan)
        text = await asyncio.to_thread(lambda: tables.to_csv(rows(found)))
    return Response(text, media_type="text/csv", headers={"Content-Disposition": f'attachment; filename="{table}.csv"'})


async def _fixation_table(request: Request, plan: Callable[[], Awaitable[Plan]], table: str) -> str:
    analyst: Analyst = request.state.analyst

    async def compute(made: Plan) -> str:
        hits = await analyst.hits_of(made)
        if table == "segments":
            rows = tables.segment_rows(made.enrichment.name, made.aois, hits)
        else:
            rows = tables.fixation_rows(made.aois, hits)
        return await asyncio.to_thread(tables.to_csv, rows)

    return await analyst.fresh(plan, compute)


async def _place_table(request: Request, plan: Callable[[], Awaitable[Plan]]) -> str:
    analyst: Analyst = request.state.analyst

    async def compute(made: Plan) -> str:
        known = await analyst.fixations_of(made)
        found = [(one, known[one.id], plane_of(made.enrichment, one.unit)) for one in made.mappings]
        return await asyncio.to_thread(lambda: tables.to_csv(tables.place_rows(found)))

    return await analyst.fresh(plan, compute)


@router.post(IN_ENRICHMENT + "/aois:propose", operation_id="propose_aois")
async def propose_aois(request: Request, caller: SignedIn, raw: AtEnrichment, body: ProposePost) -> Success[list[Aoi]]:
    """Ask a model of the same project for areas on the reference image; they are kept, marked as proposed."""
    db: Database = request.state.db
    proposal = proposals.Proposal(body.model, body.version, body.timeout)
    async with db.begin() as tx:
        path: EnrichmentPath = await raw.open(tx, caller)
        opened, picture = await proposals.open_proposal(tx, caller, path, request.state.blobs)
    proposed = await proposals.ask_model(request.state.engine, caller, opened, picture, proposal)
    async with db.begin() as tx:
        made = await proposals.store_proposals(tx, caller, path, proposed, request.state.pictures)
    return success([convert.aoi(found) for found in made])
