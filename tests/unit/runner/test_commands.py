import asyncio
import gc
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from quadrat.runner.accounts import Account
from quadrat.runner.commands import Command, end_process, run, wait_for_end

pytestmark = pytest.mark.anyio


def command(do: str) -> Command:
    return Command([sys.executable, "-c", do], Path.cwd(), dict(os.environ), Account(os.geteuid(), os.getegid()))


async def test_program_cancelled_while_it_starts_is_waited_for() -> None:
    lines: list[str] = []
    with warnings.catch_warnings(record=True) as left:
        warnings.simplefilter("always", ResourceWarning)
        running = asyncio.create_task(run(command("import time; time.sleep(600)"), lines.append))
        await asyncio.sleep(0)  # the thread that starts the program has begun
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        gc.collect()
    assert [str(warning.message) for warning in left] == []
    assert lines == []


def test_program_whose_end_somebody_else_took_has_ended() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    os.waitpid(process.pid, 0)
    wait_for_end(process)
    end_process(process)
    assert process.returncode is not None
