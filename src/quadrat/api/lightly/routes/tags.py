"""Tags: named subsets of a dataset."""

from typing import Annotated

from fastapi import Depends
from starlette.responses import Response

from quadrat.api.guard import new_router
from quadrat.api.lightly import convert_sets as convert
from quadrat.api.lightly.auth import SignedIn
from quadrat.api.lightly.schemas.datasets import CreateEntityResponse
from quadrat.api.lightly.schemas.scalars import ObjectId
from quadrat.api.lightly.schemas.tags import (
    InitialTagCreateRequest,
    TagArithmeticsRequest,
    TagBitMaskResponse,
    TagCreateRequest,
    TagUpdateRequest,
    TagUpsizeRequest,
)
from quadrat.api.wire import Tx, json_response
from quadrat.samples.actions import tags as actions
from quadrat.samples.rules.masks import format_mask
from quadrat.samples.types import DatasetId, ImageKind, TagId

router = new_router("Tags")
_TAGS = "/datasets/{datasetId}/tags"
_TAG = _TAGS + "/{tagId}"


async def _dataset(datasetId: ObjectId) -> DatasetId:  # noqa: N803 - the contract's spelling
    return DatasetId(datasetId)


async def _tag(datasetId: ObjectId, tagId: ObjectId) -> tuple[DatasetId, TagId]:  # noqa: N803
    return DatasetId(datasetId), TagId(tagId)


InDataset = Annotated[DatasetId, Depends(_dataset)]
NamedTag = Annotated[tuple[DatasetId, TagId], Depends(_tag)]


@router.get(_TAGS, operation_id="get_tags_by_dataset_id", response_class=Response)
async def get_tags_by_dataset_id(tx: Tx, caller: SignedIn, dataset_id: InDataset) -> Response:
    """All tags of a dataset."""
    return json_response([convert.tag_data(found) for found in await actions.list_tags(tx, caller, dataset_id)])


@router.post(_TAGS, operation_id="create_tag_by_dataset_id", status_code=201)
async def create_tag_by_dataset_id(
    tx: Tx, caller: SignedIn, dataset_id: InDataset, body: TagCreateRequest
) -> CreateEntityResponse:
    """Make a tag from another one."""
    made = await actions.create_tag(tx, caller, dataset_id, convert.new_tag(body), body.bit_mask_data)
    return CreateEntityResponse(id=made)


@router.post(_TAGS + "/initial", operation_id="create_initial_tag_by_dataset_id", status_code=201)
async def create_initial_tag_by_dataset_id(
    tx: Tx, caller: SignedIn, dataset_id: InDataset, body: InitialTagCreateRequest
) -> CreateEntityResponse:
    """Put all samples into the first tag, and say which bytes the dataset holds."""
    kind = ImageKind(body.img_type.value)
    return CreateEntityResponse(id=await actions.create_initial(tx, caller, dataset_id, kind, body.creator))


@router.post(_TAGS + "/upsize", operation_id="upsize_tags_by_dataset_id", status_code=201)
async def upsize_tags_by_dataset_id(
    tx: Tx, caller: SignedIn, dataset_id: InDataset, body: TagUpsizeRequest
) -> CreateEntityResponse:
    """Take the samples that came since into the initial tag and into one of their own."""
    made = await actions.upsize(
        tx, caller, dataset_id, body.upsize_tag_name, body.upsize_tag_creator, run_id=body.run_id
    )
    return CreateEntityResponse(id=made)


@router.post(_TAGS + "/arithmetics", operation_id="perform_tag_arithmetics")
async def perform_tag_arithmetics(
    tx: Tx, caller: SignedIn, dataset_id: InDataset, body: TagArithmeticsRequest
) -> TagBitMaskResponse | CreateEntityResponse:
    """The samples of two tags together, of both, or of the first alone; in a new tag when a name is given."""
    pair, operation = (TagId(body.tag_id1), TagId(body.tag_id2)), convert.OPERATION[body.operation]
    if body.new_tag_name is None:
        mask = await actions.combine(tx, caller, dataset_id, pair, operation)
        return TagBitMaskResponse(bit_mask_data=format_mask(mask))
    new = convert.combined_tag(body, body.new_tag_name)
    return CreateEntityResponse(id=await actions.combine_into(tx, caller, dataset_id, pair, operation, new))


@router.post(_TAGS + "/arithmetics/bitmask", operation_id="perform_tag_arithmetics_bitmask")
async def perform_tag_arithmetics_bitmask(
    tx: Tx, caller: SignedIn, dataset_id: InDataset, body: TagArithmeticsRequest
) -> TagBitMaskResponse:
    """As above, always as a mask."""
    pair = (TagId(body.tag_id1), TagId(body.tag_id2))
    mask = await actions.combine(tx, caller, dataset_id, pair, convert.OPERATION[body.operation])
    return TagBitMaskResponse(bit_mask_data=format_mask(mask))


@router.get(_TAG, operation_id="get_tag_by_tag_id", response_class=Response)
async def get_tag_by_tag_id(tx: Tx, caller: SignedIn, tag: NamedTag) -> Response:
    """One tag."""
    return json_response(convert.tag_data(await actions.get_tag(tx, caller, *tag)))


@router.put(_TAG, operation_id="update_tag_by_tag_id", response_class=Response)
async def update_tag_by_tag_id(tx: Tx, caller: SignedIn, tag: NamedTag, body: TagUpdateRequest) -> Response:
    """Rename a tag."""
    await actions.rename_tag(tx, caller, *tag, body.name)
    return Response()


@router.delete(_TAG, operation_id="delete_tag_by_tag_id", response_class=Response)
async def delete_tag_by_tag_id(tx: Tx, caller: SignedIn, tag: NamedTag) -> Response:
    """Remove a tag from which no other was made."""
    await actions.delete_tag(tx, caller, *tag)
    return Response()
