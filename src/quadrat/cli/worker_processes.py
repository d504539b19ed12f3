"""The worker processes that `quadrat serve` keeps alive."""

import asyncio
import signal
import subprocess
import sys

import structlog

from quadrat.settings import Settings

_log = structlog.get_logger(__name__)
_RESTART_S = 1.0


class WorkerProcesses:
    """Children of `serve`, started again when they die, stopped with it.

    Each holds the read end of a pipe as its standard input; when `serve` is killed the pipe closes and they stop.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._tasks: list[asyncio.Task[None]] = []
        self._processes: set[asyncio.subprocess.Process] = set()
        self._stopping = False

    def start(self) -> None:
        """Start as many as the settings say."""
        self._tasks = [
            asyncio.create_task(self._keep_one(number), name=f"worker-{number}")
            for number in range(self._settings.workers)
        ]

    async def stop(self) -> None:
        """Ask all to finish their jobs, wait as long as the settings grant, then kill."""
        self._stopping = True
        for process in self._processes:
            process.send_signal(signal.SIGTERM)
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=self._settings.shutdown_grace_s + 5)
            for process in list(self._processes) if late else []:
                _log.warning("worker.killed", pid=process.pid)
                process.kill()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _is_stopping(self) -> bool:
        return self._stopping

    async def _keep_one(self, number: int) -> None:
        while not self._stopping:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "quadrat.cli.main",
                "--data-dir",
                str(self._settings.data_dir.resolve()),
                "worker",
                "--stop-with-parent",
                stdin=subprocess.PIPE,
                start_new_session=True,
            )
            self._processes.add(process)
            if self._is_stopping():  # asked to while the process was being made
                process.send_signal(signal.SIGTERM)
            code = await process.wait()
            self._processes.discard(process)
            if not self._stopping:
                _log.error("worker.died", number=number, exit_code=code)
                await asyncio.sleep(_RESTART_S)
