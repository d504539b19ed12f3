"""Between domain values and the words of the object-set API, for objects and sets of them."""

import datetime as dt
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np

from quadrat.api.ecotaxa.schemas.object_sets import ObjectSetSummaryRsp
from quadrat.api.ecotaxa.schemas.objects import HistoricalClassification, ImageModel, ObjectModel
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.types import ProjectId
from quadrat.objects.actions.classification import Reverted
from quadrat.objects.actions.objects import ObjectSheet
from quadrat.objects.actions.queries import Counts, ObjectList, Parents
from quadrat.objects.frames.specs import NO_ID, NO_MOMENT, UNCLASSIFIED, Ids
from quadrat.objects.rules.fields import Field, Kind
from quadrat.objects.rules.images import vault_name, vault_thumbnail_name
from quadrat.objects.store.single import HistoryLine
from quadrat.objects.types import HUMAN_STATES, Image, State

_IDS_AT_A_TIME = 50_000
_QUALIFICATIONS: Mapping[str, State | None] = {
    "V": State.VALIDATED,
    "D": State.DUBIOUS,
    "P": State.PREDICTED,
    "=": None,
}
_TIMES = frozenset({Kind.DATE, Kind.TIME, Kind.MOMENT})
_encoder = msgspec.json.Encoder()


def qualification(text: str) -> State | None:
    """The state that a caller wants; None keeps the present one.

    Raises:
        QuadratError: invalid.
    """
    if text not in _QUALIFICATIONS:
        raise QuadratError(
            ErrorKind.INVALID,
            f"{text[:20]!r} is no qualification: V (validated), D (dubious), P (predicted) or = (as it is).",
            field="wanted_qualification",
        )
    return _QUALIFICATIONS[text]


def plain(value: Any) -> Any:
    """A field's value as JSON has it: times are UTC without saying so."""
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, dt.time):
        return value.replace(microsecond=0).isoformat()
    return value.isoformat() if isinstance(value, dt.date) else value


def moment(value: datetime) -> str:
    """A time in UTC, without a zone."""
    return value.astimezone(UTC).replace(tzinfo=None).isoformat()


def summary(counts: Counts, *, only_total: bool) -> ObjectSetSummaryRsp:
    """Counts by state, or the total alone."""
    if only_total:
        return ObjectSetSummaryRsp(
            total_objects=counts.total, validated_objects=None, dubious_objects=None, predicted_objects=None
        )
    return ObjectSetSummaryRsp(
        total_objects=counts.total,
        validated_objects=counts.validated,
        dubious_objects=counts.dubious,
        predicted_objects=counts.predicted,
    )


def list_head(found: ObjectList, project_id: ProjectId) -> Iterator[bytes]:
    """The JSON of a list up to its details, in parts that each take only a moment to make."""
    yield b'{"object_ids":['
    yield from _numbers(found.object_ids)
    yield b'],"acquisition_ids":['
    yield from _numbers(found.acquisition_ids)
    yield b'],"sample_ids":['
    yield from _numbers(found.sample_ids)
    yield b'],"project_ids":['
    yield b",".join([str(project_id).encode()] * len(found.object_ids))
    yield b'],"details":['


def list_tail(found: ObjectList) -> bytes:
    """The JSON of a list after its details."""
    return b'],"total_ids":%d}' % found.total


def details(rows: Sequence[Sequence[Any]], fields: Sequence[Field]) -> bytes:
    """Rows of details, with commas between them."""
    if not any(field.kind in _TIMES for field in fields):
        return _encoder.encode(rows)[1:-1]
    return _encoder.encode([[plain(value) for value in row] for row in rows])[1:-1]


def whole_list(found: ObjectList, project_id: ProjectId, rows: Sequence[Sequence[Any]] | None) -> bytes:
    """The JSON of a list that is made at once; without fields each row of details is empty."""
    shown = empty_details(len(found.object_ids)) if rows is None else details(rows, found.fields)
    return b"".join([*list_head(found, project_id), shown, list_tail(found)])


def empty_details(n: int) -> bytes:
    """As many rows without a field."""
    return b",".join([b"[]"] * n)


async def stream(found: ObjectList, project_id: ProjectId, rows: AsyncIterator[Sequence[Any]]) -> AsyncIterator[bytes]:
    """The JSON of a long list."""
    for part in list_head(found, project_id):
        yield part
    pending: list[Sequence[Any]] = []
    first = True
    async for row in rows:
        pending.append(row)
        if len(pending) == 1_000:
            yield (b"" if first else b",") + details(pending, found.fields)
            first = False
            pending = []
    if pending:
        yield (b"" if first else b",") + details(pending, found.fields)
    yield list_tail(found)


