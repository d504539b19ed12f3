"""Decodes masks and reference images in processes of their own, bounded in memory and time."""

import asyncio
import base64
import binascii
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from quadrat.errors import ErrorKind, QuadratError
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
    answer_decoder,
    encode,
)
from quadrat.gaze.rules.masks import MAX_PIXELS, Inside
from quadrat.gaze.types import Size

_MAX_PICTURE_PIXELS = 300_000_000
_MEMORY_BYTES = 3 * 1024**3
_TIMEOUT_S = 60.0
_IDLE_S = 30.0
_THUMBNAIL_PX = 2048
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_BASE64 = re.compile(rb"[A-Za-z0-9+/=\s]+")
_DATA_URL = re.compile(rb"data:[\w/+.-]*;base64,")
Wanted = TypeVar("Wanted", Mask, Recognized, Pixels)


@dataclass(frozen=True, slots=True)
class Picture:
    """A PNG or JPEG.

    Args:
        data: Its bytes.
        thumbnail_png: The same at most 2048 pixels wide and high.
    """

    data: bytes
    media_type: str
    size: Size
    thumbnail_png: bytes


class _DecoderDiedError(Exception):
    """The process ended over a picture, or was ended because it took too long."""


class Pictures:
    """Decodes, several at a time. Holds no process while nobody asks. One per process.

    Args:
        processes: At most so many.
    """

    def __init__(self, processes: int = 2) -> None:
        self._slots = asyncio.Semaphore(processes)
        self._idle: list[asyncio.subprocess.Process] = []
        self._rest: asyncio.TimerHandle | None = None

    async def read_mask(self, png: bytes) -> Inside:
        """The inside pixels of an uploaded mask.

        A PNG whose alpha is not opaque everywhere: alpha above 0. Otherwise: any colour above 0. So half-transparent
        fills count, and so do masks of grey or black and white.

        Raises:
            QuadratError: invalid for anything but a PNG with 1 to 64 million pixels.
        """
        if not png.startswith(_SIGNATURE):
            raise _invalid("The mask is not a PNG.")
        found = await self._ask(ReadMask(png, MAX_PIXELS), Mask)
        flat = np.unpackbits(np.frombuffer(found.bits, np.uint8), count=found.width * found.height)
        return flat.reshape(found.height, found.width).view(bool)

    async def recognize(self, data: bytes) -> Picture | None:
        """What a picture is by its bytes; None for anything but a PNG or JPEG.

        One client uploads the base64 text of a picture and calls it a picture; that is decoded. What was declared
        does not count.
        """
        for candidate in (data, _from_base64(data)):
            if candidate is None:
                continue
            try:
                found = await self._ask(Recognize(candidate, _MAX_PICTURE_PIXELS, _THUMBNAIL_PX), Recognized)
            except QuadratError:
                continue
            return Picture(candidate, found.media_type, Size(found.width, found.height), found.thumbnail_png)
        return None

    async def resize(self, data: bytes, size: Size) -> NDArray[np.uint8]:
        """RGB of a picture at another size: [row, column, channel].

        Raises:
            QuadratError: invalid when it cannot be decoded.
        """
        found = await self._ask(Resize(data, _MAX_PICTURE_PIXELS, size.width, size.height), Pixels)
        return np.frombuffer(found.rgb, np.uint8).reshape(size.height, size.width, 3)

    async def close(self) -> None:
        """End the processes that wait."""
        if self._rest is not None:
            self._rest.cancel()
        for process in self._idle:
            process.kill()
            await process.wait()
        self._idle.clear()

    async def _ask(self, task: Task, wanted: type[Wanted]) -> Wanted:
        try:
            found = await self._ask_once(task)
        except _DecoderDiedError:
            # It may have been killed from outside; a picture that kills two is at fault.
            try:
                found = await self._ask_once(task)
            except _DecoderDiedError as error:
                raise _invalid(str(error)) from error
        if isinstance(found, Failed):
            raise _invalid(found.reason)
        assert isinstance(found, wanted)  # noqa: S101 - the child answers what it is asked
        return found

    async def _ask_once(self, task: Task) -> Answer:
        async with self._process() as process:
            assert process.stdin is not None  # noqa: S101 - both are pipes
            assert process.stdout is not None  # noqa: S101
            try:
                async with asyncio.timeout(_TIMEOUT_S):
                    process.stdin.write(encode(task))
                    await process.stdin.drain()
                    (length,) = HEADER.unpack(await process.stdout.readexactly(HEADER.size))
                    return answer_decoder.decode(await process.stdout.readexactly(length))
            except TimeoutError:
                raise _DecoderDiedError(f"Decoding took more than {_TIMEOUT_S:g} seconds.") from None
            except (asyncio.IncompleteReadError, ConnectionError):
                raise _DecoderDiedError("The decoder broke down over this picture.") from None

    @asynccontextmanager
    async def _process(self) -> AsyncIterator[asyncio.subprocess.Process]:
        async with self._slots:
            process = self._idle.pop() if self._idle else await _start()
            try:
                yield process
            except BaseException:
                # Also when whoever asked was cancelled: the next one must not get this answer.
                process.kill()
                await process.wait()
                raise
            self._idle.append(process)
            self._rest_later()

    def _rest_later(self) -> None:
        if self._rest is not None:
            self._rest.cancel()
        self._rest = asyncio.get_running_loop().call_later(_IDLE_S, self._send_home)

    def _send_home(self) -> None:
        for process in self._idle:
            assert process.stdin is not None  # noqa: S101 - a pipe
            process.stdin.close()
        self._idle.clear()


async def _start() -> asyncio.subprocess.Process:
    # Nothing of this process' environment: it holds secrets, and the decoder needs none of it.
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "quadrat.gaze.pictures.child",
        str(_MEMORY_BYTES),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"LC_ALL": "C.UTF-8", "PYTHONUTF8": "1", "OPENBLAS_NUM_THREADS": "1"},
        limit=1024**2,
    )


def _invalid(message: str) -> QuadratError:
    return QuadratError(ErrorKind.INVALID, message, field="mask_image_data_url")


def _from_base64(data: bytes) -> bytes | None:
    text = data[len(match[0]) :] if (match := _DATA_URL.match(data)) else data
    if _BASE64.fullmatch(text[:4096]) is None:
        return None
    try:
        return base64.b64decode(text, validate=False)
    except (binascii.Error, ValueError):
        return None
