"""SQL that looks for samples by what is known of them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Double, Text, case, cast, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.elements import ColumnElement

from quadrat.samples.tables import document, fact, sample
from quadrat.samples.types import DatasetId, SampleQuestion

_SOURCE: dict[str, Sequence[Any]] = {
    # What a client has sent counts before what was measured here.
    "metaData": (document.c.metadata_, fact.c.metadata_),
    "customMetaData": (document.c.custom_metadata,),
    "exif": (document.c.exif, fact.c.exif),
}


_KNOWN = sample.outerjoin(document, document.c.sample_id == sample.c.id).outerjoin(
    fact, fact.c.sample_id == sample.c.id
)


async def find_indexes(
    tx: AsyncConnection, dataset_id: DatasetId, wanted: SampleQuestion, place: tuple[str, Sequence[str]] | None
) -> list[int]:
    """Indexes of the samples that fit, in order; `place` is the document and the keys of the field asked for."""
    query = select(sample.c.index).select_from(_KNOWN).where(sample.c.dataset_id == dataset_id)
    if wanted.name:
        query = query.where(sample.c.file_name.icontains(wanted.name, autoescape=True))
    if place is not None:
        value = _value(*place)
        if wanted.text:
            query = query.where(_text(value).icontains(wanted.text, autoescape=True))
        if wanted.low is not None:
            query = query.where(_number(value) >= wanted.low)
        if wanted.high is not None:
            query = query.where(_number(value) <= wanted.high)
        if not wanted.text and wanted.low is None and wanted.high is None:
            query = query.where(value.is_not(None))
    return list((await tx.execute(query.order_by(sample.c.index))).scalars())


async def some_documents(tx: AsyncConnection, dataset_id: DatasetId, limit: int) -> list[dict[str, Any]]:
    """Documents of the newest samples."""
    columns = [func.coalesce(*sources) if len(sources) > 1 else sources[0] for sources in _SOURCE.values()]
    query = (
        select(*columns)
        .select_from(_KNOWN)
        .where(sample.c.dataset_id == dataset_id)
        .order_by(sample.c.index.desc())
        .limit(limit)
    )
    return [dict(zip(_SOURCE, row, strict=True)) for row in await tx.execute(query)]


def _value(source: str, keys: Sequence[str]) -> ColumnElement[Any]:
    found = [func.jsonb_extract_path(column, *keys) for column in _SOURCE[source]]
    return func.coalesce(*found, type_=JSONB) if len(found) > 1 else found[0]


def _text(value: ColumnElement[Any]) -> ColumnElement[Any]:
    return value.op("#>>", return_type=Text())(literal([], ARRAY(Text)))


def _number(value: ColumnElement[Any]) -> ColumnElement[Any]:
    """Null where it is no number, so that it fits no bounds."""
    return case((func.jsonb_typeof(value) == "number", cast(_text(value), Double)), else_=None)
