"""What a backup says of objects and index files have no columns for: a file of JSON lines beside them. Pure.

The first line names the format, each further one an object. Index files say what an object is; this file only adds to
that. Where the two contradict each other, somebody has edited the index file, and it is right.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec

NAME = "quadrat.jsonl"
_MOST_PAST = 10_000
_MOST_GUESSES = 3
_MAX_TEXT = 8000
_MAX_NAME = 255

Letter = Literal["P", "V", "D"]
Moment = Annotated[dt.datetime, msgspec.Meta(tz=True)]
Clock = Annotated[dt.time, msgspec.Meta(tz=False)]
Score = Annotated[float, msgspec.Meta(ge=0, le=1)]
Degrees = Annotated[float, msgspec.Meta(ge=-180, le=180)]
Text = Annotated[str, msgspec.Meta(max_length=_MAX_TEXT, pattern=r"\A[^\x00]*\Z")]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=_MAX_NAME, pattern=r"\A[^\x00]*\Z")]


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """The first line.

    Args:
        format: Of the file.
        version: Of the format.
        samples: Latitude and longitude of each sample by name.
    """

    format: Literal["quadrat-backup"]
    version: Literal[1]
    samples: Mapping[str, tuple[Degrees | None, Degrees | None]]


class Predicted(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a machine has said last.

    Args:
        taxon_id: The taxon.
        score: How sure it was.
        at: When it said so.
        guesses: The best taxa with their scores, the best first, where more than one was kept.
    """

    taxon_id: int
    score: Score | None = None
    at: Moment | None = None
    guesses: Annotated[Sequence[tuple[int, Score]], msgspec.Meta(max_length=_MOST_GUESSES)] = ()


class Past(msgspec.Struct, frozen=True, omit_defaults=True):
    """A former state.

    Args:
        state: Its letter.
        taxon_id: The taxon.
        entered_at: Since when.
        author: E-mail address of who had decided.
        score: Of what a machine had said.
    """

    state: Letter
    taxon_id: int
    entered_at: Moment
    author: Name | None = None
    score: Score | None = None


class Extra(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What is added about an object.

    Args:
        object_id: As its lab names it.
        has_image: False where the index file's line has none.
        time: Of the object, where it has fractions of a second.
        complement: Comment.
        decided_at: When a person decided, with fractions of a second.
        predicted: What a machine has said last.
        past: Former states, the oldest first.
        image_names: Names of images by rank, where they are called otherwise in the archive.
    """

    object_id: Name
    has_image: bool = True
    time: Clock | None = None
    complement: Text | None = None
    decided_at: Moment | None = None
    predicted: Predicted | None = None
    past: Annotated[Sequence[Past], msgspec.Meta(max_length=_MOST_PAST)] = ()
    image_names: Mapping[int, Name] = {}


_encoder = msgspec.json.Encoder()
_head_decoder = msgspec.json.Decoder(Head)
_decoder = msgspec.json.Decoder(Extra)


def head(samples: Mapping[str, tuple[float | None, float | None]]) -> Head:
    """The first line of a file of today.

    Args:
        samples: Latitude and longitude of each by name.
    """
    return Head(format="quadrat-backup", version=1, samples=samples)


def encode(line: Head | Extra) -> bytes:
    """A line with its end."""
    return _encoder.encode(line) + b"\n"


def read_head(line: bytes) -> Head:
    """The first line.

    Raises:
        ValueError: It is none.
    """
    found: Head = _read(_head_decoder, line)
    return found


def read_extra(line: bytes) -> Extra:
    """A further line.

    Raises:
        ValueError: It is none.
    """
    found: Extra = _read(_decoder, line)
    return found


def _read(decoder: Any, line: bytes) -> Any:
    try:
        return decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from error
