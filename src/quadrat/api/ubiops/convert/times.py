"""Times on the wire: UTC, whatever zone the database session has."""

from datetime import UTC, date, datetime


def to_utc(at: datetime) -> datetime:
    """The same moment in UTC; pydantic writes it as ``2020-05-12T16:23:15.456812Z``."""
    return at.astimezone(UTC)


def to_utc_date(at: datetime) -> date:
    """The day of the moment in UTC."""
    return at.astimezone(UTC).date()
