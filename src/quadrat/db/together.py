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
        gather_s: How long a busy one waits for those whom its last answers have brought.
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

    async def join(self, key: Key, item: Item) -> Outcome:
        """The outcome, once what it stands for is done for good; or the error, raised."""
        answer: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting[key].append(_Waiting(item, answer))
        if key not in self._busy:
            self._busy[key] = asyncio.create_task(self._drain(key), name=self._name)
        return await answer

    async def _drain(self, key: Key) -> None:
        crowded = False
        try:
            while waiting := self._waiting.pop(key, []):
                if crowded and self._gather_s:
                    # The answers of the last transaction bring the next requests: together they cost one, not several.
                    await asyncio.sleep(self._gather_s)
                    waiting += self._waiting.pop(key, [])
                crowded = len(waiting) > 1
                for start in range(0, len(waiting), _MOST_TOGETHER):
                    some = iter(waiting[start : start + _MOST_TOGETHER])
                    for part in self._split([one.item for one in waiting[start : start + _MOST_TOGETHER]]):
                        await self._write(key, list(islice(some, len(part))))
        finally:
            del self._busy[key]

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


def _answer(one: _Waiting[Item, Outcome], outcome: Outcome | Exception) -> None:
    if one.answer.done():  # whoever asked has gone
        return
    if isinstance(outcome, Exception):
        one.answer.set_exception(outcome)
    else:
        one.answer.set_result(outcome)
