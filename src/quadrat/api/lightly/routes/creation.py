"""Creating a sample: what clients do more often than anything else, so it does without the framework's parsing."""

import json
import re
from typing import Any

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from quadrat.api.guard import BareRoute
from quadrat.api.lightly import convert
from quadrat.api.lightly.auth import identify
from quadrat.api.lightly.schemas.datasets import CreateEntityResponse
from quadrat.api.lightly.schemas.samples import SampleCreate
from quadrat.errors import ErrorKind, QuadratError
from quadrat.samples.intake import Intake
from quadrat.samples.types import DatasetId

_OBJECT_ID = re.compile(r"[a-f0-9]{24}")
_decoder = msgspec.json.Decoder(SampleCreate)
_FREE = {"type": "object", "nullable": True}
_DOCUMENT: dict[str, Any] = {
    "security": [{"ApiKeyAuth": []}, {"auth0Bearer": []}],
    "parameters": [{"name": "datasetId", "in": "path", "required": True, "schema": {"type": "string"}}],
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["fileName"],
                    "properties": {
                        "fileName": {"type": "string", "minLength": 1, "maxLength": 4096},
                        "thumbName": {"type": "string", "nullable": True},
                        "exif": _FREE,
                        "metaData": _FREE,
                        "customMetaData": _FREE,
                        "videoFrameData": _FREE,
                        "cropData": _FREE,
                    },
                }
            }
        },
    },
}

router = APIRouter(tags=["Samples"], route_class=BareRoute)


@router.post(
    "/datasets/{datasetId}/samples",
    operation_id="create_sample_by_dataset_id",
    status_code=201,
    response_model=CreateEntityResponse,
    openapi_extra=_DOCUMENT,
)
async def create_sample_by_dataset_id(request: Request) -> Response:
    """Add a sample; the same creation again gives the same id."""
    caller = await identify(request)
    dataset_id = request.path_params["datasetId"]
    if _OBJECT_ID.fullmatch(dataset_id) is None:
        raise QuadratError(ErrorKind.INVALID, "An id has 24 hex digits in lower case.", field="datasetId")
    new = convert.new_sample(_parse(await request.body()))
    intake: Intake = request.state.intake
    made = await intake.create(caller, DatasetId(dataset_id), new)
    return Response(b'{"id":"%b"}' % made.encode(), 201, media_type="application/json")


def _parse(body: bytes) -> SampleCreate:
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        # Once more as Python reads JSON: clients write NaN, and half of a surrogate pair.
        return _parse_leniently(body)


def _parse_leniently(body: bytes) -> SampleCreate:
    try:
        return msgspec.convert(json.loads(body), SampleCreate)
    except (ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, msgspec.ValidationError) else "it is no JSON"
        raise QuadratError(ErrorKind.INVALID, f"The body cannot be used: {reason}.") from None
