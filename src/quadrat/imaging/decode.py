"""Reads one picture with Pillow. Imported by the decoding process alone: never by the web server or a job worker."""

import contextlib
import io
import os
from collections.abc import Iterator, Mapping
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image, ImageCms, ImageFile, UnidentifiedImageError
from PIL.TiffImagePlugin import IFDRational

from quadrat.imaging import measures
from quadrat.imaging.grey import GreySums
from quadrat.imaging.types import THUMBNAIL_PX, Measures, Picture, UndecodableError

ImageFile.LOAD_TRUNCATED_IMAGES = False
# Our own bound is asked first and says it better.
Image.MAX_IMAGE_PIXELS = None
# What the samples API's clients send and take, and what browsers show; nothing that starts another program.
_FORMATS = ("JPEG", "PNG", "TIFF", "WEBP", "BMP", "PPM", "GIF", "AVIF")
_WHOLE_BYTES = 16 * 1024 * 1024
# Rows at a time: the whole decoded picture is in memory once, everything made of it only in strips.
_STRIP_ROWS = 256
_STRIP_PIXELS = 1024 * 1024
_WEBP_QUALITY = 90
_REDUCING_GAP = 1.25
_DEEP = {"I;16": 16, "I;16B": 16, "I;16L": 16, "I;16N": 16, "I": 32, "F": 32}
_GPS = ExifTags.IFD.GPSInfo.value
ORIENTATION = ExifTags.Base.Orientation.value
_MAX_EXIF_TEXT = 64 * 1024


def read_picture(path: Path, max_pixels: int) -> Picture:
    """Everything that the server wants to know of a picture.

    Raises:
        UndecodableError: Damaged, of an unknown kind, or of too many pixels.
    """
    digest, source = _read_once(path)
    with refusing(), open_picture(source, max_pixels) as image:
        width, height = image.size
        format_ = str(image.format)
        depth, channels = _depth(image), len(image.getbands())
        exif = _exif_of(image)
        orientation = image.getexif().get(ORIENTATION, 1)
        image.load()
        small = shrink(image, orientation, THUMBNAIL_PX)
        found = measure(_as_rgb(image))
        return Picture(
            sha256=digest,
            perceptual_hash=_hash_of(small),
            width_px=width,
            height_px=height,
            format=format_,
            bit_depth=depth,
            channels=channels,
            exif=exif,
            measures=found,
            thumbnail=_encoded(small),
        )


def _read_once(path: Path) -> tuple[str, Path | io.BytesIO]:
    """The SHA-256 of a file, and where to read it from: memory, unless it is large."""
    with path.open("rb", buffering=0) as file:
        if os.fstat(file.fileno()).st_size > _WHOLE_BYTES:
            return file_digest(file, "sha256").hexdigest(), path
        content = file.readall()
    return sha256(content).hexdigest(), io.BytesIO(content)


def make_thumbnail(path: Path, side_px: int, max_pixels: int) -> bytes:
    """A WebP of at most this width and height, orientation applied, sRGB.

    Raises:
        UndecodableError: As in `read_picture`.
    """
    with refusing(), open_picture(path, max_pixels) as image:
        orientation = image.getexif().get(ORIENTATION, 1)
        # A JPEG decoder leaves out what would be thrown away.
        image.draft(None, (side_px * 2, side_px * 2))
        image.load()
        return _encoded(shrink(image, orientation, side_px))


@contextlib.contextmanager
def refusing() -> Iterator[None]:
    """Decoders fail in many ways over damaged bytes; all of them mean the same."""
    try:
        yield
    except UndecodableError:
        raise
    except MemoryError as error:
        raise UndecodableError("Decoding this picture takes more memory than is allowed.") from error
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UndecodableError(f"This picture cannot be decoded: {reason}") from error


def open_picture(
    source: Path | io.BytesIO, max_pixels: int, formats: tuple[str, ...] = _FORMATS
) -> ImageFile.ImageFile:
    """The picture, of which nothing has been decoded yet.

    Raises:
        UndecodableError: Of another kind, or of too many pixels.
    """
    try:
        image = Image.open(source, formats=formats)
    except UnidentifiedImageError as error:
        raise UndecodableError("These bytes are no picture of a known kind.") from error
    width, height = image.size
    if width * height > max_pixels:
        image.close()
        raise UndecodableError(f"The picture has {width} x {height} pixels; at most {max_pixels} are decoded.")
    return image


def _depth(image: ImageFile.ImageFile) -> int:
    if image.mode == "1":
        return 1
    # Pillow gives 16-bit colour as 8-bit; the header of the file knows better.
    raw_mode = str(image.tile[0].args) if image.tile else ""
    return _DEEP.get(image.mode, 16 if ";16" in raw_mode else 8)


