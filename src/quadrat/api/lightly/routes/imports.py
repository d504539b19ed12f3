"""Imports by reference: images that stay where they are."""

from typing import Annotated, Any

from fastapi import Request
from pydantic import BaseModel, Field

from quadrat.api.guard import new_router
from quadrat.api.lightly.auth import SignedIn
from quadrat.api.lightly.routes.tags import InDataset
from quadrat.api.lightly.schemas.datasets import CreateEntityResponse
from quadrat.api.state import Limits
from quadrat.api.wire import Tx
from quadrat.samples.actions import imports as actions

router = new_router("Imports")
_IMPORTS = "/datasets/{datasetId}/imports"


class ImportRequest(BaseModel):
    """A folder of the server, or ``s3://bucket/prefix``."""

    source: Annotated[str, Field(min_length=1, max_length=4096)]


class ImportData(BaseModel):
    """How an import goes; `result` says how many samples are new, known, changed or skipped, and why."""

    id: str
    state: str
    progress: str
    errors: list[str]
    result: dict[str, Any]


@router.post(_IMPORTS, operation_id="create_import_by_dataset_id", status_code=201)
async def create_import_by_dataset_id(
    request: Request, tx: Tx, caller: SignedIn, dataset_id: InDataset, body: ImportRequest
) -> CreateEntityResponse:
    """Import images without a copy, from where the operator allows it. The same import again takes in what is new."""
    limits: Limits = request.state.limits
    most = limits.max_samples_per_dataset
    made = await actions.import_later(tx, caller, dataset_id, body.source, limits.import_roots, max_samples=most)
    return CreateEntityResponse(id=str(made))


@router.get(_IMPORTS + "/{importId}", operation_id="get_import_by_id")
async def get_import_by_id(
    tx: Tx,
    caller: SignedIn,
    dataset_id: InDataset,
    importId: str,  # noqa: N803 - as the others are spelled
) -> ImportData:
    """How an import goes."""
    job = await actions.get_import(tx, caller, dataset_id, importId)
    return ImportData(
        id=str(job.id),
        state=job.state.value,
        progress=job.progress_message,
        errors=list(job.errors),
        result=dict(job.result),
    )
