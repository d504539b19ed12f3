"""What the pages show of embeddings."""

from typing import Annotated

from fastapi import Path, Query
from starlette.responses import Response

from quadrat.api.guard import new_router
from quadrat.api.pages.auth import SignedIn
from quadrat.api.pages.convert import to_points
from quadrat.api.pages.schemas import FieldKind, Points
from quadrat.api.wire import Tx, json_response
from quadrat.samples.actions import embeddings, finding
from quadrat.samples.types import DatasetId, EmbeddingId, SampleQuestion

router = new_router("Samples")

_Words = Annotated[str, Query(max_length=300)]
_Id = Annotated[str, Path(pattern="^[a-f0-9]{24}$")]


@router.get("/datasets/{dataset_id}/fields", operation_id="page_fields_list")
async def page_fields_list(dataset_id: _Id, caller: SignedIn, tx: Tx) -> dict[str, FieldKind]:
    """By what the samples can be looked for, each with what it holds."""
    found = await finding.list_fields(tx, caller, DatasetId(dataset_id))
    return {name: FieldKind(kind) for name, kind in found.items()}


@router.get(
    "/datasets/{dataset_id}/indexes",
    operation_id="page_samples_find",
    response_class=Response,
    responses={200: {"model": list[int]}},
)
async def page_samples_find(  # noqa: PLR0913 - one for each parameter of the query
    dataset_id: _Id,
    caller: SignedIn,
    tx: Tx,
    *,
    name: _Words = "",
    field: _Words = "",
    low: float | None = None,
    high: float | None = None,
    text: _Words = "",
) -> Response:
    """Indexes of the samples of that name and with that in a field, in order."""
    wanted = SampleQuestion(name, field, low, high, text)
    return json_response(await finding.find_samples(tx, caller, DatasetId(dataset_id), wanted))


@router.get(
    "/datasets/{dataset_id}/embeddings/{embedding_id}/points",
    operation_id="page_points_list",
    response_class=Response,
    responses={200: {"model": list[Points]}},
)
async def page_points_list(dataset_id: _Id, embedding_id: _Id, caller: SignedIn, tx: Tx) -> Response:
    """Where samples lie on a plane, by each method by which the embedding has been laid out."""
    _, made = await embeddings.list_projections(tx, caller, DatasetId(dataset_id), EmbeddingId(embedding_id))
    return json_response([to_points(one).model_dump(mode="json") for one in made])
