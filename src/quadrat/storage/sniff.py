"""What kind of picture bytes begin. Pure."""

from collections.abc import Callable

SNIFFED_BYTES = 512
UNKNOWN = "application/octet-stream"

_PREFIXES = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"II+\x00", "image/tiff"),
    (b"MM\x00+", "image/tiff"),
)
_OTHERS: tuple[tuple[Callable[[bytes], bool], str], ...] = (
    (lambda head: head[:4] == b"RIFF" and head[8:12] == b"WEBP", "image/webp"),
    (lambda head: head[:2] == b"BM" and len(head) >= 14 and head[6:10] == b"\x00" * 4, "image/bmp"),
    (lambda head: head[4:12] in (b"ftypavif", b"ftypavis"), "image/avif"),
    (lambda head: _netpbm(head, b"14"), "image/x-portable-bitmap"),
    (lambda head: _netpbm(head, b"25"), "image/x-portable-graymap"),
    (lambda head: _netpbm(head, b"36"), "image/x-portable-pixmap"),
)


def _netpbm(head: bytes, kinds: bytes) -> bool:
    return len(head) > 2 and head[:1] == b"P" and head[1] in kinds and head[2] in b" \t\r\n"


def image_type(head: bytes) -> str | None:
    """Media type of a raster image by its first bytes; None for everything else, SVG and HTML among it.

    Args:
        head: The first `SNIFFED_BYTES` bytes, or all when there are fewer.
    """
    for prefix, media_type in _PREFIXES:
        if head.startswith(prefix):
            return media_type
    return next((media_type for matches, media_type in _OTHERS if matches(head)), None)
