"""What all places have in common that connectors write to."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from uuid import UUID

import structlog

_log = structlog.get_logger(__name__)

CONNECT_S = 10.0
"""Longest time for a connection."""

WRITE_S = 30.0
"""Longest time for one write."""


class UnreachableError(Exception):
    """The place does not answer, or does not let us in; it may do so later."""


class RefusedError(Exception):
    """The place will never take this; the message says what does not fit, and holds no secret."""


class MissingExtraError(RefusedError):
    """This installation lacks a library."""

    def __init__(self, type_: str, extra: str) -> None:
        super().__init__(
            f"Connectors of type {type_} need a library that is not installed on this server: "
            f"install it with `pip install quadrat[{extra}]` and start the server again."
        )


@contextmanager
def unexpected_as_unreachable() -> Iterator[None]:
    """What a vendor's library raises besides what it promises counts as a place that may answer later.

    Raises:
        UnreachableError: Instead of anything but this and `RefusedError`.
    """
    try:
        yield
    except (RefusedError, UnreachableError):
        raise
    except Exception as error:
        _log.exception("target.failed_unexpectedly")
        raise UnreachableError(f"The library of the connector failed with {type(error).__name__}.") from error


class Message(NamedTuple):
    """One row, or one file by the id of its blob.

    Args:
        id: The same in every attempt.
        values: By field.
    """

    id: UUID
    values: Mapping[str, Any]


class Target(Protocol):
    """A place that is written to. Not used by two tasks at a time."""

    async def verify(self) -> None:
        """Connect, and look at what is written to, without writing.

        Raises:
            UnreachableError: No connection.
            RefusedError: There is nothing to write to, or it does not fit.
        """
        ...

    async def write(self, messages: Sequence[Message]) -> None:
        """Write messages, all or none where the place can do that.

        Raises:
            UnreachableError: Nobody knows how much was written; try again.
            RefusedError: At least one of them will never be taken.
        """
        ...

    async def close(self) -> None:
        """Give the connection back."""
        ...


class BlobSource(Protocol):
    """Where blob connectors get their files."""

    def fetch(self, blob_id: UUID) -> AbstractAsyncContextManager[tuple[str, Path]]:
        """Name and local copy of a blob, which exists until the end of the block.

        Raises:
            RefusedError: The blob is not there any more.
        """
        ...
