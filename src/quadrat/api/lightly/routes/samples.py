"""Image samples of a dataset, and the signed addresses of their bytes."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Annotated, Any

from fastapi import Depends, Query, Request
from pydantic import BeforeValidator
from starlette.responses import RedirectResponse, Response

from quadrat.api.guard import new_router
from quadrat.api.lightly import convert
from quadrat.api.lightly.auth import LinkHolder, SignedIn
from quadrat.api.lightly.schemas.samples import (
    MappingField,
    Rendition,
    SamplePartialMode,
    SampleSortBy,
    SampleUpdateRequest,
    SampleWriteUrls,
)
from quadrat.api.lightly.schemas.scalars import ObjectId, PageOffset, PageSize, QueryBoolean, absent_if_none
from quadrat.api.state import Limits
from quadrat.api.wire import Tx, base_url, json_response, stream_blocks, stream_rows
from quadrat.db.engine import Database
from quadrat.samples import types as domain
from quadrat.samples.actions import images
from quadrat.samples.actions import samples as actions
from quadrat.samples.types import DatasetId, Part, SampleId, SampleList, SampleName

router = new_router("Samples")
_SAMPLES = "/datasets/{datasetId}/samples"
_SAMPLE = _SAMPLES + "/{sampleId}"

FileName = Annotated[str | None, Query(alias="fileName")]
SortBy = Annotated[SampleSortBy | None, BeforeValidator(absent_if_none), Query(alias="sortBy")]
Mode = Annotated[SamplePartialMode | None, BeforeValidator(absent_if_none)]
OptionalType = Annotated[Rendition | None, BeforeValidator(absent_if_none)]


async def address_maker(request: Request) -> images.AddressMaker:
    """What makes addresses under which this caller reaches the server."""
    limits: Limits = request.state.limits
    state = request.state
    return images.AddressMaker(
        state.blobs, state.references, base_url(request), limits.read_url_life, limits.write_url_life
    )


Addresses = Annotated[images.AddressMaker, Depends(address_maker)]


async def _named(datasetId: ObjectId, sampleId: ObjectId) -> tuple[DatasetId, SampleId]:  # noqa: N803
    return DatasetId(datasetId), SampleId(sampleId)


Sample = Annotated[tuple[DatasetId, SampleId], Depends(_named)]


async def _listed(
    datasetId: ObjectId,  # noqa: N803
    file_name: FileName = None,
    page_size: PageSize = None,
    page_offset: PageOffset = None,
) -> SampleList:
    return SampleList(DatasetId(datasetId), file_name=file_name, limit=page_size, offset=page_offset or 0)


Listed = Annotated[SampleList, Depends(_listed)]


async def _rows(db: Database, allowed: SampleList) -> AsyncIterator[dict[str, Any]]:
    async for found in actions.stream_samples(db, allowed):
        yield convert.sample_data(found)


@router.get(_SAMPLES, operation_id="get_samples_by_dataset_id", response_class=Response)
async def get_samples_by_dataset_id(
    request: Request, tx: Tx, caller: SignedIn, listed: Listed, sort_by: SortBy = None
) -> Response:
    """All samples, or a page of them, in the order of their index; sent as a stream."""
    wanted = listed if sort_by is None else replace(listed, order=convert.ORDER[sort_by])
    return stream_rows(_rows(request.state.db, await actions.allow_list(tx, caller, wanted)))


# Before the route with a sample's id, which `partial` would match too.
@router.get(_SAMPLES + "/partial", operation_id="get_samples_partial_by_dataset_id", response_class=Response)
async def get_samples_partial_by_dataset_id(
    request: Request, tx: Tx, caller: SignedIn, listed: Listed, mode: Mode = None
) -> Response:
    """Ids, ids with file names, or everything; sent as a stream."""
    wanted = replace(listed, part=convert.PART[mode or SamplePartialMode.FULL])
    allowed = await actions.allow_list(tx, caller, wanted)
    if wanted.part is Part.FULL:
        return stream_rows(_rows(request.state.db, allowed))
    return stream_blocks(_name_blocks(request.state.db, allowed, convert.sample_name))


@router.get(_SAMPLE, operation_id="get_sample_by_id", response_class=Response)
async def get_sample_by_id(tx: Tx, caller: SignedIn, sample: Sample) -> Response:
    """One sample."""
    return json_response(convert.sample_data(await actions.get_sample(tx, caller, *sample)))


@router.put(_SAMPLE, operation_id="update_sample_by_id", response_class=Response)
async def update_sample_by_id(
    tx: Tx,
    caller: SignedIn,
    sample: Sample,
    body: SampleUpdateRequest,
    _update_dataset: Annotated[QueryBoolean, Query(alias="enableDatasetUpdate")] = None,
) -> Response:
    """Replace the keys that are given. The dataset's totals are always right, whatever the parameter says."""
    await actions.update_sample(tx, caller, *sample, convert.sample_change(body))
    return Response()


