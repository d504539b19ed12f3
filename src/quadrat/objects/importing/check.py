"""Lines against each other, the project and the house: duplicates, known objects, names of taxa and people."""

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from msgspec import structs
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.db.engine import Database
from quadrat.objects.importing.rows import Facts, Former, NewImage, NewObject, Row, Said, State, Update
from quadrat.objects.importing.scan import in_another_sample
from quadrat.objects.importing.types import (
    Answers,
    ImportOptions,
    ImportPlace,
    MissingNames,
    Problems,
    ScannedLine,
    UpdateMode,
)
from quadrat.objects.rules.extras import Extra
from quadrat.objects.rules.lines import Annotation
from quadrat.objects.store import imports as store
from quadrat.objects.store.imports import KnownObject, ProjectContent

Value = TypeVar("Value")
_RESERVED_RANK = 100
_FEW_RANKS = 8
_HUMAN = frozenset({"V", "D"})


class LineCheck:
    """Turns lines into rows to be written.

    Args:
        db: For look-ups.
        place: Into what the import goes.
        options: How.
        content: What the project holds.
        answers: About unknown names.
        problems: Where mistakes go.
    """

    def __init__(
        self,
        db: Database,
        place: ImportPlace,
        options: ImportOptions,
        content: ProjectContent,
        answers: Answers,
        problems: Problems,
    ) -> None:
        self._db = db
        self._place = place
        self._options = options
        self._updates = options.updates
        self._content = content
        self._problems = problems
        self._users = dict(answers.users)
        self._taxa = dict(answers.taxa)
        self._missing_users: set[str] = set()
        self._missing_taxa: set[str] = set()
        self._taxon_ids: set[int] = set()
        self._made: dict[str, int] = {}
        self._pairs: set[int] = set()
        # Those that are taken, by number of the object.
        self._ranks_of_new: dict[int, tuple[int, ...] | set[int]] = {}
        self._ranks_of_known: dict[int, tuple[int, ...] | set[int]] = {}
        self.unknown_taxon_ids: set[int] = set()

    @property
    def missing(self) -> MissingNames:
        """Names that nobody has explained."""
        return MissingNames(sorted(self._missing_users), sorted(self._missing_taxa))

    async def check(self, block: Sequence[ScannedLine]) -> list[tuple[ScannedLine, list[Row]]]:
        """Each line that is to be written, with its rows."""
        async with self._db.begin() as tx:
            known: Mapping[str, KnownObject] = {}
            if self._content.has_objects:
                names = {line.line.object_id for line in block}
                known = await store.find_known_objects(tx, self._place.project_id, names)
            new = [line for line in block if self._is_new(line, known.get(line.line.object_id))]
            await self._look_up_names(
                tx,
                [line.line.annotation for line in new if line.line.annotation],
                [line.extra for line in new if line.extra is not None],
            )
        checked = []
        for line in block:
            rows = self._rows_of(line, known.get(line.line.object_id))
            if rows:
                checked.append((line, rows))
        return checked

    def _is_new(self, scanned: ScannedLine, known: KnownObject | None) -> bool:
        """Whether the line says something that the project does not have: about others nobody has to be asked."""
        if self._updates:
            return known is not None
        return known is None or (scanned.image != "" and scanned.image not in known.images)

    def _rows_of(self, scanned: ScannedLine, known: KnownObject | None) -> list[Row]:
        line = scanned.line
        pair = hash((line.object_id, line.image))
        if pair in self._pairs:
            self._problems.add(
                f"Duplicate object '{line.object_id}' with image '{line.image}' {scanned.where}: "
                "an earlier line has the same"
            )
            return []
        self._pairs.add(pair)
        if self._updates:
            return self._update_of(scanned, known)
        if not self._is_new(scanned, known):
            if not self._options.skip_existing_objects:
                self._problems.add(
                    f"Object '{line.object_id}' with image '{line.image}' {scanned.where} is already in EcoTaxa "
                    "(Duplicate object)"
                )
            return []
        self._check_sample(scanned)
        return self._creation_of(scanned, known)

    def _check_sample(self, scanned: ScannedLine) -> None:
        known = self._content.acquisitions.get(scanned.acquisition)
        if known is not None and known.sample != scanned.sample:
            sentence = in_another_sample(scanned.acquisition, known.sample, scanned.sample)
            self._problems.add(f"{sentence} {scanned.where}")

    def _creation_of(self, scanned: ScannedLine, known: KnownObject | None) -> list[Row]:
        line = scanned.line
        rows: list[Row] = []
        made = None
        if known is None:
            made = self._made.get(line.object_id)
            if made is None:
                made = self._made[line.object_id] = len(self._made)
                state = _exact(self._state_of(line.annotation), scanned.extra)
                rows.append(
                    NewObject(
                        line.object_id,
                        scanned.sample,
                        scanned.acquisition,
                        _facts_of(scanned),
                        state,
                        self._said_of(state, scanned.extra),
                        self._past_of(scanned.extra),
                        by_position(line.numbers, scanned.numbers_at),
                        by_position([text or None for text in line.texts], scanned.texts_at),
                    )
                )
        if scanned.image:
            rank = self._rank_of(line.rank, made, known)
            rows.append(NewImage(made, None if known is None else known.id, rank, scanned.image))
        return rows

    def _rank_of(self, wanted: int | None, made: int | None, known: KnownObject | None) -> int:
        """The given place if it is free, else the next after the last; 100 is for those who ask for it."""
        if made is not None:
            ranks, key = self._ranks_of_new, made
            taken = ranks.get(key, ())
        else:
            assert known is not None  # noqa: S101 - one of the two is given
            ranks, key = self._ranks_of_known, known.id
            taken = ranks[key] if key in ranks else tuple(known.images.values())
        rank = wanted
        if rank is None or rank in taken:
            rank = max((other for other in taken if other != _RESERVED_RANK), default=-1) + 1 if taken else 0
            while rank == _RESERVED_RANK or rank in taken:
                rank += 1
        if isinstance(taken, set):
            taken.add(rank)
        else:  # a set for each object would be looked through for garbage again and again
            ranks[key] = (*taken, rank) if len(taken) < _FEW_RANKS else {*taken, rank}
        return rank

    def _update_of(self, scanned: ScannedLine, known: KnownObject | None) -> list[Row]:
        line = scanned.line
        if known is None:
            return []
        state = self._state_of(line.annotation) if self._options.update_mode is UpdateMode.CLASSIFICATION else None
        numbers = zip(_positions(scanned.numbers_at, len(line.numbers)), line.numbers, strict=True)
        texts = zip(_positions(scanned.texts_at, len(line.texts)), line.texts, strict=True)
        return [
            Update(
                known.id,
                Facts(**line.columns),
                state,
                {position: number for position, number in numbers if number is not None},
                {position: text for position, text in texts if text},
            )
        ]

    def _state_of(self, annotation: Annotation | None) -> State | None:
        if annotation is None:
            return None
        taxon_id = annotation.taxon_id
        if taxon_id is None:
            taxon_id = self._taxa.get(annotation.taxon or "")
        if taxon_id is None:
            return None  # asked for
        if annotation.qualification not in _HUMAN:
            return State(annotation.qualification, taxon_id, None, self._place.began_at)
        return State(
            annotation.qualification,
            taxon_id,
            self._author_of(annotation),
            annotation.when or self._place.began_at,
        )

    def _author_of(self, annotation: Annotation) -> int:
        for name in (annotation.person_email, annotation.person_name):
            if name is not None and name in self._users:
                return self._users[name]
        return self._place.importer_id

    def _said_of(self, state: State | None, extra: Extra | None) -> Said | None:
        """What a machine has said last: of a predicted object its state, which a backup knows better if it agrees."""
        kept = None if extra is None else extra.predicted
        if state is not None and state.letter == "P" and (kept is None or kept.taxon_id != state.taxon_id):
            return Said(state.taxon_id, 1.0, state.at)
        return None if kept is None else Said(kept.taxon_id, kept.score, kept.at, kept.guesses)

    def _past_of(self, extra: Extra | None) -> Sequence[Former]:
        if extra is None:
            return ()
        return [
            Former(
                past.state,
                past.taxon_id,
                past.entered_at,
                self._users.get((past.author or "").lower()) if past.state in _HUMAN else None,
                past.score,
            )
            for past in extra.past
        ]

    async def _look_up_names(
        self, tx: AsyncConnection, annotations: Iterable[Annotation], extras: Sequence[Extra]
    ) -> None:
        if self._options.update_mode is UpdateMode.FACTS:
            return
        annotations = list(annotations)
        taxa = {found.taxon for found in annotations if found.taxon is not None}
        new = {name for name in taxa - self._missing_taxa if name not in self._taxa}
        if new:
            found_taxa = await store.find_taxa(tx, new)
            self._taxa |= found_taxa
            self._missing_taxa |= new - found_taxa.keys()
        ids = {found.taxon_id for found in annotations if found.taxon_id is not None}
        ids |= {id_ for extra in extras for id_ in _taxa_of(extra)}
        ids -= self._taxon_ids
        if ids:
            existing = await store.existing_taxa(tx, ids)
            self._taxon_ids |= ids
            self.unknown_taxon_ids |= ids - existing
        people = {(found.person_email, found.person_name) for found in annotations if found.qualification in _HUMAN}
        people |= {(past.author.lower(), None) for extra in extras for past in extra.past if past.author is not None}
        await self._look_up_people(tx, people)

    async def _look_up_people(self, tx: AsyncConnection, people: Collection[tuple[str | None, str | None]]) -> None:
        words = {word for pair in people for word in pair if word is not None}
        new = {word for word in words - self._missing_users if word not in self._users}
        if new:
            self._users |= await store.find_people(tx, new)
        for email, name in people:
            known = (email in self._users) or (name in self._users)
            if not known and (email is not None or name is not None):
                self._missing_users.add(name or email or "")


