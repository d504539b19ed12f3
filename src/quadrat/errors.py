"""What domains raise. It knows no HTTP: each API has its own table from kind to status and body."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any


class ErrorKind(StrEnum):
    """What went wrong, in terms that every API can translate."""

    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    ALREADY_EXISTS = "already_exists"
    INVALID = "invalid"
    WRONG_STATE = "wrong_state"
    TOO_LARGE = "too_large"
    LIMIT_REACHED = "limit_reached"
    UNAVAILABLE = "unavailable"
    UNSUPPORTED = "unsupported"


class OperatorError(Exception):
    """What only whoever runs the server can mend; the message says how. The command prints it."""


class QuadratError(Exception):
    """A refusal that the caller can understand and mend.

    Args:
        kind: What an API translates into its status and code.
        message: One sentence for the person who called; no secrets, server paths or SQL.
        field: Name of the offending input, as the domain calls it.
        detail: Facts for machines, e.g. ``{"code": "DATASET_UNKNOWN"}``; JSON values only.
        retry_after_s: When it is worth trying again, in seconds.
    """

    def __init__(
        self,
        kind: ErrorKind,
        message: str,
        *,
        field: str | None = None,
        detail: Mapping[str, Any] | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.field = field
        self.detail: Mapping[str, Any] = detail or {}
        self.retry_after_s = retry_after_s
