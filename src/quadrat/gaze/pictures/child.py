"""The process that decodes masks and reference images: bytes of strangers meet native code here and nowhere else.

``python -m quadrat.gaze.pictures.child <bytes of memory>`` reads one task per frame from standard input and answers it
on standard output, until the input ends.
"""

import io
import os
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from quadrat.gaze.pictures.frames import (
    HEADER,
    Answer,
    Failed,
    Mask,
    Pixels,
    ReadMask,
    Recognize,
    Recognized,
    Resize,
    Task,
    encode,
    task_decoder,
)

# Our own bound is asked first and says it better.
Image.MAX_IMAGE_PIXELS = None
_FORMATS = ("PNG", "JPEG")
_MEDIA_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg"}
_DEEP = frozenset({"I;16", "I;16B", "I;16L", "I"})
_NICENESS = 5


class _RefusedError(Exception):
    """The message says why."""


def main() -> None:
    """Answer tasks until there are no more."""
    limit = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Whoever waits for an answer of the server goes first.
    os.nice(_NICENESS)
    tasks, answers = sys.stdin.buffer, sys.stdout.buffer
    while header := tasks.read(HEADER.size):
        task = task_decoder.decode(tasks.read(HEADER.unpack(header)[0]))
        answers.write(encode(answer(task)))
        answers.flush()


def answer(task: Task) -> Answer:
    """What is asked for, or why not."""
    try:
        if isinstance(task, ReadMask):
            return _read_mask(task)
        return _recognize(task) if isinstance(task, Recognize) else _resize(task)
    except _RefusedError as error:
        return Failed(str(error))
    except MemoryError:
        return Failed("Decoding takes more memory than is allowed.")
    # Decoders fail in many ways over damaged bytes; all of them mean the same.
    except Exception as error:  # noqa: BLE001
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        return Failed(f"The picture cannot be decoded: {reason}")


@contextmanager
def _opened(data: bytes, max_pixels: int, formats: tuple[str, ...] = _FORMATS) -> Iterator[ImageFile.ImageFile]:
    with Image.open(io.BytesIO(data), formats=formats) as image:
        if image.width * image.height > max_pixels:
            raise _RefusedError(f"A picture may have at most {max_pixels} pixels.")
        yield image


def _read_mask(task: ReadMask) -> Mask:
    with _opened(task.png, task.max_pixels, ("PNG",)) as image:
        inside = _inside(image)
    return Mask(inside.shape[1], inside.shape[0], np.packbits(inside).tobytes())


def _inside(image: Image.Image) -> NDArray[np.bool_]:
    if image.mode in _DEEP:
        deep: NDArray[np.bool_] = np.asarray(image) > 0
        return deep
    has_alpha = image.mode in {"LA", "RGBA", "PA"} or "transparency" in image.info
    pixels = np.asarray(image.convert("RGBA"))
    if has_alpha and int(pixels[..., 3].min()) < 255:
        by_alpha: NDArray[np.bool_] = pixels[..., 3] > 0
        return by_alpha
    return np.asarray((pixels[..., :3] > 0).any(axis=2))


def _recognize(task: Recognize) -> Recognized:
    with _opened(task.data, task.max_pixels) as image:
        media_type = _MEDIA_TYPES[image.format or ""]
        width, height = image.size
        small = image.convert("RGBA" if image.mode in {"RGBA", "LA", "P", "PA"} else "RGB")
        small.thumbnail((task.side_px, task.side_px))
        target = io.BytesIO()
        small.save(target, "PNG")
    return Recognized(media_type, width, height, target.getvalue())


def _resize(task: Resize) -> Pixels:
    with _opened(task.data, task.max_pixels) as image:
        ground = Image.new("RGBA", (task.width, task.height), "white")
        shown = image.convert("RGBA").resize((task.width, task.height), Image.Resampling.LANCZOS)
        ground.alpha_composite(shown)
        return Pixels(ground.convert("RGB").tobytes())


if __name__ == "__main__":
    main()
