"""The columns of one project in memory, and how they follow its changes. No I/O."""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

import numpy as np

from quadrat.objects.frames.sorting import Permutation, same
from quadrat.objects.frames.specs import (
    AUTHOR,
    CORE,
    DECIDED_AT,
    NO_ID,
    NO_MOMENT,
    PREDICTED_AT,
    PREDICTED_TAXON,
    STATE,
    TAXON,
    Array,
    Column,
    Form,
    Ids,
    Positions,
    Source,
)
from quadrat.objects.frames.texts import DistinctTexts

_LARGEST_SMALL_ID = np.iinfo(np.int32).max


@dataclass(frozen=True, slots=True)
class Annotations:
    """Who decided on which objects in the past.

    Args:
        positions: Of the objects.
        authors: Who, for each.
    """

    positions: Positions
    authors: Ids

    @property
    def nbytes(self) -> int:
        """Memory."""
        return self.positions.nbytes + self.authors.nbytes


@dataclass(frozen=True, slots=True)
class View:
    """What one query reads: arrays that stay as they are while it holds the frame's lock."""

    ids: Ids
    values: Mapping[Column, Array]
    texts: Mapping[Column, DistinctTexts]
    annotations: Annotations | None


@dataclass(frozen=True, slots=True)
class Decisions:
    """What people have decided, in one change.

    Args:
        object_ids: Which objects were named, each once.
        taxa: For each; -1 for the one before.
        letters: Codes of their states; 0 for the one before.
        authors: Who decided on each.
        at: When, as a column of moments has it.
        changed: Those of the objects that are others now, rising.
    """

    object_ids: Ids
    taxa: Ids
    letters: Ids
    authors: Ids
    at: int
    changed: Ids


