"""The process that learns, as the job that started it sees it."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np

from quadrat.errors import ErrorKind, QuadratError
from quadrat.objects.frames.specs import Ids, Numbers
from quadrat.objects.learning.frames import (
    HEADER,
    LABELS,
    LEARNING,
    Answer,
    Guesses,
    Learned,
    Order,
    Problem,
    Progress,
    Rows,
    decode_answer,
    encode,
    frame,
)
from quadrat.objects.prediction_types import MOST_GUESSES, Classifier

OnProgress = Callable[[float, str], Awaitable[None]]
Best = tuple[Ids, Numbers]
"""Taxa and scores of shape (objects, 3), the best first; -1 and 0 where there are fewer."""


class Learner:
    """One process that learns once and then guesses."""

    def __init__(self, process: asyncio.subprocess.Process, folder: Path) -> None:
        self._folder = folder
        assert process.stdin is not None  # noqa: S101 - both are pipes
        assert process.stdout is not None  # noqa: S101
        self._writer, self._reader = process.stdin, process.stdout

    async def learn(
        self, values: Numbers, labels: Ids, classifier: Classifier, progress: OnProgress
    ) -> Mapping[str, Any]:
        """Learn; the report, with features by their position.

        Args:
            values: Objects x features, NaN for what is missing.
            labels: Taxon of each object.
            classifier: How.
            progress: Is told how much is done, 0 to 1.

        Raises:
            QuadratError: invalid when nothing can be learned; unavailable when the process is lost.
        """
        await asyncio.to_thread(np.save, self._folder / LEARNING, values)
        await asyncio.to_thread(np.save, self._folder / LABELS, labels)
        await self._ask(Order(str(self._folder), classifier, os.cpu_count() or 1))
        while True:
            match await self._answer():
                case Progress(done, message):
                    await progress(done, message)
                case Problem(message):
                    raise QuadratError(ErrorKind.INVALID, message)
                case Learned(report):
                    return report

    async def guess(self, values: Numbers) -> Best:
        """The best guesses for rows of features.

        Raises:
            QuadratError: unavailable when the process is lost.
        """
        await self._ask(Rows(np.ascontiguousarray(values, np.float64).tobytes()))
        answer = await self._answer()
        assert isinstance(answer, Guesses)  # noqa: S101 - it answers nothing else to rows
        taxa = np.frombuffer(answer.taxa, np.int64).reshape(-1, MOST_GUESSES)
        return taxa, np.frombuffer(answer.scores).reshape(-1, MOST_GUESSES)

    async def _ask(self, asked: Order | Rows) -> None:
        try:
            self._writer.write(frame(encode(asked)))
            await self._writer.drain()
        except ConnectionError as error:
            raise _lost() from error

    async def _answer(self) -> Answer:
        try:
            (length,) = HEADER.unpack(await self._reader.readexactly(HEADER.size))
            return decode_answer(await self._reader.readexactly(length))
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise _lost() from error


def _lost() -> QuadratError:
    return QuadratError(
        ErrorKind.UNAVAILABLE,
        "The process that learns was ended. If that happens again, the machine may be short of memory: learn from "
        "fewer objects (learning_limit) or features.",
    )


@asynccontextmanager
async def open_learner(folder: Path) -> AsyncIterator[Learner]:
    """A process of its own, ended with the block.

    Args:
        folder: For what it is given to learn from.
    """
    jobs = str(os.cpu_count() or 1)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "quadrat.objects.learning.child",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # Nothing of this process' environment: it holds secrets, and learning needs none of it.
        env={"LC_ALL": "C.UTF-8", "PYTHONUTF8": "1", "OMP_NUM_THREADS": jobs},
    )
    try:
        yield Learner(process, folder)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
