"""How much of the processor a process claims while others want it too."""

import os
from contextlib import suppress
from pathlib import Path

_GROUP = Path("/proc/self/autogroup")


def stand_back(niceness: int) -> None:
    """Let others go first: this process and those that it starts from now on.

    Args:
        niceness: 0 for nothing to 19; it counts only while others are busy.
    """
    if not niceness:
        return
    os.nice(niceness)
    # Linux may share the processor among sessions first: then niceness counts within ours alone, and it is the
    # session that has to stand back. A session that somebody else began is not ours to change.
    if os.getsid(0) == os.getpid():
        with suppress(OSError):
            _GROUP.write_text(str(niceness))
