"""What is said of a dataset as a whole: datasource, metadata configurations, how uploads go."""

from typing import Annotated, Any

from fastapi import Body, Query
from pydantic import BeforeValidator
from starlette.responses import Response

from quadrat.api.guard import new_router
from quadrat.api.lightly import convert_sets as convert
from quadrat.api.lightly.auth import SignedIn
from quadrat.api.lightly.routes.datasets import Paged
from quadrat.api.lightly.routes.tags import InDataset
from quadrat.api.lightly.schemas.datasets import CreateEntityResponse
from quadrat.api.lightly.schemas.scalars import absent_if_none
from quadrat.api.lightly.schemas.settings import (
    ConfigurationData,
    ConfigurationSetRequest,
    JobStatusMeta,
    SampleUpload,
    UploadState,
    UploadSummary,
)
from quadrat.api.wire import Tx, json_response
from quadrat.samples.actions import images
from quadrat.samples.actions import settings as actions

router = new_router("Datasets")
_DATASET = "/datasets/{datasetId}"
State = Annotated[UploadState | None, BeforeValidator(absent_if_none), Query(alias="state")]


@router.put(_DATASET + "/registerDatasetUpload", operation_id="register_dataset_upload_by_id", response_class=Response)
async def register_dataset_upload_by_id(
    tx: Tx, caller: SignedIn, dataset_id: InDataset, body: JobStatusMeta
) -> Response:
    """Record an upload as a job."""
    progress = {"total": body.total, "processed": body.processed, "upload_method": body.upload_method}
    await actions.register_upload(tx, caller, dataset_id, progress)
    return Response()


@router.get(_DATASET + "/uploads", operation_id="get_sample_uploads_by_dataset_id")
async def get_sample_uploads_by_dataset_id(
    tx: Tx, caller: SignedIn, dataset_id: InDataset, page: Paged, state: State = None
) -> list[SampleUpload]:
    """Samples with the state of their bytes; with ``state=missing`` those that an upload has still to send."""
    wanted = None if state is None else convert.STATE[state]
    found = await images.list_bytes(tx, caller, dataset_id, wanted, page)
    return [convert.sample_upload(one) for one in found]


@router.get(_DATASET + "/uploads/summary", operation_id="get_upload_summary_by_dataset_id")
async def get_upload_summary_by_dataset_id(tx: Tx, caller: SignedIn, dataset_id: InDataset) -> UploadSummary:
    """How many samples lack their bytes, have them, or have some that show no picture."""
    return convert.upload_summary(await images.count_bytes(tx, caller, dataset_id))


@router.get(
    _DATASET + "/datasource",
    operation_id="get_datasource_by_dataset_id",
    tags=["Datasources"],
    response_class=Response,
)
async def get_datasource_by_dataset_id(tx: Tx, caller: SignedIn, dataset_id: InDataset) -> Response:
    """Where the images lie. Secrets never come back."""
    return json_response(convert.datasource_data(await actions.get_datasource(tx, caller, dataset_id)))


@router.put(
    _DATASET + "/datasource",
    operation_id="update_datasource_by_dataset_id",
    tags=["Datasources"],
    response_class=Response,
)
async def update_datasource_by_dataset_id(
    tx: Tx, caller: SignedIn, dataset_id: InDataset, body: Annotated[dict[str, Any], Body()]
) -> Response:
    """Say where the images lie."""
    await actions.set_datasource(tx, caller, dataset_id, body)
    return Response()


@router.get(
    _DATASET + "/configuration/metadata",
    operation_id="get_meta_data_configurations",
    tags=["MetaDataConfigurations"],
)
async def get_meta_data_configurations(tx: Tx, caller: SignedIn, dataset_id: InDataset) -> list[ConfigurationData]:
    """Which paths into the custom metadata are shown."""
    return [convert.configuration_data(found) for found in await actions.list_configurations(tx, caller, dataset_id)]


@router.post(
    _DATASET + "/configuration/metadata",
    operation_id="create_meta_data_configuration",
    tags=["MetaDataConfigurations"],
    status_code=201,
)
async def create_meta_data_configuration(
    tx: Tx, caller: SignedIn, dataset_id: InDataset, body: ConfigurationSetRequest
) -> CreateEntityResponse:
    """Say which paths are shown."""
    entries = [entry.model_dump(mode="json", by_alias=True) for entry in body.configs]
    return CreateEntityResponse(id=await actions.create_configuration(tx, caller, dataset_id, body.name, entries))
