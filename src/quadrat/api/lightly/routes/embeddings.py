"""Embeddings: upload, read back, lay out on a plane, search."""

from typing import Annotated, Any

from fastapi import Depends, Query
from starlette.responses import Response

from quadrat.api.guard import new_router
from quadrat.api.lightly import convert_sets as convert
from quadrat.api.lightly.auth import SignedIn
from quadrat.api.lightly.routes.samples import Addresses
from quadrat.api.lightly.routes.tags import InDataset
from quadrat.api.lightly.schemas.embeddings import (
    DatasetEmbeddingData,
    DuplicateKind,
    DuplicatePair,
    Embedding2dData,
    SimilarSample,
    Trigger2dEmbeddingJobRequest,
    WriteCsvUrlData,
)
from quadrat.api.lightly.schemas.scalars import ObjectId, PageOffset, PageSize
from quadrat.api.wire import Tx, json_response
from quadrat.errors import ErrorKind, QuadratError
from quadrat.jobs.actions import DELETE_FILE
from quadrat.samples.actions import embeddings as actions
from quadrat.samples.rules.samples import csv_key
from quadrat.samples.types import DatasetId, EmbeddingId, SampleId

router = new_router("Embeddings")
_EMBEDDINGS = "/datasets/{datasetId}/embeddings"
_EMBEDDING = _EMBEDDINGS + "/{embeddingId}"
_DEFAULT_PAGE = 1000
_DEFAULT_SIMILAR = 25
_QueryId = Annotated[str, Query(pattern=r"^[a-f0-9]{24}$")]


async def _named(datasetId: ObjectId, embeddingId: ObjectId) -> tuple[DatasetId, EmbeddingId]:  # noqa: N803
    return DatasetId(datasetId), EmbeddingId(embeddingId)


Named = Annotated[tuple[DatasetId, EmbeddingId], Depends(_named)]


@router.get(_EMBEDDINGS, operation_id="get_embeddings_by_dataset_id")
async def get_embeddings_by_dataset_id(tx: Tx, caller: SignedIn, dataset_id: InDataset) -> list[DatasetEmbeddingData]:
    """Those of a dataset, newest first."""
    return [convert.embedding_data(found) for found in await actions.list_embeddings(tx, caller, dataset_id)]


# Before the routes with an embedding's id, which `writeCSVUrl` would match too.
@router.get(_EMBEDDINGS + "/writeCSVUrl", operation_id="get_embeddings_csv_write_url_by_id")
async def get_embeddings_csv_write_url_by_id(
    tx: Tx, caller: SignedIn, dataset_id: InDataset, addresses: Addresses, name: str = "default"
) -> WriteCsvUrlData:
    """Make an embedding, and an address to PUT its CSV to."""
    made = await actions.create_embedding(tx, caller, dataset_id, name)
    return WriteCsvUrlData(signed_write_url=await addresses.write(csv_key(dataset_id, made)), embedding_id=made)


@router.get(_EMBEDDING + "/readCSVUrl", operation_id="get_embeddings_csv_read_url_by_id")
async def get_embeddings_csv_read_url_by_id(tx: Tx, caller: SignedIn, embedding: Named, addresses: Addresses) -> str:
    """An address to read the CSV from."""
    found = await actions.get_embedding(tx, caller, *embedding)
    return await addresses.read(csv_key(found.dataset_id, found.id))


@router.post(_EMBEDDING + "/trigger2dEmbeddingsJob", operation_id="trigger2d_embeddings_job", response_class=Response)
async def trigger2d_embeddings_job(
    tx: Tx, caller: SignedIn, embedding: Named, body: Trigger2dEmbeddingJobRequest
) -> Response:
    """Lay the vectors out on a plane, in a job."""
    await actions.project_later(tx, caller, *embedding, convert.METHOD[body.dimensionality_reduction_method])
    return Response()


@router.get(
    _EMBEDDING + "/2d",
    operation_id="get_embeddings2d_by_embedding_id",
    response_class=Response,
    responses={200: {"model": list[Embedding2dData]}},
)
async def get_embeddings2d_by_embedding_id(tx: Tx, caller: SignedIn, embedding: Named) -> Response:
    """The projections that have been made."""
    found, projections = await actions.list_projections(tx, caller, *embedding)
    return json_response(
        [convert.projection_data(found, one).model_dump(mode="json", by_alias=True) for one in projections]
    )


@router.get(_EMBEDDING + "/similar", operation_id="get_similar_samples_by_embedding_id")
async def get_similar_samples_by_embedding_id(
    tx: Tx,
    caller: SignedIn,
    embedding: Named,
    sample_id: Annotated[_QueryId, Query(alias="sampleId")],
    page_size: PageSize = None,
) -> list[SimilarSample]:
    """The samples whose vectors are nearest to that of one sample, at most 1000."""
    found = await actions.list_similar(tx, caller, *embedding, SampleId(sample_id), page_size or _DEFAULT_SIMILAR)
    return [SimilarSample(sample_id=one[0], file_name=one[1], distance=one[2]) for one in found]


@router.delete(_EMBEDDING, operation_id="delete_embedding_by_id", response_class=Response)
async def delete_embedding_by_id(tx: Tx, caller: SignedIn, embedding: Named) -> Response:
    """Remove an embedding."""
    await actions.delete_embedding(tx, caller, *embedding, delete_file=DELETE_FILE)
    return Response()


@router.get("/datasets/{datasetId}/duplicates", operation_id="get_duplicates_by_dataset_id", tags=["Samples"])
async def get_duplicates_by_dataset_id(  # noqa: PLR0913 - one for each parameter of the contract
    tx: Tx,
    caller: SignedIn,
    dataset_id: InDataset,
    *,
    by: DuplicateKind = DuplicateKind.BYTES,
    max_distance: Annotated[float, Query(alias="maxDistance", ge=0)] = 0,
    embedding_id: Annotated[_QueryId | None, Query(alias="embeddingId")] = None,
    page_size: PageSize = None,
    page_offset: PageOffset = None,
) -> list[DuplicatePair]:
    """Samples that are like earlier ones: the same bytes, alike in up to `maxDistance` bits, or close vectors.

    Rows are pairs; by embedding they are the pairs of one page of samples, 1000 unless `pageSize` says otherwise.
    """
    page = (page_size or _DEFAULT_PAGE, page_offset or 0)
    found: Any
    if by is DuplicateKind.BYTES:
        found = await actions.list_equal(tx, caller, dataset_id, page)
    elif by is DuplicateKind.LOOK:
        found = await actions.list_alike(tx, caller, dataset_id, int(max_distance), page)
    elif embedding_id is None:
        raise QuadratError(ErrorKind.INVALID, "Give the embedding to compare by as embeddingId.", field="embeddingId")
    else:
        found = await actions.list_close_pairs(tx, caller, dataset_id, EmbeddingId(embedding_id), max_distance, page)
    return [DuplicatePair(sample_id=one[0], duplicate_of=one[1], distance=one[2]) for one in found]
