"""Processes that stand back, seen from outside."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SAY = "import os; from quadrat.base.priority import stand_back; stand_back(5); print(os.nice(0), flush=True); input()"
GROUP = Path("/proc/self/autogroup")


@pytest.mark.parametrize("of_its_own", [True, False], ids=["session of its own", "session of another"])
def test_process_stands_back_and_its_session_only_when_it_began_it(of_its_own: bool) -> None:
    before = GROUP.read_text() if GROUP.exists() else None
    with subprocess.Popen(
        [sys.executable, "-c", SAY],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=of_its_own,
    ) as process:
        assert process.stdout is not None
        assert int(process.stdout.readline()) == os.nice(0) + 5
        if before is not None:
            # Nothing to read where a session has no group: the first one of a machine, or all with groups switched off.
            group = Path(f"/proc/{process.pid}/autogroup").read_text()
            assert group.split()[-1:] == (["5"] if of_its_own and group else before.split()[-1:])
            assert GROUP.read_text() == before
        process.communicate("\n")


def test_nothing_changes_with_none() -> None:
    say = SAY.replace("stand_back(5)", "stand_back(0)")
    done = subprocess.run([sys.executable, "-c", say], input="\n", capture_output=True, text=True, check=True)
    assert int(done.stdout) == os.nice(0)
