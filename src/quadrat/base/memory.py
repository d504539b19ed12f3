"""What the C library does with memory that is given back."""

import ctypes
import sys
from contextlib import suppress

# Source: glibc, malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_KEPT_BYTES = 64 * 1024 * 1024
_LARGE_BYTES = 16 * 1024 * 1024


def keep_freed_memory() -> None:
    """Keep some memory instead of giving it back to the system, which costs more to ask again than a file to read.

    For processes that hold pieces of files again and again. Where there is no such library everything stays as it is.
    """
    if sys.platform == "linux":
        with suppress(AttributeError, OSError):
            library = ctypes.CDLL(None)
            library.mallopt(_MMAP_THRESHOLD, _LARGE_BYTES)
            library.mallopt(_TRIM_THRESHOLD, _KEPT_BYTES)
