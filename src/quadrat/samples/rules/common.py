"""What all rules of samples share. Pure."""

from datetime import datetime

from quadrat.base.clock import now
from quadrat.errors import ErrorKind, QuadratError


def refusal(kind: ErrorKind, code: str, message: str, field: str | None = None) -> QuadratError:
    """A refusal with the word that the samples API's clients look for."""
    return QuadratError(kind, message, field=field, detail={"code": code})


def whole_ms(at: datetime) -> datetime:
    """The time without the part below a millisecond, which no API shows."""
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def this_moment() -> datetime:
    """Now, as it is stored."""
    return whole_ms(now())
