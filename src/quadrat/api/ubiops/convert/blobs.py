"""Blobs between the wire and the house."""

from datetime import UTC, datetime
from uuid import UUID

from quadrat.api.ubiops.convert.times import to_utc
from quadrat.api.ubiops.schemas.blobs import BlobList
from quadrat.errors import ErrorKind, QuadratError
from quadrat.serving.actions.blobs import no_blob
from quadrat.serving.rules.blobs import DEFAULT_RANGE, DEFAULT_TTL_S, check_range, check_ttl
from quadrat.serving.types import Blob

_SHOWN = 64


def to_blob_list(blob: Blob) -> BlobList:
    """A blob, alone and in a list."""
    return BlobList(
        id=str(blob.id),
        creation_date=to_utc(blob.created_at),
        filename=blob.file_name,
        size=blob.size_bytes,
        ttl=blob.ttl_s,
    )


def to_ttl(header: str | None) -> int:
    """The life that the header ``blob-ttl`` asks for.

    Raises:
        QuadratError: invalid.
    """
    if header is None:
        return DEFAULT_TTL_S
    return check_ttl(_to_int(header, "blob-ttl"))


def to_range(text: str | None) -> int:
    """How many blobs, and in which direction of time.

    Raises:
        QuadratError: invalid.
    """
    return DEFAULT_RANGE if text is None else check_range(_to_int(text, "range"))


def to_start(text: str | None) -> datetime | None:
    """The moment that a list starts at, ``year-month-day hour:minute:second`` in UTC.

    Raises:
        QuadratError: invalid.
    """
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise QuadratError(
            ErrorKind.INVALID, "The creation_date must be written as YYYY-MM-DD HH:MM:SS.", field="creation_date"
        ) from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at


def to_blob_id(text: str) -> UUID:
    """The id in an address.

    Raises:
        QuadratError: not_found, since nothing has an id that is none.
    """
    try:
        return UUID(text)
    except ValueError:
        raise no_blob(text[:_SHOWN]) from None


def _to_int(text: str, name: str) -> int:
    try:
        return int(text[:_SHOWN])
    except ValueError:
        raise QuadratError(ErrorKind.INVALID, f"The {name} must be a whole number.", field=name) from None
