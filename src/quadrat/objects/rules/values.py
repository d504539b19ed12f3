"""From the words of an import file to values: numbers, dates, times, positions. Pure.

Each function takes text that is trimmed and not empty, and raises `ValueError` for what it cannot be.
"""

import math
import re
from datetime import date, time

_NOTHING = frozenset({"nan", "na"})
_DEGREES = re.compile(r"([+-]?)(\d{1,3})\s*°\s*(\d{1,2}(?:\.\d+)?)(?:\s+(\d{1,2}(?:\.\d+)?))?\s*([NSEWnsew]?)")
_DATE = re.compile(r"(\d{4})(\d{2})(\d{2})|(\d{4})-(\d{2})-(\d{2})")
_TIME = re.compile(r"(\d{1,2})(\d{2})|(\d{2})(\d{2})(\d{2})|(\d{1,2}):(\d{2}):(\d{2})(?:\.\d+)?")
_MINUTE = 60.0
_MAX_LATITUDE, _MAX_LONGITUDE = 90.0, 180.0


def to_number(text: str) -> float | None:
    """A finite number; None for ``nan`` and ``na`` in any case."""
    try:
        number = float(text)
    except ValueError:
        if text.lower() in _NOTHING:
            return None
        raise
    if math.isfinite(number):
        return number
    if math.isnan(number):
        return None
    message = f"{text} is no finite number"
    raise ValueError(message)


def to_whole_number(text: str) -> int:
    """A whole number; spreadsheets write some of them as ``45.0``."""
    number = float(text)
    if not number.is_integer() or "_" in text:
        message = f"{text} is no whole number"
        raise ValueError(message)
    return int(text) if text.lstrip("+-").isdigit() else int(number)


def to_date(text: str) -> date:
    """``YYYYMMDD`` or ``YYYY-MM-DD``."""
    found = _DATE.fullmatch(text) if text.isascii() else None
    if found is None:
        message = f"{text} is no date"
        raise ValueError(message)
    year, month, day = (int(part) for part in found.groups() if part is not None)
    return date(year, month, day)


def to_time(text: str) -> time:
    """``HMM``, ``HHMM``, ``HHMMSS`` or ``HH:MM:SS``; a fraction of a second after that is cut off."""
    found = _TIME.fullmatch(text) if text.isascii() else None
    if found is None:
        message = f"{text} is no time"
        raise ValueError(message)
    hour, minute, *rest = (int(part) for part in found.groups() if part is not None)
    return time(hour, minute, rest[0] if rest else 0)


def to_latitude(text: str) -> float:
    """Degrees north, -90 to 90, decimal or as ``DDD°MM SS``."""
    return _to_degrees(text, _MAX_LATITUDE, "NS")


def to_longitude(text: str) -> float:
    """Degrees east, -180 to 180, decimal or as ``DDD°MM SS``."""
    return _to_degrees(text, _MAX_LONGITUDE, "EW")


def _to_degrees(text: str, limit: float, hemispheres: str) -> float:
    degrees = _sexagesimal(text, hemispheres) if "°" in text else float(text)
    # Written so that NaN fails, too.
    if not abs(degrees) <= limit:
        message = f"{text} is outside -{limit:g} to {limit:g} degrees"
        raise ValueError(message)
    return degrees


def _sexagesimal(text: str, hemispheres: str) -> float:
    found = _DEGREES.fullmatch(text)
    if found is None:
        message = f"{text} is no position"
        raise ValueError(message)
    sign, whole, minutes, seconds, hemisphere = found.groups()
    parts = (float(whole), float(minutes), float(seconds or 0))
    if parts[1] >= _MINUTE or parts[2] >= _MINUTE or hemisphere.upper() not in hemispheres:
        message = f"{text} is no position"
        raise ValueError(message)
    degrees = parts[0] + parts[1] / _MINUTE + parts[2] / _MINUTE**2
    # The sign belongs to the whole, also where the degrees are zero: -0°30 lies south.
    negative = (sign == "-") != (hemisphere.upper() == hemispheres[1])
    return -degrees if negative else degrees
