"""An instance whose process has already been waited for by somebody else."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from quadrat.runner.base import LogLine
from quadrat.runner.instance import LocalInstance, Outbox
from quadrat.runner.output import OutputReader

pytestmark = pytest.mark.anyio


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
