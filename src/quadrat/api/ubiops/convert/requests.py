"""Requests between the wire and the house."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from quadrat.api.ubiops.convert.contents import to_value
from quadrat.api.ubiops.convert.times import to_utc
from quadrat.api.ubiops.schemas.requests import RequestListQuery
from quadrat.errors import ErrorKind, QuadratError
from quadrat.serving.actions.access import VersionPath
from quadrat.serving.rules.values import split_items
from quadrat.serving.types import Answer, BatchRequest, BatchRequestSummary, RequestFilter, RequestRecord, RequestState

_encode = msgspec.json.Encoder().encode
_ids = msgspec.json.Decoder(list[UUID])
_TEXT = "text/plain"


def to_data(body: bytes, content_type: str) -> bytes:
    """One request's data as JSON text: the body itself, or the text that a plain-text body holds.

    Raises:
        QuadratError: invalid.
    """
    if not content_type.lower().startswith(_TEXT):
        return body
    try:
        return _encode(body.decode())
    except UnicodeDecodeError as error:
        raise QuadratError(ErrorKind.INVALID, "The text of the request is not UTF-8.") from error


def to_items(body: bytes, content_type: str) -> list[bytes]:
    """The data of each request of a batch; a body that is no list is one request.

    Raises:
        QuadratError: invalid.
    """
    if content_type.lower().startswith(_TEXT):
        return [to_data(body, content_type)]
    return split_items(body)


def to_ids(body: bytes) -> list[UUID]:
    """The ids in a body.

    Raises:
        QuadratError: invalid.
    """
    try:
        return _ids.decode(body)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise QuadratError(ErrorKind.INVALID, "The body must be a list of request ids.") from error


def to_filter(query: RequestListQuery) -> RequestFilter:
    """What is asked for; both filters of the state count."""
    states = list(RequestState) if query.status is None else [query.status]
    if query.success is not None:
        states = [state for state in states if (state is RequestState.COMPLETED) is query.success]
    return RequestFilter(states, query.start_time, query.end_time)


def to_model_request_list(request_id: str, answer: Answer) -> bytes:
    """The body of a direct request's answer, made in one piece: it is the hot path."""
    return b'{"request_id":"%b","success":%b,"result":%b,"error_message":%b}' % (
        request_id.encode(),
        b"true" if answer.success else b"false",
        b"null" if answer.result is None else answer.result,
        b"null" if answer.error_message is None else _encode(answer.error_message),
    )


def to_create_responses(ids: Sequence[UUID], created_at: datetime) -> list[dict[str, Any]]:
    """`BatchModelRequestCreateResponse` of each, in the order in which they were sent."""
    created = to_utc(created_at)
    return [{"id": id_, "status": RequestState.PENDING, "time_created": created} for id_ in ids]


def to_list_response(request: BatchRequestSummary | BatchRequest) -> dict[str, Any]:
    """`BatchModelRequestListResponse`."""
    return {
        "id": request.id,
        "status": request.state,
        "success": request.state is RequestState.COMPLETED,
        "time_created": to_utc(request.created_at),
        "time_last_updated": to_utc(request.updated_at),
    }


def to_result_list(request: BatchRequest) -> dict[str, Any]:
    """`BatchModelRequestResultList`."""
    return {
        **to_list_response(request),
        "error_message": request.error_message,
        "request_data": to_value(request.data_payload_id or request.data),
        "result": to_value(request.result_payload_id or request.result),
    }


def to_request_detail(path: VersionPath, record: RequestRecord) -> dict[str, Any]:
    """`ModelRequestDetail`: what is known of one request, with the times of its states."""
    times = {"time_started": record.started_at, "time_completed": record.finished_at}
    return {
        "id": record.id,
        "model": path.model,
        "version": path.version,
        "batch": record.batch,
        "status": record.state,
        "success": record.state is RequestState.COMPLETED,
        "error_message": record.error_message,
        "time_created": to_utc(record.created_at),
        **{name: None if at is None else to_utc(at) for name, at in times.items()},
        "input_size": record.input_bytes,
        "output_size": record.output_bytes,
    }


def to_request_id(text: str) -> UUID:
    """The id in an address.

    Raises:
        QuadratError: not_found, since nothing has an id that is none.
    """
    try:
        return UUID(text)
    except ValueError as error:
        raise QuadratError(ErrorKind.NOT_FOUND, "There is no such request.") from error
