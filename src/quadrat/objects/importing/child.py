"""The process that reads pictures out of an archive, decodes and stores them.

``python -m quadrat.objects.importing.child <bytes of memory>`` reads one `Set`, then lists of `Task` from standard
input, and answers each list on standard output, until the input ends.
"""

import os
import resource
import sys
from typing import BinaryIO

from quadrat.imaging.shown import look_at
from quadrat.imaging.types import UndecodableError
from quadrat.objects.archive.reading import DamagedMemberError, read_member
from quadrat.objects.importing.frames import HEADER, Seen, Set, Task, encoder, frame, set_decoder, tasks_decoder
from quadrat.objects.rules.images import THUMBNAIL
from quadrat.storage.disk import write_new

_NICENESS = 5


def main() -> None:
    """Answer tasks until there are no more."""
    limit = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    # Nothing to look at in a crash: the file that caused it is known and kept.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Whoever waits for an answer of the server goes first.
    os.nice(_NICENESS)
    asked, answers = sys.stdin.buffer, sys.stdout.buffer
    settings = set_decoder.decode(_next(asked) or b"")
    while (body := _next(asked)) is not None:
        seen = [_answer(settings, task) for task in tasks_decoder.decode(body)]
        answers.write(frame(encoder.encode(seen)))
        answers.flush()


def _next(asked: BinaryIO) -> bytes | None:
    header = asked.read(HEADER.size)
    return asked.read(HEADER.unpack(header)[0]) if len(header) == HEADER.size else None


def _answer(settings: Set, task: Task) -> Seen:
    if task.place.size_bytes > settings.max_bytes:
        return Seen(f"the file has more than {settings.max_bytes} bytes")
    try:
        content = read_member(task.place)
        shown = look_at(content, max_pixels=settings.max_pixels, side_px=settings.side_px, with_tiff=settings.with_tiff)
        content = content if shown.content is None else shown.content
    except (UndecodableError, DamagedMemberError) as error:
        return Seen(str(error))
    stored_here = task.key is not None and settings.root is not None
    if task.key is not None and settings.root is not None:
        write_new(settings.root, task.key + shown.extension, content)
        if shown.thumbnail is not None:
            write_new(settings.root, task.key + THUMBNAIL, shown.thumbnail)
    given_back = task.key is not None and not stored_here
    return Seen(
        None,
        shown.extension,
        len(content),
        shown.width_px,
        shown.height_px,
        shown.thumbnail_width_px,
        shown.thumbnail_height_px,
        content if given_back else None,
        shown.thumbnail if given_back else None,
    )


if __name__ == "__main__":
    main()
