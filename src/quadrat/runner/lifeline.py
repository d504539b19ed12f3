"""Makes a child's whole process group end when this process does, however it ends."""

import fcntl
import os
import signal
import sys


class Lifeline:
    """A pipe into which nobody writes: it ends with this process.

    On Linux the kernel then kills the child's group, whatever the child is doing. Elsewhere a child that knows of the
    pipe watches it (the shim does).
    """

    def __init__(self) -> None:
        self.descriptor, self._writer = os.pipe()
        """The end that the child inherits."""
        self._open = True

    def tie(self, group: int) -> None:
        """Bind a process group that has inherited the descriptor."""
        if sys.platform == "linux":
            fcntl.fcntl(self.descriptor, fcntl.F_SETOWN, -group)
            fcntl.fcntl(self.descriptor, fcntl.F_SETSIG, signal.SIGKILL)
            flags = fcntl.fcntl(self.descriptor, fcntl.F_GETFL)
            fcntl.fcntl(self.descriptor, fcntl.F_SETFL, flags | os.O_ASYNC)

    def close(self) -> None:
        """Let go: what is left of the group is killed. Safe to call twice."""
        if self._open:
            self._open = False
            os.close(self._writer)
            os.close(self.descriptor)