def _exact(state: State | None, extra: Extra | None) -> State | None:
    """The state with the whole time of the decision, where the index file has the same time in seconds."""
    if state is None or extra is None or extra.decided_at is None or state.letter not in _HUMAN:
        return state
    return structs.replace(state, at=extra.decided_at) if _seconds(extra.decided_at) == _seconds(state.at) else state


def _facts_of(scanned: ScannedLine) -> Facts:
    facts, extra = Facts(**scanned.line.columns), scanned.extra
    if extra is None:
        return facts
    is_same_time = extra.time is not None and facts.time == extra.time.replace(microsecond=0)
    return structs.replace(
        facts,
        time=extra.time if is_same_time else facts.time,
        complement=extra.complement if facts.complement is None else facts.complement,
    )


def _seconds(at: dt.datetime) -> dt.datetime:
    return at.replace(microsecond=0)


def _taxa_of(extra: Extra) -> Iterator[int]:
    yield from (past.taxon_id for past in extra.past)
    if extra.predicted is not None:
        yield extra.predicted.taxon_id
        yield from (taxon_id for taxon_id, _ in extra.predicted.guesses)


def by_position(values: Sequence[Value | None], positions: list[int] | None) -> list[Value | None]:
    """The values as an array in which each stands at its position; None for the order in which they are."""
    if positions is None:
        return [*values]
    placed: list[Value | None] = [None] * (max(positions, default=-1) + 1)
    for position, value in zip(positions, values, strict=True):
        placed[position] = value
    return placed


def _positions(positions: list[int] | None, count: int) -> Iterable[int]:
    return range(count) if positions is None else positions
