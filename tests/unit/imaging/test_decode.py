"""Pictures of every kind that people have, and bytes that only look like one."""

import hashlib
import io
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageCms, ImageStat

from quadrat.imaging import decode
from quadrat.imaging.decode import make_thumbnail, read_picture
from quadrat.imaging.types import UndecodableError

ANY = 10**9


def opened(thumbnail: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(thumbnail))
    assert image.format == "WEBP"
    return image.convert("RGB")


def brightness(image: Image.Image, place: tuple[int, int]) -> int:
    value = image.convert("L").getpixel(place)
    assert isinstance(value, int)
    return value


def saved(folder: Path, name: str, image: Image.Image, **options: Any) -> Path:
    image.save(folder / name, **options)
    return folder / name


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.bmp", "a.ppm", "a.tif", "a.webp", "a.gif"])
def test_picture_of_each_kind_is_read_with_its_thumbnail(name: str, tmp_path: Path):
    path = saved(tmp_path, name, Image.linear_gradient("L").resize((400, 300)).convert("RGB"))
    found = read_picture(path, ANY)
    assert (found.width_px, found.height_px, found.bit_depth) == (400, 300, 8)
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert opened(found.thumbnail).size == (128, 96)
    assert 0.45 < found.measures.mean[0] < 0.55


def test_large_file_is_read_from_the_disk_to_the_same_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = saved(tmp_path, "a.jpg", Image.effect_noise((300, 200), 60).convert("RGB"))
    whole = read_picture(path, ANY)
    monkeypatch.setattr(decode, "_WHOLE_BYTES", path.stat().st_size - 1)
    assert read_picture(path, ANY) == whole


@pytest.mark.parametrize(
    ("size", "small"), [((640, 427), (128, 85)), ((427, 640), (85, 128)), ((3000, 1987), (128, 85))]
)
def test_thumbnail_keeps_proportions_and_comes_near_to_the_clients(
    size: tuple[int, int], small: tuple[int, int], tmp_path: Path
):
    image = Image.radial_gradient("L").resize(size).convert("RGB")
    found = opened(read_picture(saved(tmp_path, "a.png", image), ANY).thumbnail)
    assert found.size == small
    away = ImageChops.difference(found, image.resize(small, Image.Resampling.LANCZOS)).convert("L")
    assert ImageStat.Stat(away).rms[0] < 3


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "YCbCr", "I;16", "I", "F"])
def test_picture_of_each_mode_is_read(mode: str, tmp_path: Path):
    base = Image.linear_gradient("L").resize((200, 100))
    image = base.convert("RGB").convert(mode) if mode not in {"I;16", "I", "F", "LA"} else base.convert(mode)
    found = read_picture(saved(tmp_path, "a.tif", image), ANY)
    assert opened(found.thumbnail).size == (128, 64)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_thumbnail_is_upright_whatever_the_camera_wrote(orientation: int, tmp_path: Path):
    upright = Image.new("RGB", (60, 40), "black")
    upright.paste("white", (0, 0, 20, 10))  # top left
    back = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}[orientation]
    # The stored picture is the upright one turned the other way.
    stored = upright if back is None else upright.transpose(Image.Transpose(back))
    exif = Image.Exif()
    exif[0x0112] = orientation
    found = read_picture(saved(tmp_path, "a.png", stored, exif=exif), ANY)
    thumbnail = opened(found.thumbnail)
    assert thumbnail.size == (60, 40)
    assert brightness(thumbnail, (3, 3)) > 200
    assert brightness(thumbnail, (55, 35)) < 50
    # What is measured is the picture as it is stored, as clients measure it.
    assert found.measures.shape == (stored.height, stored.width, 3)


def test_sixteen_bit_picture_is_scaled_by_its_own_range(tmp_path: Path):
    """A 12-bit camera: all values between 1000 and 5095, which an 8-bit reader cuts off to white."""
    image = Image.new("I;16", (256, 64))
    image.putdata([1000 + (x * 16) for _y in range(64) for x in range(256)])
    found = read_picture(saved(tmp_path, "a.png", image), ANY)
    assert found.bit_depth == 16
    thumbnail = opened(found.thumbnail)
    assert brightness(thumbnail, (1, 10)) < 20
    assert brightness(thumbnail, (126, 10)) > 235
    assert abs(brightness(thumbnail, (64, 10)) - 128) < 10


def test_colour_profile_is_applied_to_the_thumbnail(tmp_path: Path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = Image.new("RGB", (50, 50), (200, 100, 50))
    found = read_picture(saved(tmp_path, "a.jpg", image, icc_profile=profile, quality=95), ANY)
    pixel = opened(found.thumbnail).getpixel((25, 25))
    assert isinstance(pixel, tuple)
    assert all(abs(a - b) < 12 for a, b in zip(pixel, (200, 100, 50), strict=True))
    broken = saved(tmp_path, "b.jpg", image, icc_profile=b"no profile", quality=95)
    assert read_picture(broken, ANY).width_px == 50


def test_transparent_picture_lies_on_white(tmp_path: Path):
    image = Image.new("RGBA", (50, 50), (0, 0, 0, 0))
    assert brightness(opened(read_picture(saved(tmp_path, "a.png", image), ANY).thumbnail), (25, 25)) > 240


def test_exif_is_read_by_name_with_its_place_and_its_nul_characters(tmp_path: Path):
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    exif[0x0131] = "Soft\0\0\0"
    exif[0x011A] = 72.5
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8825)[2] = (54.0, 10.0, 30.5)
    found = read_picture(saved(tmp_path, "a.jpg", Image.new("RGB", (9, 9)), exif=exif), ANY)
    assert found.exif["Make"] == "Maker"
    assert found.exif["XResolution"] == 72.5
    assert found.exif["GPSInfo"] == {"GPSLatitudeRef": "N", "GPSLatitude": [54.0, 10.0, 30.5]}


def test_huge_jpeg_is_shrunk_without_being_decoded_whole(tmp_path: Path):
    path = saved(tmp_path, "a.jpg", Image.new("RGB", (4000, 3000), "teal"))
    assert opened(make_thumbnail(path, 256, ANY)).size == (256, 192)


def png_of(width: int, height: int) -> bytes:
    """A PNG of few bytes that says it is huge."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
    )


def test_bomb_is_refused_before_it_is_decoded(tmp_path: Path):
    (tmp_path / "bomb.png").write_bytes(png_of(60_000, 60_000))
    with pytest.raises(UndecodableError, match="60000 x 60000 pixels"):
        read_picture(tmp_path / "bomb.png", 300_000_000)


JPEG = io.BytesIO()
Image.effect_noise((200, 200), 50).save(JPEG, "JPEG")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a picture",
        JPEG.getvalue()[: len(JPEG.getvalue()) // 2],
        JPEG.getvalue()[:30],
        b"\xff\xd8\xff\xe0" + bytes(500),
        png_of(100, 100),
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
        b"II*\x00\xff\xff\xff\xff" + bytes(40),
        b"RIFF\x1a\x00\x00\x00WEBPVP8L" + bytes(12),
    ],
)
def test_damaged_bytes_are_undecodable_with_a_reason(content: bytes, tmp_path: Path):
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(UndecodableError, match=r"\w+ \w+"):
        read_picture(tmp_path / "a.jpg", ANY)
