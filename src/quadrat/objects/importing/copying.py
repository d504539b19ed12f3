"""Rows of an import in the text format of PostgreSQL's COPY. Pure."""

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from quadrat.objects.importing.frames import Seen
from quadrat.objects.importing.rows import Former, NewImage, NewObject, Said, State
from quadrat.objects.rules.columns import random_value
from quadrat.objects.rules.sun import sun_position

_NULL = "\\N"
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
_UNCLASSIFIED = -1


@dataclass
class CopyLines:
    """Lines for the tables of objects.

    Args:
        project_id: Of all of them.
        samples: Numbers by name.
        acquisitions: Numbers by name.
        first_object: Number of the first new object.
    """

    project_id: int
    samples: Mapping[str, int]
    acquisitions: Mapping[str, int]
    first_object: int
    objects: list[str] = field(default_factory=list)
    facts: list[str] = field(default_factory=list)
    features: list[str] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    predictions: list[str] = field(default_factory=list)
    history: list[str] = field(default_factory=list)
    counts: Counter[tuple[int, str]] = field(default_factory=Counter)
    n_objects: int = 0

    def take(self) -> Sequence[list[str]]:
        """The lines so far, of objects, facts, features, images, predictions, history; counts and numbers go on."""
        taken = (self.objects, self.facts, self.features, self.images, self.predictions, self.history)
        self.objects, self.facts, self.features = [], [], []
        self.images, self.predictions, self.history = [], [], []
        return taken

    def add_object(self, row: NewObject) -> None:
        """A new object."""
        id_ = self.first_object + self.n_objects
        self.n_objects += 1
        state = row.state
        letter = "U" if state is None else state.letter
        self.counts[_UNCLASSIFIED if state is None else state.taxon_id, letter] += 1
        self.objects.append(
            f"{id_}\t{self.project_id}\t{self.samples[row.sample]}\t{self.acquisitions[row.acquisition]}\t"
            f"{_state(state, row.said)}\t{letter}\n"
        )
        self._add_said(id_, row.said)
        self._add_past(id_, row.past)
        facts = row.facts
        sun = sun_position(facts.date, facts.time, facts.latitude, facts.longitude)
        self.facts.append(
            f"{id_}\t{self.project_id}\t{text_cell(row.orig_id)}\t{random_value(row.orig_id)}\t{_plain(facts.latitude)}\t"
            f"{_plain(facts.longitude)}\t{_plain(facts.depth_min)}\t{_plain(facts.depth_max)}\t{_plain(facts.date)}\t"
            f"{_plain(facts.time)}\t{sun}\t{text_cell(facts.link)}\t{text_cell(facts.complement)}\n"
        )
        self.features.append(f"{id_}\t{self.project_id}\t{_numbers(row.numbers)}\t{_texts(row.texts)}\n")

    def _add_said(self, id_: int, said: Said | None) -> None:
        if said is not None and said.at is not None and said.guesses:
            taxa, scores = zip(*said.guesses, strict=True)
            self.predictions.append(f"{id_}\t{said.at.isoformat()}\t{_numbers(taxa)}\t{_numbers(scores)}\n")

    def _add_past(self, id_: int, past: Sequence[Former]) -> None:
        # Changes of this project are numbered from 1: what was before them ends with 0.
        for change, former in enumerate(past, 1 - len(past)):
            self.history.append(
                f"{id_}\t{change}\t{former.entered_at.isoformat()}\t{former.taxon_id}\t{_plain(former.author_id)}\t"
                f"{_plain(former.score)}\t{former.letter}\n"
            )

    def add_image(self, row: NewImage, image_id: int, seen: Seen) -> None:
        """A new image."""
        object_id = row.object_id if row.made is None else self.first_object + row.made
        self.images.append(
            f"{image_id}\t{object_id}\t{self.project_id}\t{row.rank}\t{text_cell(row.file_name)}\t{seen.extension}\t"
            f"{seen.width_px}\t{seen.height_px}\t{seen.size_bytes}\t{_plain(seen.thumbnail_width_px)}\t"
            f"{_plain(seen.thumbnail_height_px)}\n"
        )


def _state(state: State | None, said: Said | None) -> str:
    """Author, time of decision, predicted taxon, its score and time, taxon."""
    taxon_id = _plain(None if state is None else state.taxon_id)
    decided = f"{_NULL}\t{_NULL}"
    if state is not None and state.letter != "P":
        decided = f"{state.author_id}\t{state.at.isoformat()}"
    if said is None:
        return f"{decided}\t{_NULL}\t{_NULL}\t{_NULL}\t{taxon_id}"
    at = _NULL if said.at is None else said.at.isoformat()
    return f"{decided}\t{said.taxon_id}\t{_plain(said.score)}\t{at}\t{taxon_id}"


def _plain(value: float | dt.date | dt.time | None) -> str:
    return _NULL if value is None else str(value)


def text_cell(value: str | None) -> str:
    """A text, or nothing, as one cell."""
    return _NULL if value is None else value.translate(_ESCAPES)


def _numbers(values: Sequence[float | None]) -> str:
    return "{" + ",".join(map(repr, values)).replace("None", "NULL") + "}"


def _texts(values: Sequence[str | None]) -> str:
    if not values:
        return "{}"
    quoted = ["NULL" if value is None else _quoted(value) for value in values]
    return ("{" + ",".join(quoted) + "}").translate(_ESCAPES)


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
