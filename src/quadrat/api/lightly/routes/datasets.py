"""Datasets, and how large they may grow."""

from typing import Annotated

from fastapi import Depends, Query, Request
from starlette.responses import Response

from quadrat.api.guard import new_router
from quadrat.api.lightly import convert
from quadrat.api.lightly.auth import SignedIn
from quadrat.api.lightly.schemas.datasets import (
    CreateEntityResponse,
    DatasetCreateRequest,
    DatasetData,
    DatasetUpdateRequest,
)
from quadrat.api.lightly.schemas.scalars import ObjectId, PageOffset, PageSize, QueryBoolean
from quadrat.api.state import Limits
from quadrat.api.wire import Tx
from quadrat.samples.actions import datasets as actions
from quadrat.samples.types import DatasetId

router = new_router("Datasets")


async def _page(page_size: PageSize = None, page_offset: PageOffset = None) -> actions.Page:
    return actions.Page(page_size, page_offset or 0)


Paged = Annotated[actions.Page, Depends(_page)]


@router.get("/quota", operation_id="get_quota_maximum_dataset_size", tags=["Quota"])
async def get_quota_maximum_dataset_size(request: Request, _caller: SignedIn) -> str:
    """How many samples one dataset may hold, as text."""
    limits: Limits = request.state.limits
    return str(limits.max_samples_per_dataset)


@router.post("/datasets", operation_id="create_dataset", status_code=201)
async def create_dataset(tx: Tx, caller: SignedIn, body: DatasetCreateRequest) -> CreateEntityResponse:
    """Make a dataset in the caller's personal project."""
    return CreateEntityResponse(id=await actions.create_dataset(tx, caller, convert.new_dataset(body)))


@router.get("/datasets", operation_id="get_datasets", response_model_exclude_none=True)
async def get_datasets(tx: Tx, caller: SignedIn, page: Paged, shared: QueryBoolean = None) -> list[DatasetData]:
    """The caller's own datasets, or with ``shared`` those of others that the caller may see."""
    found = await actions.list_datasets(tx, caller, shared=bool(shared), page=page)
    return [convert.dataset_data(one) for one in found]


@router.get(
    "/datasets/query/name/{datasetName}", operation_id="get_datasets_query_by_name", response_model_exclude_none=True
)
async def get_datasets_query_by_name(
    tx: Tx,
    caller: SignedIn,
    page: Paged,
    datasetName: str,  # noqa: N803 - the contract's spelling
    shared: QueryBoolean = None,
    exact: QueryBoolean = None,
) -> list[DatasetData]:
    """Datasets of exactly this name, or with ``exact=False`` those whose name begins with it."""
    name, prefix = (None, datasetName) if exact is False else (datasetName, None)
    found = await actions.list_datasets(tx, caller, shared=bool(shared), page=page, name=name, prefix=prefix)
    return [convert.dataset_data(one) for one in found]


@router.get("/datasets/{datasetId}", operation_id="get_dataset_by_id", response_model_exclude_none=True)
async def get_dataset_by_id(tx: Tx, caller: SignedIn, datasetId: ObjectId) -> DatasetData:  # noqa: N803
    """One dataset."""
    return convert.dataset_data(await actions.open_dataset(tx, caller, DatasetId(datasetId), "samples.read"))


@router.put("/datasets/{datasetId}", operation_id="update_dataset_by_id", response_class=Response)
async def update_dataset_by_id(
    tx: Tx,
    caller: SignedIn,
    datasetId: ObjectId,  # noqa: N803
    body: DatasetUpdateRequest,
) -> Response:
    """Rename a dataset."""
    await actions.rename_dataset(tx, caller, DatasetId(datasetId), body.name)
    return Response()


@router.delete("/datasets/{datasetId}", operation_id="delete_dataset_by_id", response_class=Response)
async def delete_dataset_by_id(
    request: Request,
    tx: Tx,
    caller: SignedIn,
    datasetId: ObjectId,  # noqa: N803
    _force: Annotated[QueryBoolean, Query(alias="force")] = None,
) -> Response:
    """Remove a dataset with its samples and their images."""
    await actions.delete_dataset(tx, caller, DatasetId(datasetId))
    request.state.image_places.end(DatasetId(datasetId))
    return Response()
