"""An index file of an archive as rows of trimmed cells, read in pieces."""

import codecs
import csv
from collections.abc import Iterator, Sequence

from quadrat.objects.archive.reading import DamagedMemberError, read_blocks
from quadrat.objects.archive.types import Place

# A line of 600 columns with long texts.
_LONGEST_LINE_BYTES = 4 * 1024 * 1024
csv.field_size_limit(_LONGEST_LINE_BYTES)


class UnreadableTableError(Exception):
    """The rest of the file cannot be read; the message says why."""


def read_rows(place: Place) -> Iterator[tuple[int, Sequence[str]]]:
    """Number of the line (from 1) and its cells, for each line that is not empty.

    UTF-8 with or without a byte order mark, else Latin-1; tabs between cells, which may stand in double quotes.

    Raises:
        UnreadableTableError: Damaged, or no text.
    """
    encoding = _encoding(place)
    reader = csv.reader(_lines(place, encoding), delimiter="\t", quotechar='"', strict=False)
    try:
        for cells in reader:
            stripped = list(map(str.strip, cells))
            if any(stripped):
                yield reader.line_num, stripped
    except csv.Error as error:
        raise UnreadableTableError(f"Invalid line: {error}; is a quote not closed?") from error
    except DamagedMemberError as error:
        raise UnreadableTableError(str(error)) from error


def _encoding(place: Place) -> str:
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    try:
        for block in read_blocks(place):
            decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "latin-1"
    except DamagedMemberError as error:
        raise UnreadableTableError(str(error)) from error
    return "utf-8-sig"


def _lines(place: Place, encoding: str) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(encoding)()
    rest = ""
    for block in read_blocks(place):
        text = rest + decoder.decode(block)
        if "\0" in text:
            raise UnreadableTableError("Invalid line: it holds NUL bytes; save the file as UTF-8 text")
        # Universal line ends, but none in the middle of a CR LF.
        if text.endswith("\r"):
            text, held = text[:-1], "\r"
        else:
            held = ""
        lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        rest = lines.pop() + held
        if len(rest) > _LONGEST_LINE_BYTES:
            raise UnreadableTableError(f"Invalid line: more than {_LONGEST_LINE_BYTES} characters")
        for line in lines:
            yield line + "\n"
    rest = rest.rstrip("\r") + decoder.decode(b"", final=True)
    if rest:
        yield rest
