"""Windows and decisions on the shortest way: what people wait for at every step of their work.

Each takes what clients send as a rule and leaves everything else, mistakes above all, to the endpoint of its name.
"""

import asyncio
from typing import TypeVar

import msgspec
import numpy as np
from fastapi import Request
from starlette.responses import Response

from quadrat.api.ecotaxa import convert_objects as convert
from quadrat.api.ecotaxa.auth import anyone, signed_in
from quadrat.db.engine import Database
from quadrat.identity.types import ProjectId
from quadrat.objects.actions import classification, queries
from quadrat.objects.columns.cache import ColumnCache
from quadrat.objects.door import Door
from quadrat.objects.frames.sorting import Window
from quadrat.objects.frames.specs import Ids
from quadrat.objects.intake import Intake
from quadrat.objects.rules.filters import FIELDS
from quadrat.objects.types import Permission

_JSON = "application/json"
_DETAILED_AT_ONCE = 5_000
_LISTED_AT_ONCE = 20_000
_DIGITS = 18

Body = TypeVar("Body")
Asked = TypeVar("Asked", "_ClassifyReq", "_ClassifyAutoReq")


class _ClassifyReq(msgspec.Struct):
    target_ids: list[int]
    classifications: list[int]
    wanted_qualification: str


class _ClassifyAutoReq(msgspec.Struct):
    target_ids: list[int]
    classifications: list[int]
    scores: list[float]
    keep_log: bool


_filters = msgspec.json.Decoder(
    msgspec.defstruct("_Filters", [(name, str | None, None) for name in FIELDS])  # unknown names are passed over
)
_decisions = msgspec.json.Decoder(_ClassifyReq)
_guesses = msgspec.json.Decoder(_ClassifyAutoReq)


async def query(request: Request) -> Response | None:
    """A window of a list, or one that is not too long to be made at once."""
    filters = await _body(request, _filters)
    project_id = _whole(request.path_params["project_id"])
    asked = request.query_params
    start, size = asked.get("window_start"), asked.get("window_size")
    window = Window(_whole(start or "0") or 0, None if size is None else _whole(size))
    if filters is None or project_id is None or not _is_whole(start) or not _is_whole(size):
        return None
    wanted = queries.ListRequest(msgspec.structs.asdict(filters), asked.get("fields"), asked.get("order_field"), window)
    is_long = size is None or int(size) > _DETAILED_AT_ONCE
    if (wanted.fields and is_long) or queries.is_by_similarity(wanted):
        return None
    caller = await anyone(request)
    door: Door = request.state.object_door
    db: Database = request.state.db
    columns: ColumnCache = request.state.columns
    project = ProjectId(project_id)
    await door.check(caller, project, Permission.READ)
    async with db.look() as tx:
        found = await queries.list_admitted(tx, columns, caller, project, wanted)
        rows = await queries.details(tx, columns, found) if found.fields else None
    if len(found.object_ids) > _LISTED_AT_ONCE:
        body = await asyncio.to_thread(convert.whole_list, found, project, rows)
    else:
        body = convert.whole_list(found, project, rows)
    return Response(body, media_type=_JSON)


async def classify(request: Request) -> Response | None:
    """Decisions of a person."""
    asked = await _asked(request, _decisions)
    if asked is None:
        return None
    wanted, target, taxa = asked
    state = convert.qualification(wanted.wanted_qualification)
    intake: Intake = request.state.object_intake
    n = await intake.classify(await signed_in(request), target, taxa, state)
    return Response(b"%d" % n, media_type=_JSON)


async def classify_auto(request: Request) -> Response | None:
    """Guesses of a machine."""
    asked = await _asked(request, _guesses)
    if asked is None:
        return None
    wanted, target, taxa = asked
    guesses = target, taxa, np.array(wanted.scores, np.float64)
    db: Database = request.state.db
    async with db.begin() as tx:
        n = await classification.classify_auto(
            tx, await signed_in(request), guesses, keep_log=wanted.keep_log, cache=request.state.columns
        )
    return Response(b"%d" % n, media_type=_JSON)


async def _asked(request: Request, decoder: "msgspec.json.Decoder[Asked]") -> tuple[Asked, Ids, Ids] | None:
    """The body with its objects and taxa; None for another body, and for numbers that no database has."""
    wanted = await _body(request, decoder)
    if wanted is None:
        return None
    try:
        return wanted, convert.ids(wanted.target_ids), convert.ids(wanted.classifications)
    except OverflowError:
        return None


async def _body(request: Request, decoder: "msgspec.json.Decoder[Body]") -> Body | None:
    if not request.headers.get("content-type", "").startswith(_JSON):
        return None
    try:
        return decoder.decode(await request.body())
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _is_whole(text: str | None) -> bool:
    return text is None or _whole(text) is not None


def _whole(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _DIGITS else None
