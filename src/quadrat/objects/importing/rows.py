"""What an import writes once everything is checked, kept in a file meanwhile."""

import datetime as dt
from collections.abc import Iterator, Sequence
from pathlib import Path
from struct import Struct as Packing
from typing import BinaryIO

import msgspec

_LENGTH = Packing(">I")


class State(msgspec.Struct, frozen=True, array_like=True):
    """A classification that is looked up.

    Args:
        letter: ``V``, ``P`` or ``D``.
        taxon_id: The taxon.
        author_id: Who decided, for V and D.
        at: When it was decided or predicted.
    """

    letter: str
    taxon_id: int
    author_id: int | None
    at: dt.datetime


class Said(msgspec.Struct, frozen=True, array_like=True):
    """What a machine has said last.

    Args:
        taxon_id: The taxon.
        score: How sure it was.
        at: When.
        guesses: The best taxa with their scores.
    """

    taxon_id: int
    score: float | None
    at: dt.datetime | None
    guesses: Sequence[tuple[int, float]] = ()


class Former(msgspec.Struct, frozen=True, array_like=True):
    """A former state; the author for V and D."""

    letter: str
    taxon_id: int
    entered_at: dt.datetime
    author_id: int | None
    score: float | None


class Facts(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """What a line says of an object; None where it says nothing."""

    latitude: float | None = None
    longitude: float | None = None
    depth_min: float | None = None
    depth_max: float | None = None
    date: dt.date | None = None
    time: dt.time | None = None
    link: str | None = None
    complement: str | None = None


class NewObject(msgspec.Struct, frozen=True, array_like=True, tag="o"):
    """An object to be made. Numbers and texts stand by position, former states by age."""

    orig_id: str
    sample: str
    acquisition: str
    facts: Facts
    state: State | None
    said: Said | None
    past: Sequence[Former]
    numbers: list[float | None]
    texts: list[str | None]


class NewImage(msgspec.Struct, frozen=True, array_like=True, tag="i"):
    """An image to be added.

    Args:
        made: Which of the new objects it belongs to, from 0; None for a known one.
        object_id: The known one.
        rank: Its place among the object's images.
        file_name: As the importer calls it.
    """

    made: int | None
    object_id: int | None
    rank: int
    file_name: str


class Update(msgspec.Struct, frozen=True, array_like=True, tag="u"):
    """What changes of a known object: values by position and column; nothing for what stays."""

    object_id: int
    facts: Facts
    state: State | None
    numbers: dict[int, float]
    texts: dict[int, str]


Row = NewObject | NewImage | Update
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[Row])


class RowFile:
    """Rows on disk, written once and read once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO = path.open("wb")
        self.n_objects = 0
        self.n_images = 0
        self.n_updates = 0

    def add(self, rows: Sequence[Row]) -> None:
        """Add rows."""
        for row in rows:
            if isinstance(row, NewObject):
                self.n_objects += 1
            elif isinstance(row, NewImage):
                self.n_images += 1
            else:
                self.n_updates += 1
        body = _encoder.encode(rows)
        self._file.write(_LENGTH.pack(len(body)))
        self._file.write(body)

    def blocks(self) -> Iterator[list[Row]]:
        """All rows, in the blocks in which they were added."""
        self._file.close()
        with self._path.open("rb") as file:
            while header := file.read(_LENGTH.size):
                yield _decoder.decode(file.read(_LENGTH.unpack(header)[0]))

    def close(self) -> None:
        """No more is added."""
        self._file.close()
