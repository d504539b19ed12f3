"""The Range header of HTTP against a known size. Pure.

Source: RFC 9110 section 14.
"""

import re

from quadrat.storage.types import ByteRange

_SPECIFIER = re.compile(r"(\d{0,20})-(\d{0,20})")


class UnsatisfiableError(Exception):
    """The range lies outside of the bytes: the answer is 416."""


def parse_range(header: str | None, size_bytes: int) -> ByteRange | None:
    """The one range that a header asks for; None when the whole is to be sent.

    Several ranges, other units and malformed headers count as no header, as the RFC allows.

    Raises:
        UnsatisfiableError: The range is well-formed and none of it exists.
    """
    if header is None or not header.startswith("bytes="):
        return None
    found = _SPECIFIER.fullmatch(header.removeprefix("bytes=").strip())
    if found is None or not any(found.groups()):
        return None
    first, last = found.groups()
    if not first:
        start, stop = max(0, size_bytes - int(last)), size_bytes
    else:
        start, stop = int(first), min(int(last) + 1, size_bytes) if last else size_bytes
        if last and int(last) < start:
            return None
    if start >= stop:
        raise UnsatisfiableError
    return ByteRange(start, stop)
