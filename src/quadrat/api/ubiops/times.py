"""Times as clients send them."""

import re
from datetime import UTC, datetime

from quadrat.errors import ErrorKind, QuadratError

_LOST_PLUS = re.compile(r"(\d\d:\d\d(?::\d\d(?:\.\d+)?)?) (\d\d:?\d\d)\Z")


def read_time(text: str, field: str) -> datetime:
    """A time in ISO 8601, with a blank or a ``T``; without a zone it is UTC.

    Raises:
        QuadratError: invalid.
    """
    try:
        # A plus sign that was not escaped in an address has become a blank.
        at = datetime.fromisoformat(_LOST_PLUS.sub(r"\1+\2", text.strip()))
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise QuadratError(
            ErrorKind.INVALID, f"{field} is a time such as 2026-11-26T12:00:00Z.", field=field
        ) from error
