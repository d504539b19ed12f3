"""The end of an instance, where others have a hand in it."""

import asyncio
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from quadrat.runner.base import LogLine
from quadrat.runner.instance import LocalInstance, Outbox
from quadrat.runner.output import OutputReader

pytestmark = pytest.mark.anyio


def _refuse(line: LogLine) -> None:
    raise RuntimeError(line.text)


async def test_end_is_told_although_who_hears_the_last_words_fails(tmp_path: Path) -> None:
    ended: list[LocalInstance] = []
    reader, writer = os.pipe()
    process = subprocess.Popen([sys.executable, "-c", "print('last words')"], stdout=writer, start_new_session=True)
    os.close(writer)
    instance = LocalInstance("i", process, OutputReader(reader, b"t", _refuse), Outbox(tmp_path, None), ended.append)
    # The loop has not run since: the words are read when the end is told.
    for thread in threading.enumerate():
        if thread.name == "instance-i":
            thread.join(20)
    async with asyncio.timeout(20):
        assert await instance.wait_closed() == "The model's process ended by itself with exit code 0."
    assert ended == [instance]


async def test_process_whose_end_somebody_else_took_has_ended(tmp_path: Path) -> None:
    lines: list[LogLine] = []
    ended: list[LocalInstance] = []
    reader, writer = os.pipe()
    process = subprocess.Popen([sys.executable, "-c", "print('last words')"], stdout=writer, start_new_session=True)
    os.close(writer)
    os.waitpid(process.pid, 0)
    output = OutputReader(reader, b"token", lines.append)
    instance = LocalInstance("i", process, output, Outbox(tmp_path, None), ended.append)
    async with asyncio.timeout(20):
        await instance.wait_closed()
        await instance.stop()
    assert ended == [instance]
    assert not instance.alive
    assert [line.text for line in lines] == ["last words"]