def parents(found: Parents) -> bytes:
    """The JSON of parents."""
    return _encoder.encode(
        {
            "object_ids": found.object_ids.tolist(),
            "acquisition_ids": found.acquisition_ids.tolist(),
            "sample_ids": found.sample_ids.tolist(),
            "project_ids": found.project_ids.tolist(),
            "details": [],
            "total_ids": len(found.object_ids),
        }
    )


def _numbers(values: Ids) -> Iterator[bytes]:
    for start in range(0, len(values), _IDS_AT_A_TIME):
        part = _encoder.encode(values[start : start + _IDS_AT_A_TIME].tolist())[1:-1]
        yield part if start == 0 else b"," + part


def reverted(done: Reverted) -> bytes:
    """The JSON of what a revert did or would do: a `HistoricalLastClassif` for each object."""
    names = {str(taxon_id): both for taxon_id, both in done.names.items()}
    found = done.objects
    columns = (
        found.object_ids.tolist(),
        _known(found.taxa),
        _moments(found.entered_at),
        [_RESTORED_TYPES[letter] for letter in found.former_states.tolist()],
        _known(found.former_taxa),
        [_RESTORED_STATES[letter] for letter in found.former_states.tolist()],
        _known(found.former_authors),
        found.former_scores.tolist(),  # what is no number is written as null
    )
    return _encoder.encode({"last_entries": list(map(_Restored, *columns)), "classif_info": names})


class _Restored(msgspec.Struct):
    objid: int
    classif_id: int | None
    histo_classif_date: str | None
    histo_classif_type: str
    histo_classif_id: int | None
    histo_classif_qual: str | None
    histo_classif_who: int | None
    histo_classif_score: float | None


def _known(ids: Ids) -> list[int | None]:
    return [None if id_ == NO_ID else id_ for id_ in ids.tolist()]


def _moments(values: Ids) -> list[str | None]:
    """Columns of moments as `moment` writes them."""
    known = values != NO_MOMENT
    whole = known & (values % 1_000_000 == 0)
    moments = np.datetime64("2000-01-01", "us") + np.where(known, values, 0)
    texts = np.where(whole, np.datetime_as_string(moments, "s"), np.datetime_as_string(moments, "us"))
    return [text if is_known else None for text, is_known in zip(texts.tolist(), known.tolist(), strict=True)]


def _type(state: State) -> str:
    return "M" if state in HUMAN_STATES else "A"


_RESTORED_TYPES = {ord(state): _type(state) for state in State} | {UNCLASSIFIED: "n"}
_RESTORED_STATES = {ord(state): state.value for state in State} | {UNCLASSIFIED: None}


def object_model(sheet: ObjectSheet) -> ObjectModel:
    """An object with its images and free columns."""
    names, texts = sheet.columns.object_numbers, sheet.columns.object_texts
    free: dict[str, float | str | None] = dict(zip(names, _padded(sheet.numbers, len(names)), strict=True))
    free |= dict(zip(texts, _padded(sheet.texts, len(texts)), strict=True))
    values = {name: plain(value) for name, value in sheet.values.items() if name != "imgcount"}
    return ObjectModel(
        **values,
        sample_id=sheet.sample_id,
        project_id=sheet.project_id,
        images=[image_model(image) for image in sheet.images],
        free_columns=free,
    )


def _padded(values: Sequence[Any], n: int) -> list[Any]:
    return [*values[:n], *[None] * (n - len(values))]


def image_model(image: Image) -> ImageModel:
    """An image; where it is its own thumbnail, none is named."""
    has_thumbnail = image.thumbnail_width_px is not None
    return ImageModel(
        imgid=image.id,
        objid=image.object_id,
        imgrank=image.rank,
        width=image.width_px,
        height=image.height_px,
        orig_file_name=image.file_name,
        file_name=vault_name(image.id, image.extension),
        thumb_file_name=vault_thumbnail_name(image.id) if has_thumbnail else None,
        thumb_width=image.thumbnail_width_px,
        thumb_height=image.thumbnail_height_px,
    )


def history_line(line: HistoryLine) -> HistoricalClassification:
    """A former state of an object."""
    former = line.former
    return HistoricalClassification(
        objid=line.object_id,
        classif_id=former.taxon_id,
        classif_date=moment(former.entered_at),
        classif_who=former.author_id,
        classif_type=_type(former.state),
        classif_qual=former.state.value,
        classif_score=former.score,
        user_name=line.author_name,
        taxon_name=line.taxon_name,
    )


def ids(values: Sequence[int]) -> Ids:
    """Numbers as an array."""
    return np.array(values, np.int64)
