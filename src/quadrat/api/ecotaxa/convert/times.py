"""Times as this API writes them: ISO 8601, UTC, without a zone."""

from datetime import datetime


def wire_time(at: datetime) -> str:
    """To the microsecond."""
    return at.replace(tzinfo=None).isoformat(timespec="microseconds")
