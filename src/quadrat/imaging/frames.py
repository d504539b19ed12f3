"""What goes between a pool and its decoding processes."""

from struct import Struct
from typing import Any

import msgspec

from quadrat.imaging.types import Picture

HEADER = Struct(">I")


class Read(msgspec.Struct, tag=True, frozen=True):
    """Learn everything of a picture."""

    path: bytes
    max_pixels: int


class Shrink(msgspec.Struct, tag=True, frozen=True):
    """Make a thumbnail alone."""

    path: bytes
    max_pixels: int
    side_px: int


class Failed(msgspec.Struct, frozen=True):
    """There is no answer, because of the picture or because its file cannot be read."""

    reason: str
    unreadable: bool = False


_encoder = msgspec.msgpack.Encoder()
task_decoder = msgspec.msgpack.Decoder(Read | Shrink)
picture_decoder = msgspec.msgpack.Decoder(Picture)
thumbnail_decoder = msgspec.msgpack.Decoder(bytes)
failure_decoder = msgspec.msgpack.Decoder(Failed)


def encode(value: Any) -> bytes:
    """One frame. An answer begins with a byte that says whether it is a failure."""
    failed = isinstance(value, Failed)
    body = _encoder.encode(value)
    if isinstance(value, Read | Shrink):
        return HEADER.pack(len(body)) + body
    return HEADER.pack(len(body) + 1) + (b"\x00" if failed else b"\x01") + body
