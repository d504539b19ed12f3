"""What storage hands out: facts about bytes, a reader, a range."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class SignedMethod(StrEnum):
    """What a signed URL may be used for."""

    GET = "GET"
    PUT = "PUT"


@dataclass(frozen=True, slots=True)
class ByteRange:
    """A resolved, half-open range of bytes: 0 <= start < stop <= size."""

    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class BlobFacts:
    """What is known of stored bytes.

    Args:
        size_bytes: Length.
        etag: Quoted entity tag; changes with the content.
        modified_at: When they were stored, aware UTC.
    """

    size_bytes: int
    etag: str
    modified_at: datetime


@dataclass(frozen=True, slots=True)
class Received:
    """Bytes that were stored and that nobody knows of yet.

    Args:
        facts: Of the bytes.
        beginning: As many of the first of them as tell what they are.
        note: What says on disk that they came; None for a bucket.
        staged: Where they lie until `BlobStore.finish`; None when they lie under their key.
    """

    facts: BlobFacts
    beginning: bytes
    note: str | None
    staged: str | None = None


@dataclass(frozen=True, slots=True)
class BlobReader:
    """Stored bytes, read in pieces.

    Args:
        facts: Of the whole blob, also when only a range is read.
        content_range: The part that `chunks` yields.
        chunks: The bytes, in pieces of bounded size.
    """

    facts: BlobFacts
    content_range: ByteRange
    chunks: AsyncIterator[bytes]


@dataclass(frozen=True, slots=True)
class ByteSource:
    """Where the bytes behind a key are to be read when they are not in the store.

    Args:
        head: Gives facts about them.
        open: Opens them, or a range of them.
    """

    head: Callable[[], Awaitable[BlobFacts]]
    open: Callable[[ByteRange | None], Awaitable[BlobReader]]
