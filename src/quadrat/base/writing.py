"""Writing into a socket of the event loop without waiting for the end of the loop's turn."""

import asyncio
import os
from collections.abc import Sequence

Content = bytes | bytearray | memoryview


def write_now(transport: asyncio.Transport, descriptor: int, data: bytes) -> None:
    """Write as much as the system takes at once; the transport writes the rest, and finds what is wrong with the line.

    Transports of uvloop gather what is written until everything else that is ready has run.

    Args:
        transport: Of the socket; nothing is written when it is closing.
        descriptor: Of the socket, non-blocking.
        data: All or nothing of it has been promised to the other side.
    """
    write_parts_now(transport, descriptor, (data,))


def write_parts_now(transport: asyncio.Transport, descriptor: int, parts: Sequence[Content]) -> None:
    """As `write_now`, for parts that are not copied into one; all but bytes may be changed afterwards."""
    if transport.is_closing():
        return
    written = 0
    if transport.get_write_buffer_size() == 0:
        try:
            written = os.writev(descriptor, parts)
        except OSError:  # full, or broken
            written = 0
    for part in parts:
        if written < len(part):
            transport.write(part if written == 0 and isinstance(part, bytes) else bytes(memoryview(part)[written:]))
        written = max(0, written - len(part))
