"""Writes that arrive at the same time."""

import asyncio
from collections.abc import Sequence

import pytest

from quadrat.db.together import Together

pytestmark = pytest.mark.anyio


class Book:
    """What was written together; the first write waits until it may end."""

    def __init__(self) -> None:
        self.pages: list[list[str]] = []
        self.go_on = asyncio.Event()

    async def write(self, _key: str, items: Sequence[str]) -> Sequence[str]:
        self.pages.append(list(items))
        await self.go_on.wait()
        return [item.upper() for item in items]


def begin(together: Together[str, str, str], *items: str) -> list[asyncio.Task[str]]:
    return [asyncio.create_task(together.join("key", item)) for item in items]


async def turns() -> None:
    """Let everything run that can."""
    for _ in range(10):
        await asyncio.sleep(0)


async def crowded(book: Book, gather_s: float) -> Together[str, str, str]:
    """Three have just been written together."""
    together: Together[str, str, str] = Together(book.write, "test", gather_s=gather_s)
    first = begin(together, "a")
    await turns()
    others = begin(together, "b", "c", "d")
    await turns()
    book.go_on.set()
    assert await asyncio.gather(*first, *others) == ["A", "B", "C", "D"]
    assert book.pages == [["a"], ["b", "c", "d"]]
    return together


async def test_next_wait_for_as_many_as_came_together_and_no_longer():
    book = Book()
    together = await crowded(book, gather_s=3600)
    some = begin(together, "e", "f")
    await turns()
    assert len(book.pages) == 2
    assert await asyncio.gather(*some, *begin(together, "g")) == ["E", "F", "G"]
    assert book.pages[2:] == [["e", "f", "g"]]


async def test_who_waits_for_nobody_is_written_after_a_while_and_soon_at_once():
    book = Book()
    together = await crowded(book, gather_s=0.001)
    for item in "efg":
        assert await together.join("key", item) == item.upper()
    assert book.pages[2:] == [["e"], ["f"], ["g"]]
    # By now nobody else is expected.
    together._gather_s = 3600
    assert await together.join("key", "h") == "H"


async def test_nobody_waits_where_nothing_is_to_be_gathered():
    book = Book()
    together = await crowded(book, gather_s=0)
    assert await together.join("key", "e") == "E"
