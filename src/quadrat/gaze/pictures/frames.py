"""What goes between the pool and its decoding processes."""

from struct import Struct
from typing import Any

import msgspec

HEADER = Struct(">I")


class ReadMask(msgspec.Struct, tag=True, frozen=True):
    """Which pixels of a PNG are inside."""

    png: bytes
    max_pixels: int


class Recognize(msgspec.Struct, tag=True, frozen=True):
    """Whether bytes are a PNG or JPEG, of what size, and a smaller one of it."""

    data: bytes
    max_pixels: int
    side_px: int


class Resize(msgspec.Struct, tag=True, frozen=True):
    """The pixels of a picture at another size."""

    data: bytes
    max_pixels: int
    width: int
    height: int


class Mask(msgspec.Struct, tag=True, frozen=True):
    """Inside pixels, eight to a byte, row by row."""

    width: int
    height: int
    bits: bytes


class Recognized(msgspec.Struct, tag=True, frozen=True):
    """A PNG or JPEG."""

    media_type: str
    width: int
    height: int
    thumbnail_png: bytes


class Pixels(msgspec.Struct, tag=True, frozen=True):
    """RGB, three bytes a pixel, row by row."""

    rgb: bytes


class Failed(msgspec.Struct, tag=True, frozen=True):
    """There is no answer, because of the bytes."""

    reason: str


Task = ReadMask | Recognize | Resize
Answer = Mask | Recognized | Pixels | Failed
_encoder = msgspec.msgpack.Encoder()
task_decoder = msgspec.msgpack.Decoder(Task)
answer_decoder: msgspec.msgpack.Decoder[Answer] = msgspec.msgpack.Decoder(Answer)


def encode(value: Any) -> bytes:
    """One frame."""
    body = _encoder.encode(value)
    return HEADER.pack(len(body)) + body