@router.get(_SAMPLE + "/readurl", operation_id="get_sample_image_read_url_by_id")
async def get_sample_image_read_url_by_id(
    request: Request,
    caller: SignedIn,
    sample: Sample,
    addresses: Addresses,
    type: OptionalType = None,
) -> str:
    """A signed address that ends, to read the image or its thumbnail from."""
    state = request.state
    await state.door.check(caller, sample[0], "samples.read")
    return await images.read_address(state.db, sample, _rendition(type), addresses, state.thumbnails)


@router.get(
    _SAMPLE + "/readurlRedirect",
    operation_id="get_sample_image_resource_redirect_by_id",
    status_code=307,
    response_class=Response,
)
async def get_sample_image_resource_redirect_by_id(
    request: Request,
    caller: LinkHolder,
    sample: Sample,
    addresses: Addresses,
    type: OptionalType = None,
) -> Response:
    """A link that does not end: each call leads to a new signed address."""
    state = request.state
    await state.door.check(caller, sample[0], "samples.read")
    address = await images.read_address(state.db, sample, _rendition(type), addresses, state.thumbnails)
    return RedirectResponse(address, 307)


@router.get(_SAMPLE + "/writeurl", operation_id="get_sample_image_write_url_by_id")
async def get_sample_image_write_url_by_id(
    request: Request,
    caller: SignedIn,
    sample: Sample,
    addresses: Addresses,
    is_thumbnail: Annotated[QueryBoolean, Query(alias="isThumbnail")] = None,
) -> str:
    """A signed address to PUT the image or its thumbnail to."""
    rendition = domain.Rendition.THUMBNAIL if is_thumbnail else domain.Rendition.FULL
    state = request.state
    await state.door.check(caller, sample[0], "samples.update")
    return await images.write_address(state.db, state.image_places, sample, rendition, addresses)


@router.get(_SAMPLE + "/writeurls", operation_id="get_sample_image_write_urls_by_id")
async def get_sample_image_write_urls_by_id(
    request: Request, caller: SignedIn, sample: Sample, addresses: Addresses
) -> SampleWriteUrls:
    """Both signed addresses."""
    state = request.state
    await state.door.check(caller, sample[0], "samples.update")
    return SampleWriteUrls(
        full=await images.write_address(state.db, state.image_places, sample, domain.Rendition.FULL, addresses),
        thumb=await images.write_address(state.db, state.image_places, sample, domain.Rendition.THUMBNAIL, addresses),
    )


@router.get(
    "/datasets/{datasetId}/mappings",
    operation_id="get_sample_mappings_by_dataset_id",
    tags=["Mappings"],
    response_class=Response,
)
async def get_sample_mappings_by_dataset_id(
    request: Request, tx: Tx, caller: SignedIn, listed: Listed, field: MappingField = MappingField.ID
) -> Response:
    """The id or the file name of every sample; the position in the list is the sample's index."""
    wanted = replace(listed, part=convert.MAPPED_PART[field])
    allowed = await actions.allow_list(tx, caller, wanted)
    return stream_blocks(_name_blocks(request.state.db, allowed, convert.MAPPED[field]))


async def _name_blocks(
    db: Database, allowed: SampleList, make: Callable[[SampleName], Any]
) -> AsyncIterator[list[Any]]:
    async for block in actions.stream_names(db, allowed):
        yield [make(found) for found in block]


def _rendition(type_: Rendition | None) -> domain.Rendition:
    return convert.RENDITION[type_ or Rendition.FULL]
