"""Writes that arrive at the same time, committed together: each caller waits for one commit of many."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Generic, TypeVar

from quadrat.errors import QuadratError

_MOST_TOGETHER = 200
_GATHER_S = 0.003
_MOST_KEYS = 1000

Key = TypeVar("Key", bound=Hashable)
Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


@dataclass(frozen=True, slots=True)
class _Waiting(Generic[Item, Outcome]):
    item: Item
    answer: "asyncio.Future[Outcome]"


class Together(Generic[Key, Item, Outcome]):
    """Takes what is to be written. While one transaction of a key runs, what arrives for that key waits for the next.

    For rows that all lock the same one in turn anyway: nothing is slower for one caller, and many share a commit.

    Args:
        write: Writes items of one key in one transaction; answers each, in their order, with an outcome or an error.
        name: Of its tasks.
        gather_s: How long a busy one waits at most until as many have come as lately came together.
        split: Parts of items, in their order, that can each be written in one transaction; all of them by default.
    """

    def __init__(
        self,
        write: Callable[[Key, Sequence[Item]], Awaitable[Sequence[Outcome | Exception]]],
        name: str,
        gather_s: float = _GATHER_S,
        split: Callable[[Sequence[Item]], Iterable[Sequence[Item]]] | None = None,
    ) -> None:
        self._write_all = write
        self._name = name
        self._gather_s = gather_s
        self._split = split or (lambda items: [items])
        self._waiting: dict[Key, list[_Waiting[Item, Outcome]]] = defaultdict(list)
        self._busy: dict[Key, asyncio.Task[None]] = {}
        # As many as came together lately, one less each time that fewer did.
        self._expected: dict[Key, int] = {}
        # How many are waited for, and what ends the wait.
        self._gathering: dict[Key, tuple[int, asyncio.Future[None]]] = {}

    async def join(self, key: Key, item: Item) -> Outcome:
        """The outcome, once what it stands for is done for good; or the error, raised."""
        answer: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        waiting = self._waiting[key]
        waiting.append(_Waiting(item, answer))
        expected, enough = self._gathering.get(key, (0, None))
        if enough is not None and len(waiting) >= expected:
            _end(enough)
        if key not in self._busy:
            self._busy[key] = asyncio.create_task(self._drain(key), name=self._name)
        return await answer

    async def _drain(self, key: Key) -> None:
        try:
            while self._waiting.get(key):
                expected = self._expected.pop(key, 0)
                if self._gather_s and len(self._waiting[key]) < expected:
                    # The answers of the last transactions bring the next requests: together they cost one, not several.
                    await self._gather(key, expected)
                waiting = self._waiting.pop(key)
                self._expect(key, max(len(waiting), expected - 1))
                for start in range(0, len(waiting), _MOST_TOGETHER):
                    some = iter(waiting[start : start + _MOST_TOGETHER])
                    for part in self._split([one.item for one in waiting[start : start + _MOST_TOGETHER]]):
                        await self._write(key, list(islice(some, len(part))))
        finally:
            del self._busy[key]

    def _expect(self, key: Key, many: int) -> None:
        if len(self._expected) >= _MOST_KEYS:
            self._expected.clear()
        if many > 1:
            self._expected[key] = many

    async def _gather(self, key: Key, expected: int) -> None:
        loop = asyncio.get_running_loop()
        enough: asyncio.Future[None] = loop.create_future()
        self._gathering[key] = (expected, enough)
        timer = loop.call_later(self._gather_s, _end, enough)
        try:
            await enough
        finally:
            timer.cancel()
            del self._gathering[key]

    async def _write(self, key: Key, waiting: Sequence[_Waiting[Item, Outcome]]) -> None:
        try:
            outcomes = await self._write_all(key, [one.item for one in waiting])
        except Exception as error:  # noqa: BLE001 - whoever waits is told, whatever it is
            await self._one_by_one(key, waiting, error)
            return
        for one, outcome in zip(waiting, outcomes, strict=True):
            _answer(one, outcome)

    async def _one_by_one(self, key: Key, group: Sequence[_Waiting[Item, Outcome]], error: Exception) -> None:
        """What one of many broke must not fail the others."""
        if len(group) == 1 or isinstance(error, QuadratError):
            for one in group:
                _answer(one, error)
            return
        for one in group:
            await self._write(key, [one])


def _end(wait: "asyncio.Future[None]") -> None:
    if not wait.done():
        wait.set_result(None)


def _answer(one: _Waiting[Item, Outcome], outcome: Outcome | Exception) -> None:
    if one.answer.done():  # whoever asked has gone
        return
    if isinstance(outcome, Exception):
        one.answer.set_exception(outcome)
    else:
        one.answer.set_result(outcome)
