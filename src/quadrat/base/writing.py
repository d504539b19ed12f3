"""Writing into a socket of the event loop without waiting for the end of the loop's turn."""

import asyncio
import os


def write_now(transport: asyncio.Transport, descriptor: int, data: bytes) -> None:
    """Write as much as the system takes at once; the transport writes the rest, and finds what is wrong with the line.

    Transports of uvloop gather what is written until everything else that is ready has run.

    Args:
        transport: Of the socket; nothing is written when it is closing.
        descriptor: Of the socket, non-blocking.
        data: All or nothing of it has been promised to the other side.
    """
    if transport.is_closing():
        return
    if transport.get_write_buffer_size() == 0:
        try:
            written = os.write(descriptor, data)
        except OSError:  # full, or broken
            written = 0
        if written == len(data):
            return
        data = data[written:]
    transport.write(data)
