"""What goes between an import and its picture processes: four bytes of length, then MessagePack."""

from struct import Struct

import msgspec

from quadrat.objects.archive.types import Place

HEADER = Struct(">I")


class Set(msgspec.Struct, frozen=True):
    """Sent once, first.

    Args:
        root: Folder in which to store; None sends the bytes back instead.
        max_pixels: More are refused.
        max_bytes: Larger files are refused.
        side_px: Larger pictures get a thumbnail of this side.
        with_tiff: Whether TIFFs are pictures too, to be kept as PNG.
    """

    root: str | None
    max_pixels: int
    max_bytes: int
    side_px: int
    with_tiff: bool


class Task(msgspec.Struct, frozen=True, array_like=True):
    """One picture.

    Args:
        place: Where its bytes are.
        key: Under which to store, without an extension; None only looks.
    """

    place: Place
    key: str | None


class Seen(msgspec.Struct, frozen=True, array_like=True):
    """The answer to one task.

    Args:
        problem: Why there is no picture; None when there is one.
        extension: With its dot.
        size_bytes: Of the file.
        width_px: Of the picture.
        height_px: Of the picture.
        thumbnail_width_px: None without a thumbnail.
        thumbnail_height_px: None without a thumbnail.
        content: The file, where the asker stores it.
        thumbnail: JPEG, where the asker stores it.
    """

    problem: str | None
    extension: str = ""
    size_bytes: int = 0
    width_px: int = 0
    height_px: int = 0
    thumbnail_width_px: int | None = None
    thumbnail_height_px: int | None = None
    content: bytes | None = None
    thumbnail: bytes | None = None


encoder = msgspec.msgpack.Encoder()
set_decoder = msgspec.msgpack.Decoder(Set)
tasks_decoder = msgspec.msgpack.Decoder(list[Task])
answers_decoder = msgspec.msgpack.Decoder(list[Seen])


def frame(body: bytes) -> bytes:
    """A body with its length before it."""
    return HEADER.pack(len(body)) + body
