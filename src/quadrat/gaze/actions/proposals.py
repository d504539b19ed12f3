"""Areas that a deployed model proposes.

The model takes the reference image as base64 and gives masks; see docs/gaze.md for its fields and
examples/aoi_proposer for a package that works.
"""

import asyncio
import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.errors import ErrorKind, QuadratError
from quadrat.gaze.actions.access import EnrichmentPath, Opened, open_enrichment, require_plane
from quadrat.gaze.actions.aois import add_aoi
from quadrat.gaze.actions.files import read_reference_picture
from quadrat.gaze.pictures.pool import Pictures
from quadrat.gaze.rules import masks
from quadrat.gaze.rules.masks import Inside
from quadrat.gaze.types import Aoi, MaskSource, NewAoi, Size
from quadrat.identity.types import Caller
from quadrat.serving.actions.access import VersionPath
from quadrat.serving.engine import ServingEngine
from quadrat.storage.blobs import BlobStore

MAX_AREAS = 500
INPUT_FIELD = "image"
OUTPUT_FIELD = "areas"
_MAX_POINTS = 10_000


class _Area(msgspec.Struct):
    """One area as a model gives it: one of mask, polygon or rle; positions in 0..1, origin top left."""

    name: str
    color: str | None = None
    description: str | None = None
    mask: str | None = None
    polygon: list[tuple[float, float]] | None = None
    rle: list[int] | None = None
    size: tuple[int, int] | None = None


_decoder = msgspec.json.Decoder(list[_Area])


@dataclass(frozen=True, slots=True)
class Proposal:
    """What to ask a model.

    Args:
        model: Name of a model in the enrichment's project.
        version: Name of its version.
        timeout_s: For everything, a cold start included.
    """

    model: str
    version: str
    timeout_s: float


async def open_proposal(
    tx: AsyncConnection, caller: Caller, path: EnrichmentPath, blobs: BlobStore
) -> tuple[Opened, bytes]:
    """The enrichment, open for new areas, and its reference image, a PNG or JPEG.

    Raises:
        QuadratError: not_found, forbidden; wrong_state without a picture.
    """
    opened = await open_enrichment(tx, caller, path, "aois.create", creates=True)
    require_plane(opened.enrichment)
    reference = opened.enrichment.reference
    picture = None if reference is None else await read_reference_picture(blobs, reference)
    if picture is None:
        raise QuadratError(ErrorKind.WRONG_STATE, "This enrichment has no reference image to look at.")
    return opened, picture


async def ask_model(
    engine: ServingEngine, caller: Caller, opened: Opened, picture: bytes, proposal: Proposal
) -> list[NewAoi]:
    """Run the model as the caller and read its answer. No transaction is open meanwhile.

    Raises:
        QuadratError: not_found, forbidden for the model; wrong_state when it is not available or fails; invalid for an
            answer that holds no areas.
    """
    path = VersionPath(opened.access.project.name, proposal.model, proposal.version)
    deployment = await engine.open(caller, opened.access, path)
    inputs = {field.name for field in deployment.input.fields}
    outputs = {field.name for field in deployment.output.fields}
    if inputs != {INPUT_FIELD} or OUTPUT_FIELD not in outputs:
        raise QuadratError(
            ErrorKind.WRONG_STATE,
            f"Model {proposal.model} cannot propose areas: it has to take one field {INPUT_FIELD!r} and to give a "
            f"field {OUTPUT_FIELD!r}, both of type string.",
            field="model",
        )
    data = msgspec.json.encode({INPUT_FIELD: base64.b64encode(picture).decode()})
    _, answer = await engine.run(deployment, data, proposal.timeout_s)
    if not answer.success or answer.result is None:
        raise QuadratError(ErrorKind.WRONG_STATE, f"The model failed: {answer.error_message}", field="model")
    reference = opened.enrichment.reference
    size = None if reference is None else reference.size
    return await asyncio.to_thread(_read_answer, answer.result, size, f"{proposal.model}/{proposal.version}")


def _read_answer(result: bytes, size: Size | None, proposed_by: str) -> list[NewAoi]:
    try:
        fields: dict[str, Any] = msgspec.json.decode(result)
        areas = _decoder.decode(fields[OUTPUT_FIELD])
    except (msgspec.MsgspecError, KeyError, TypeError) as error:
        raise QuadratError(
            ErrorKind.WRONG_STATE, f"The model's answer is no JSON list of areas: {error}.", field="model"
        ) from None
    if len(areas) > MAX_AREAS:
        raise QuadratError(ErrorKind.WRONG_STATE, f"The model gave more than {MAX_AREAS} areas.", field="model")
    return [_to_new(area, number, size or masks.DEFAULT_SIZE, proposed_by) for number, area in enumerate(areas)]


def _to_new(area: _Area, number: int, size: Size, proposed_by: str) -> NewAoi:
    try:
        png = _png_of(area, size)
    except QuadratError as error:
        raise _refused(number, error) from None
    return NewAoi(
        name=area.name,
        mask=MaskSource(png=png),
        description=area.description,
        color=area.color,
        proposed_by=proposed_by,
    )


def _refused(number: int, error: QuadratError) -> QuadratError:
    return QuadratError(ErrorKind.WRONG_STATE, f"Area {number} of the model's answer: {error.message}", field="model")


def _png_of(area: _Area, size: Size) -> bytes:
    given = [one for one in (area.mask, area.polygon, area.rle) if one is not None]
    if len(given) != 1:
        raise QuadratError(ErrorKind.INVALID, "it needs one of mask, polygon and rle.")
    if area.mask is not None:
        return masks.decode_data_url(area.mask)
    if area.polygon is not None:
        if len(area.polygon) > _MAX_POINTS:
            raise QuadratError(ErrorKind.INVALID, f"a polygon has at most {_MAX_POINTS} corners.")
        return _paint(masks.fill_polygon(area.polygon, size))
    shape = size if area.size is None else Size(*area.size)
    if not 0 < shape.width * shape.height <= masks.MAX_PIXELS or min(shape.width, shape.height) < 1:
        raise QuadratError(ErrorKind.INVALID, f"{shape.width} x {shape.height} is no size of a mask.")
    return _paint(masks.decode_rle(area.rle or [], shape))


def _paint(inside: Inside) -> bytes:
    return masks.paint(inside, None)


async def store_proposals(
    tx: AsyncConnection, caller: Caller, path: EnrichmentPath, proposed: Sequence[NewAoi], pictures: Pictures
) -> list[Aoi]:
    """Keep the areas, marked as proposed, all or none.

    Raises:
        QuadratError: not_found, forbidden; wrong_state for an area that cannot be.
    """
    opened = await open_enrichment(tx, caller, path, "aois.create", creates=True)
    made = []
    for number, new in enumerate(proposed):
        try:
            made.append(await add_aoi(tx, caller, opened, new, pictures))
        except QuadratError as error:
            raise _refused(number, error) from None
    return made