def _as_rgb(image: Image.Image) -> Image.Image:
    return image if image.mode == "RGB" else image.convert("RGB")


def measure(image: Image.Image) -> Measures:
    """Numbers of an RGB picture, equal to those that clients compute from whole arrays."""
    width, height = image.size
    counts = np.array(image.histogram(), np.int64)
    sums = GreySums()
    rows = max(_STRIP_ROWS, _STRIP_PIXELS // width)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        # One row more on each side: the filter looks at neighbours, and leaves the edge of what it is given as it is.
        above, below = max(top - 1, 0), min(bottom + 1, height)
        strip = image if below - above == height else image.crop((0, above, width, below))
        sums.add(np.asarray(strip.convert("L")), top - above, bottom - above)
    return measures.from_sums((height, width), (counts[:256], counts[256:512], counts[512:]), sums)


def shrink(image: Image.Image, orientation: int, side_px: int) -> Image.Image:
    """A small RGB picture, upright."""
    small = image
    if image.mode in _DEEP:
        small = _by_real_range(image)
    elif image.mode not in {"RGB", "L", "CMYK"}:
        small = image.convert("RGBA" if _has_alpha(image) else "RGB")
    if max(small.size) > side_px:
        # The client's own filter, over what whole averages have brought near to that size: less to filter.
        small = small.resize(_fitted(small.size, side_px), Image.Resampling.LANCZOS, reducing_gap=_REDUCING_GAP)
    small = _in_srgb(small, image.info.get("icc_profile"))
    if small.mode == "RGBA":
        ground = Image.new("RGBA", small.size, "white")
        small = Image.alpha_composite(ground, small)
    return _upright(_as_rgb(small), orientation)


def _fitted(size: tuple[int, int], side_px: int) -> tuple[int, int]:
    """The size in the same proportions whose longer side is this."""
    scale = side_px / max(size)
    width, height = (max(1, round(side * scale)) for side in size)
    return width, height


def _has_alpha(image: Image.Image) -> bool:
    return "A" in image.mode or "transparency" in image.info


def _by_real_range(image: Image.Image) -> Image.Image:
    """Values beyond 8 bits, spread from the darkest to the brightest that occur instead of cut off at 255."""
    wide = image if image.mode in {"I", "F"} else image.convert("I")
    low, high = _extremes(wide)
    scale = 255 / (high - low) if high > low else 0
    return wide.point(lambda value: value * scale - low * scale).convert("L")


def _extremes(wide: Image.Image) -> tuple[float, float]:
    low, high = wide.getextrema()
    return float(low), float(high)  # type: ignore[arg-type] # one channel: two numbers


def _in_srgb(small: Image.Image, profile: bytes | None) -> Image.Image:
    if not profile or small.mode not in {"RGB", "L", "CMYK"}:
        return small
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(small, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        # A profile that is damaged or of other channels says nothing.
        return small
    return small if converted is None else converted


def _upright(small: Image.Image, orientation: int) -> Image.Image:
    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
    turn = turns.get(orientation)
    return small if turn is None else small.transpose(turn)


def _encoded(small: Image.Image) -> bytes:
    encoded = io.BytesIO()
    small.save(encoded, "WEBP", quality=_WEBP_QUALITY, method=2)
    return encoded.getvalue()


def _hash_of(small: Image.Image) -> int:
    side = (measures.HASH_SIDE, measures.HASH_SIDE)
    return measures.perceptual_hash(np.asarray(small.convert("L").resize(side, Image.Resampling.BOX)))


def _exif_of(image: Image.Image) -> dict[str, Any]:
    """Tags of the first directory by name, and where the picture was taken; damaged tags are left out."""
    try:
        exif = image.getexif()
        found = {_tag_name(tag): _plain(value) for tag, value in exif.items() if tag != _GPS}
        gps = exif.get_ifd(_GPS)
    except Exception:  # noqa: BLE001 - whatever a camera wrote there must not cost the picture
        return {}
    if gps:
        found["GPSInfo"] = {ExifTags.GPSTAGS.get(tag, str(tag)): _plain(value) for tag, value in gps.items()}
    return found


def _tag_name(tag: int) -> str:
    return ExifTags.TAGS.get(tag, str(tag))


def _plain(value: Any) -> Any:
    """A JSON value: rationals as numbers, bytes as text, and text short enough to be kept."""
    if isinstance(value, IFDRational):
        return float(value) if value.denominator else "nan"
    if isinstance(value, bytes):
        try:
            return value.decode()[:_MAX_EXIF_TEXT]
        except UnicodeDecodeError:
            return ""
    if isinstance(value, str):
        return value[:_MAX_EXIF_TEXT]
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {_tag_name(tag) if isinstance(tag, int) else str(tag): _plain(item) for tag, item in value.items()}
    return value if isinstance(value, int | float) else str(value)
