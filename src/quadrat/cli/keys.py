"""The installation's keys: from the settings, or a file that is made once in the data directory."""

import fcntl
import os
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path

from quadrat.base.sealing import Sealer
from quadrat.settings import Settings

_FILE = "secret.key"
_KEPT = 2


class KeyFile:
    """Keys in a file of mode 600, the current one first, one in each line.

    A running server notices a new key by itself: the file is looked at whenever a key is needed.

    Args:
        data_dir: Where the file is, or will be.
    """

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / _FILE
        self._stamp: tuple[int, int, int] | None = None
        self._keys: tuple[bytes, ...] = ()

    def keys(self) -> tuple[bytes, ...]:
        """The current one and those before it; the file is made if there is none."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            self._make()
            found = self._path.stat()
        stamp = (found.st_mtime_ns, found.st_ino, found.st_size)
        if stamp != self._stamp:
            self._keys = tuple(line.strip().encode() for line in self._path.read_text().splitlines() if line.strip())
            self._stamp = stamp
        return self._keys

    def renew(self) -> None:
        """Put a new key in front; the one that was current until now stays, older ones go."""
        with self._path.with_suffix(".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            kept = [secrets.token_hex(32).encode(), *self.keys()][:_KEPT]
            unfinished = self._write(b"\n".join(kept))
            unfinished.replace(self._path)

    def _make(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self._write(secrets.token_hex(32).encode())
        # The first of several processes wins; the others read its key.
        try:
            os.link(unfinished, self._path)
        except FileExistsError:
            pass
        finally:
            unfinished.unlink()

    def _write(self, content: bytes) -> Path:
        path = self._path.with_suffix(f".{os.getpid()}")
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        return path


def installation_keys(settings: Settings) -> Callable[[], Sequence[bytes]]:
    """The keys that the settings name, else those of the key file; the current one first."""
    if settings.secret_key is None:
        return KeyFile(settings.data_dir).keys
    given = (settings.secret_key, settings.previous_secret_key)
    keys = tuple(key.get_secret_value().encode() for key in given if key is not None)
    return lambda: keys


def secret_key(settings: Settings) -> bytes:
    """The current key, which signs addresses."""
    return installation_keys(settings)()[0]


def open_sealer(settings: Settings) -> Sealer:
    """What seals secrets at rest."""
    return Sealer(installation_keys(settings))
