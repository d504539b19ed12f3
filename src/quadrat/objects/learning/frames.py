"""What goes between a prediction and the process that learns: four bytes of length, then MessagePack."""

from typing import Any

import msgspec

from quadrat.objects.importing.frames import HEADER, frame
from quadrat.objects.prediction_types import Classifier

LEARNING, LABELS = "learning.npy", "labels.npy"

__all__ = ("HEADER", "LABELS", "LEARNING", "frame")


class Order(msgspec.Struct, frozen=True, tag=True):
    """Sent once, first.

    Args:
        folder: Where `LEARNING` (float64, objects x features) and `LABELS` (int64) are.
        classifier: How to learn.
        jobs: Threads.
    """

    folder: str
    classifier: Classifier
    jobs: int


class Rows(msgspec.Struct, frozen=True, tag=True):
    """Objects to guess.

    Args:
        values: float64, objects x all features.
    """

    values: bytes


class Progress(msgspec.Struct, frozen=True, tag=True):
    """How far the learning is, 0 to 1."""

    done: float
    message: str


class Problem(msgspec.Struct, frozen=True, tag=True):
    """Why nothing can be learned."""

    message: str


class Learned(msgspec.Struct, frozen=True, tag=True):
    """The report; features by position."""

    report: dict[str, Any]


class Guesses(msgspec.Struct, frozen=True, tag=True):
    """Of each row the best three: taxa (int64) and scores (float64), objects x 3."""

    taxa: bytes
    scores: bytes


Answer = Progress | Problem | Learned | Guesses
encode = msgspec.msgpack.Encoder().encode
_asked: msgspec.msgpack.Decoder[Order | Rows] = msgspec.msgpack.Decoder(Order | Rows)
_answer: msgspec.msgpack.Decoder[Answer] = msgspec.msgpack.Decoder(Answer)
decode_asked, decode_answer = _asked.decode, _answer.decode
