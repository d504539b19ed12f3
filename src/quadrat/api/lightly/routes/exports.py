"""Exports of a tag for labelling programs, with links that work until they are revoked."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

import msgspec
from fastapi import Depends, Query, Request
from pydantic import BeforeValidator
from starlette.responses import Response

from quadrat.api.guard import new_router
from quadrat.api.lightly import convert, convert_sets
from quadrat.api.lightly.auth import SignedIn
from quadrat.api.lightly.routes.tags import InDataset, NamedTag
from quadrat.api.lightly.schemas.scalars import ObjectId, PageOffset, PageSize, QueryBoolean, absent_if_none
from quadrat.api.lightly.schemas.settings import PublicTokenData
from quadrat.api.lightly.schemas.tags import FileNameFormat, FileOutputFormat
from quadrat.api.wire import Tx, base_url, stream_lines, stream_rows
from quadrat.samples.actions import exports, links
from quadrat.samples.actions.datasets import Page
from quadrat.samples.actions.exports import Export
from quadrat.samples.types import ImageSample, SampleName

router = new_router("Tags")
_EXPORT = "/datasets/{datasetId}/tags/{tagId}/export"
_MAX_SECONDS = 3_000_000_000
_encode = msgspec.json.Encoder().encode

ExpiresIn = Annotated[int | None, BeforeValidator(absent_if_none), Query(alias="expiresIn", ge=1, le=_MAX_SECONDS)]
NameFormat = Annotated[FileNameFormat | None, BeforeValidator(absent_if_none), Query(alias="fileNameFormat")]
OutputFormat = Annotated[FileOutputFormat | None, BeforeValidator(absent_if_none), Query(alias="format")]
IncludeMetadata = Annotated[QueryBoolean, Query(alias="includeMetaData")]
Found = ImageSample | SampleName


@dataclass(frozen=True, slots=True)
class _Wanted:
    """How an export is to be written.

    Args:
        name_format: How samples are named.
        output: As JSON or line by line; None for what is usual.
        with_metadata: Whether everything known of each sample is sent.
        life: Of the links.
        page: Which part.
    """

    name_format: FileNameFormat
    output: FileOutputFormat | None
    with_metadata: bool
    life: timedelta | None
    page: Page


async def _wanted(  # noqa: PLR0913 - one for each parameter of the contract
    *,
    expires_in: ExpiresIn = None,
    _access_control: Annotated[str | None, Query(alias="accessControl")] = None,
    file_name_format: NameFormat = None,
    include_meta_data: IncludeMetadata = None,
    output: OutputFormat = None,
    preview_example: Annotated[QueryBoolean, Query(alias="previewExample")] = None,
    page_size: PageSize = None,
    page_offset: PageOffset = None,
) -> _Wanted:
    return _Wanted(
        name_format=file_name_format or FileNameFormat.NAME,
        output=output,
        with_metadata=include_meta_data is not False,
        life=None if expires_in is None else timedelta(seconds=expires_in),
        page=Page(1) if preview_example else Page(page_size, page_offset or 0),
    )


Wanted = Annotated[_Wanted, Depends(_wanted)]


async def _allowed(request: Request, tx: Tx, caller: SignedIn, tag: NamedTag, wanted: Wanted) -> Export:
    return await exports.prepare_export(tx, caller, tag, wanted.page, request.state.sealer, wanted.life)


Allowed = Annotated[Export, Depends(_allowed)]


@router.get(_EXPORT + "/LabelStudio/tasks", operation_id="export_tag_to_label_studio_tasks", response_class=Response)
async def export_tag_to_label_studio_tasks(request: Request, allowed: Allowed, wanted: Wanted) -> Response:
    """Tasks for Label Studio."""
    link = _links(request, allowed)

    def task(index: int, found: Found) -> dict[str, Any]:
        data: dict[str, Any] = {"image": link(found), "lightlyFileName": found.file_name}
        if isinstance(found, ImageSample):
            data["lightlyMetaInfo"] = convert.sample_data(found)
        return {"id": index, "data": data}

    return _answer(request, allowed, wanted, task, full=wanted.with_metadata)


@router.get(_EXPORT + "/LabelBox/datarows", operation_id="export_tag_to_label_box_data_rows", response_class=Response)
async def export_tag_to_label_box_data_rows(request: Request, allowed: Allowed, wanted: Wanted) -> Response:
    """Data rows for Labelbox."""
    link = _links(request, allowed)

    def row(_index: int, found: Found) -> dict[str, Any]:
        return {"externalId": found.file_name, "imageUrl": link(found)}

    return _answer(request, allowed, wanted, row)


@router.get(_EXPORT + "/basic/filenames", operation_id="export_tag_to_basic_filenames", response_class=Response)
async def export_tag_to_basic_filenames(request: Request, allowed: Allowed, wanted: Wanted) -> Response:
    """File names, full paths or links, one per line, in the same order for each format."""
    link = _links(request, allowed)
    folder = "" if allowed.folder is None else allowed.folder.rstrip("/") + "/"

    def name(_index: int, found: Found) -> str:
        if wanted.name_format is FileNameFormat.REDIRECTED_READ_URL:
            return link(found)
        return f"{folder if wanted.name_format is FileNameFormat.DATASOURCE_FULL else ''}{found.file_name}"

    if wanted.output is FileOutputFormat.JSON:
        return stream_rows(_rows(request, allowed, name, full=False))
    return stream_lines(_lines(request, allowed, name))


def _answer(
    request: Request, allowed: Export, wanted: _Wanted, make: Callable[[int, Found], Any], *, full: bool = False
) -> Response:
    rows = _rows(request, allowed, make, full=full)
    if wanted.output is not FileOutputFormat.PLAIN:
        return stream_rows(rows)
    return stream_lines(_encoded(rows))


async def _rows(
    request: Request, allowed: Export, make: Callable[[int, Found], Any], *, full: bool
) -> AsyncIterator[Any]:
    async for index, found in exports.stream_export(request.state.db, allowed, full=full):
        yield make(index, found)


async def _encoded(rows: AsyncIterator[Any]) -> AsyncIterator[str]:
    async for row in rows:
        yield _encode(row).decode()


async def _lines(request: Request, allowed: Export, name: Callable[[int, Found], str]) -> AsyncIterator[str]:
    async for row in _rows(request, allowed, name, full=False):
        # A name is opaque and may hold a line break, which a list of lines cannot show.
        yield row.replace("\r", " ").replace("\n", " ")


def _links(request: Request, allowed: Export) -> Callable[[Found], str]:
    """Makes links that do not end before their public token does."""
    start = f"{base_url(request)}/v1/datasets/{allowed.dataset_id}/samples"
    end = f"readurlRedirect?type=full&publicToken={allowed.public_token}"
    return lambda found: f"{start}/{found.id}/{end}"


@router.get("/datasets/{datasetId}/publicTokens", operation_id="get_public_tokens_by_dataset_id")
async def get_public_tokens_by_dataset_id(tx: Tx, caller: SignedIn, dataset_id: InDataset) -> list[PublicTokenData]:
    """The public tokens that exports of this dataset have made, without their secrets."""
    found = await links.list_links(tx, caller, dataset_id)
    return [convert_sets.public_token_data(one) for one in found]


@router.delete(
    "/datasets/{datasetId}/publicTokens/{publicTokenId}",
    operation_id="delete_public_token_by_id",
    response_class=Response,
)
async def delete_public_token_by_id(
    tx: Tx,
    caller: SignedIn,
    dataset_id: InDataset,
    publicTokenId: ObjectId,  # noqa: N803 - the contract's spelling
) -> Response:
    """End a public token, and every link with it, at once."""
    await links.revoke_link(tx, caller, dataset_id, publicTokenId)
    return Response()