class Frame:
    """Columns of the objects of one project, ordered by the object's number.

    Args:
        number: The change up to which they are right.
        content: What the facts and features belong to.
        ids: Numbers of the objects, rising.
        values: The core columns.
    """

    def __init__(self, number: int, content: UUID, ids: Ids, values: Mapping[Column, Array]) -> None:
        self.number = number
        self.content = content
        self.ids = ids
        self.values: dict[Column, Array] = {column: compact(column, array) for column, array in values.items()}
        self.texts: dict[Column, DistinctTexts] = {}
        self.permutations: dict[Column, Permutation] = {}
        self.sorting = threading.Lock()
        """Whoever adds an order holds it."""
        self.annotations: Annotations | None = None

    @property
    def nbytes(self) -> int:
        """Memory of all that is held."""
        # Copies: queries in other threads may just be adding an order.
        sizes = [self.ids.nbytes, *(array.nbytes for array in list(self.values.values()))]
        sizes += [texts.nbytes for texts in list(self.texts.values())]
        sizes += [permutation.nbytes for permutation in list(self.permutations.values())]
        return sum(sizes) + (0 if self.annotations is None else self.annotations.nbytes)

    def view(self, columns: Iterable[Column]) -> View:
        """What a query needs, all of which is held."""
        wanted = set(columns)
        return View(
            self.ids,
            {column: self.values[column] for column in wanted},
            {column: self.texts[column] for column in wanted if column in self.texts},
            self.annotations,
        )

    def positions_of(self, object_ids: Ids) -> Positions:
        """Positions of the objects that are held; others are left out."""
        ids = self.ids
        if len(ids) and int(ids[-1]) - int(ids[0]) == len(ids) - 1:
            # Numbers without a gap, as an import leaves them.
            inside = (object_ids >= ids[0]) & (object_ids <= ids[-1])
            positions: Positions = (object_ids if inside.all() else object_ids[inside]) - ids[0]
            return positions
        at = np.searchsorted(ids, object_ids)
        at[at == len(ids)] = 0
        return at[ids[at] == object_ids] if len(ids) else at[:0]

    def add(self, column: Column, object_ids: Ids, values: Array, *, missing: object) -> None:
        """Hold one more column, given for objects in any number."""
        if np.array_equal(object_ids, self.ids):
            self.values[column] = compact(column, values)
            return
        whole = np.full(len(self.ids), missing, values.dtype.newbyteorder("="))
        at = np.searchsorted(self.ids, object_ids)
        inside = at < len(self.ids)
        inside[inside] = self.ids[at[inside]] == object_ids[inside]
        whole[at[inside]] = values[inside]
        self.values[column] = compact(column, whole)

    def state_columns(self) -> list[Column]:
        """The held columns that classification changes."""
        return [column for column in self.values if column.source is Source.STATE]

    def change_state(self, object_ids: Ids, values: Mapping[Column, Array]) -> None:
        """New states of some objects, for all held state columns."""
        positions = self.positions_of(object_ids)
        inside = np.isin(object_ids, self.ids, assume_unique=True) if len(positions) != len(object_ids) else slice(None)
        for column, array in values.items():
            before, after = self.values[column], array[inside]
            permutation = self.permutations.get(column)
            if permutation is not None:
                moved = positions[~same(before[positions], after)]
                if len(moved) and not permutation.soil(moved):
                    del self.permutations[column]
            self.values[column] = _assigned(before, positions, after)

    def decide(self, made: Decisions) -> bool:
        """What decisions do to the held state columns; nothing, and False, where not all that changed is held.

        The same as `rules.classification.transition`, for what is known to have changed.
        """
        at = self.positions_of(made.changed)
        if len(at) < len(made.changed) or self.annotations is not None:
            return False
        order = np.argsort(made.object_ids, kind="stable")
        given = order[np.searchsorted(made.object_ids, made.changed, sorter=order)]
        letters, taxa = made.letters[given], made.taxa[given]
        states = np.where(letters == 0, self.values[STATE][at], letters).astype(np.uint8)
        taxa = np.where(taxa == NO_ID, self.values[TAXON][at], taxa)
        is_predicted = states == ord("P")
        moments = np.full(len(at), made.at)
        values: dict[Column, Array] = {STATE: states, TAXON: taxa}
        for column, predicted, decided in (
            (AUTHOR, np.full(len(at), NO_ID), made.authors[given]),
            (DECIDED_AT, np.full(len(at), NO_MOMENT), moments),
            (PREDICTED_TAXON, taxa, None),
            (PREDICTED_AT, moments, None),
        ):
            if column in self.values:
                values[column] = np.where(
                    is_predicted, predicted, self.values[column][at] if decided is None else decided
                )
        self.change_state(made.changed, values)
        return True

    def change_annotations(self, object_ids: Ids, found: tuple[Ids, Ids]) -> None:
        """What history now says of some objects: pairs of object and author."""
        if self.annotations is None:
            return
        touched = np.zeros(len(self.ids), bool)
        touched[self.positions_of(object_ids)] = True
        kept = ~touched[self.annotations.positions]
        added = self.annotations_from(*found)
        self.annotations = Annotations(
            np.concatenate([self.annotations.positions[kept], added.positions]),
            np.concatenate([self.annotations.authors[kept], added.authors]),
        )

    def annotations_from(self, object_ids: Ids, authors: Ids) -> Annotations:
        """Pairs of object and author as positions."""
        at = np.searchsorted(self.ids, object_ids)
        inside = at < len(self.ids)
        inside[inside] = self.ids[at[inside]] == object_ids[inside]
        return Annotations(at[inside], authors[inside])

    def remove(self, object_ids: Ids, content: UUID) -> None:
        """Some objects are gone."""
        kept = np.ones(len(self.ids), bool)
        kept[self.positions_of(object_ids)] = False
        self.ids = self.ids[kept]
        self.values = {column: array[kept] for column, array in self.values.items()}
        self.permutations.clear()
        self.annotations = None
        self.content = content

    def forget_content(self, content: UUID) -> None:
        """Facts or features are others now."""
        for column in [column for column in self.values if column.source is not Source.STATE]:
            self.drop(column)
        self.content = content

    def drop(self, column: Column) -> None:
        """Hold a column no longer."""
        if column not in CORE:
            self.values.pop(column, None)
        self.texts.pop(column, None)
        self.permutations.pop(column, None)


def compact(column: Column, array: Array) -> Array:
    """Native byte order, and half the size for ids that are small enough."""
    if column.form is Form.ID and (not len(array) or array.max() <= _LARGEST_SMALL_ID):
        return np.ascontiguousarray(array, np.int32)
    return np.ascontiguousarray(array, array.dtype.newbyteorder("="))


def _assigned(array: Array, positions: Positions, values: Array) -> Array:
    if array.dtype == np.int32 and values.dtype.itemsize == 8 and len(values) and values.max() > _LARGEST_SMALL_ID:
        array = array.astype(np.int64)
    array[positions] = values
    return array
