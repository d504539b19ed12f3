"""Time as Quadrat knows it: aware UTC."""

from datetime import UTC, datetime


def now() -> datetime:
    """The present moment, aware UTC."""
    return datetime.now(UTC)


def to_unix_ms(at: datetime) -> int:
    """Whole Unix milliseconds of an aware time."""
    return round(at.timestamp() * 1000)
