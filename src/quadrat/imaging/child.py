"""The process that decodes: bytes of strangers meet native code here and nowhere else.

``python -m quadrat.imaging.child <bytes of memory>`` reads one task per frame from standard input and answers it on
standard output, until the input ends. A frame is four bytes of length, then MessagePack.
"""

import os
import resource
import sys
from pathlib import Path

import msgspec

from quadrat.imaging.decode import make_thumbnail, read_picture
from quadrat.imaging.frames import HEADER, Failed, Read, Shrink, encode, task_decoder
from quadrat.imaging.types import UndecodableError

_NICENESS = 5


def main() -> None:
    """Answer tasks until there are no more."""
    limit = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    # Nothing to look at in a crash: the file that caused it is known and kept.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Whoever waits for an answer of the server goes first.
    os.nice(_NICENESS)
    tasks, answers = sys.stdin.buffer, sys.stdout.buffer
    while header := tasks.read(HEADER.size):
        task = task_decoder.decode(tasks.read(HEADER.unpack(header)[0]))
        answers.write(encode(_answer(task)))
        answers.flush()


def _answer(task: Read | Shrink) -> msgspec.Struct | object:
    path = Path(os.fsdecode(task.path))
    try:
        if isinstance(task, Read):
            return read_picture(path, task.max_pixels)
        return make_thumbnail(path, task.side_px, task.max_pixels)
    except UndecodableError as error:
        return Failed(str(error))
    except OSError as error:
        return Failed(error.strerror or str(error), unreadable=True)


if __name__ == "__main__":
    main()
