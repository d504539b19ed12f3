"""Whoever asks for a version while it is looked up keeps the turn."""

import asyncio

import pytest

from quadrat.db.notify import Listener
from quadrat.serving.directory import Directory
from quadrat.serving.types import Deployment, VersionId
from support.serving import ServingHouse

pytestmark = pytest.mark.anyio


class Askers:
    """Ask for one version, and note who goes on."""

    def __init__(self, directory: Directory, version_id: VersionId) -> None:
        self.order: list[int] = []
        self._directory = directory
        self._version_id = version_id
        self._asking: list[asyncio.Task[None]] = []

    def ask(self, number: int) -> None:
        self._asking.append(asyncio.create_task(self._ask(number)))

    async def _ask(self, number: int) -> None:
        found = await self._directory.find_by_id(self._version_id)
        assert found is not None
        self.order.append(number)

    async def all_went_on(self) -> None:
        for task in self._asking:
            await task


@pytest.fixture
async def directory(serving: ServingHouse) -> Directory:
    return Directory(serving.db, Listener(serving.db.dsn))


async def test_who_asks_when_it_has_just_been_found_comes_after_those_who_waited(
    serving: ServingHouse, directory: Directory, monkeypatch: pytest.MonkeyPatch
):
    version = await serving.version(await serving.serve())
    askers, look_up = Askers(directory, version.id), directory._look_up

    async def look_up_while_others_come(*about: VersionId) -> Deployment | None:
        monkeypatch.undo()
        found = await look_up(*about)
        for number in (2, 3):
            askers.ask(number)
        return found

    monkeypatch.setattr(directory, "_look_up", look_up_while_others_come)
    for number in (0, 1):
        askers.ask(number)
    await asyncio.sleep(0)
    await askers.all_went_on()
    assert askers.order == [0, 1, 2, 3]


async def test_who_asks_after_a_change_comes_after_those_who_asked_before_it_and_finds_it(
    serving: ServingHouse, directory: Directory, monkeypatch: pytest.MonkeyPatch
):
    path = await serving.serve()
    version = await serving.version(path)
    askers, looks = Askers(directory, version.id), 0
    begin = serving.db.begin

    def begin_while_others_come():
        nonlocal looks
        looks += 1
        if looks == 1:
            directory.forget()
            askers.ask(1)
        return begin()

    monkeypatch.setattr(serving.db, "begin", begin_while_others_come)
    askers.ask(0)
    await asyncio.sleep(0)
    await askers.all_went_on()
    assert (askers.order, looks) == ([0, 1], 2)
