import pytest

from quadrat.storage.sniff import image_type


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "image/png"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"BM\x46\x00\x00\x00\x00\x00\x00\x00\x36\x00\x00\x00", "image/bmp"),
        (b"II*\x00\x08", "image/tiff"),
        (b"P5\n8 8\n255\n", "image/x-portable-graymap"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'>", None),
        (b"<!doctype html>", None),
        (b"BM is how this text begins", None),
        (b"P", None),
        (b"", None),
    ],
)
def test_image_type_first_bytes_tell(head: bytes, expected: str | None) -> None:
    assert image_type(head) == expected
