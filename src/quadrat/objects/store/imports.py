"""What an import looks up, and what it writes."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from sqlalchemy import BigInteger, Text, delete, exists, func, literal, or_, select, text, update
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.db.locks import NAMESPACE, AdvisoryLock
from quadrat.identity import tables as identity
from quadrat.identity.types import ProjectId
from quadrat.jobs.types import JobId
from quadrat.objects.rules.header import ColumnBook, Part
from quadrat.objects.rules.lines import Parent
from quadrat.objects.rules.naming import TaxonName, meant_taxon, names_in
from quadrat.objects.tables import (
    acquisition,
    fact,
    image,
    image_range,
    loaded_file,
    net_sample,
    object_,
    process,
    project,
    project_taxon,
    taxon,
)

_PART_COLUMNS = {
    Part.OBJECT: project.c.object_texts,
    Part.SAMPLE: project.c.sample_texts,
    Part.ACQUISITION: project.c.acquisition_texts,
    Part.PROCESS: project.c.process_texts,
}
_MOST_HOPS = 10

COPY_OBJECTS = (
    "COPY objects.object (id, project_id, sample_id, acquisition_id, author_id, decided_at, predicted_taxon_id, "
    "predicted_score, predicted_at, taxon_id, state) FROM STDIN"
)
COPY_FACTS = (
    "COPY objects.fact (object_id, project_id, orig_id, random_value, latitude, longitude, depth_min, depth_max, date, "
    "time, sun_position, link, complement) FROM STDIN"
)
COPY_FEATURES = "COPY objects.feature (object_id, project_id, numbers, texts) FROM STDIN"
COPY_IMAGES = (
    "COPY objects.image (id, object_id, project_id, rank, file_name, extension, width_px, height_px, size_bytes, "
    "thumbnail_width_px, thumbnail_height_px) FROM STDIN"
)
COPY_PREDICTIONS = "COPY objects.prediction (object_id, predicted_at, taxon_ids, scores) FROM STDIN"
COPY_HISTORY = "COPY objects.history (object_id, change, entered_at, taxon_id, author_id, score, state) FROM STDIN"
COPIES = (COPY_OBJECTS, COPY_FACTS, COPY_FEATURES, COPY_IMAGES, COPY_PREDICTIONS, COPY_HISTORY)
# Positions of the samples that an import added to: the least ones of their objects.
_PLACE_SAMPLES = text(
    """
    UPDATE objects.net_sample s SET latitude = found.latitude, longitude = found.longitude
    FROM (
        SELECT o.sample_id, min(f.latitude) AS latitude, min(f.longitude) AS longitude
        FROM objects.object o JOIN objects.fact f ON f.object_id = o.id
        WHERE o.project_id = :project_id AND o.sample_id = ANY(:sample_ids)
        GROUP BY o.sample_id
    ) found
    WHERE s.id = found.sample_id
    """
)


@dataclass(frozen=True, slots=True)
class KnownAcquisition:
    """An acquisition of the project, with the name of its sample."""

    id: int
    sample: str


@dataclass(frozen=True, slots=True)
class KnownObject:
    """An object of the project, with the ranks of its images by file name."""

    id: int
    images: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class ProjectContent:
    """What an import has to know of its project.

    Args:
        has_objects: Whether there is any.
        samples: Numbers by name.
        acquisitions: By name.
        loaded_files: Names of index files that were imported.
        book: Free columns.
    """

    has_objects: bool
    samples: Mapping[str, int]
    acquisitions: Mapping[str, KnownAcquisition]
    loaded_files: frozenset[str]
    book: ColumnBook


async def has_project(tx: AsyncConnection, project_id: ProjectId) -> bool:
    """Whether the project is still there."""
    query = select(identity.project.c.id).where(identity.project.c.id == project_id)
    return (await tx.execute(query)).one_or_none() is not None


async def read_content(tx: AsyncConnection, project_id: ProjectId) -> ProjectContent:
    """What the project holds."""
    has_objects = (
        await tx.execute(select(exists(select(object_.c.id).where(object_.c.project_id == project_id))))
    ).scalar_one()
    samples = await tx.execute(
        select(net_sample.c.orig_id, net_sample.c.id).where(net_sample.c.project_id == project_id)
    )
    acquisitions = await tx.execute(
        select(acquisition.c.orig_id, acquisition.c.id, net_sample.c.orig_id)
        .join(net_sample, net_sample.c.id == acquisition.c.sample_id)
        .where(acquisition.c.project_id == project_id)
    )
    files = await tx.execute(select(loaded_file.c.name).where(loaded_file.c.project_id == project_id))
    return ProjectContent(
        has_objects,
        {name: id_ for name, id_ in samples},  # noqa: C416 - rows, not pairs
        {name: KnownAcquisition(id_, sample) for name, id_, sample in acquisitions},
        frozenset(files.scalars()),
        await read_book(tx, project_id),
    )


async def read_book(tx: AsyncConnection, project_id: ProjectId) -> ColumnBook:
    """The free columns of the project."""
    query = select(project.c.object_numbers, *_PART_COLUMNS.values()).where(project.c.project_id == project_id)
    row = (await tx.execute(query)).one_or_none()
    if row is None:
        return ColumnBook()
    return ColumnBook(list(row[0]), {part: list(names) for part, names in zip(_PART_COLUMNS, row[1:], strict=True)})


async def write_book(tx: AsyncConnection, project_id: ProjectId, book: ColumnBook) -> None:
    """Store the free columns, which only ever grow."""
    values = {"object_numbers": book.numbers} | {
        column.name: book.texts[part] for part, column in _PART_COLUMNS.items()
    }
    statement = insert(project).values(project_id=project_id, **values)
    await tx.execute(statement.on_conflict_do_update(index_elements=[project.c.project_id], set_=values))


async def find_known_objects(
    tx: AsyncConnection, project_id: ProjectId, names: Collection[str]
) -> dict[str, KnownObject]:
    """Objects of the project by name; of several with one name the first."""
    found = (
        select(fact.c.orig_id, func.min(fact.c.object_id).label("id"))
        .where(fact.c.project_id == project_id, fact.c.orig_id == func.any(_texts(names)))
        .group_by(fact.c.orig_id)
        .subquery()
    )
    query = select(found.c.orig_id, found.c.id, image.c.file_name, image.c.rank).outerjoin(
        image, image.c.object_id == found.c.id
    )
    images: dict[str, tuple[int, dict[str, int]]] = {}
    for name, id_, file_name, rank in await tx.execute(query):
        _, known = images.setdefault(name, (id_, {}))
        if file_name is not None:
            known[file_name] = rank
    return {name: KnownObject(id_, known) for name, (id_, known) in images.items()}


async def find_taxa(tx: AsyncConnection, texts: Collection[str]) -> dict[str, int]:
    """The taxa that lower-case texts mean; unknown and ambiguous texts are left out."""
    names = sorted({name for words in texts for name in names_in(words)})
    parent = taxon.alias("parent")
    lowered = (func.lower(taxon.c.display_name).collate("C"), func.lower(taxon.c.name).collate("C"))
    query = (
        select(
            taxon.c.id,
            taxon.c.display_name,
            taxon.c.name,
            func.coalesce(parent.c.name, ""),
            taxon.c.status,
            taxon.c.renamed_to_id,
        )
        .outerjoin(parent, parent.c.id == taxon.c.parent_id)
        .where(or_(*(column.in_(names) for column in lowered)))
    )
    candidates: dict[str, list[TaxonName]] = {}
    for id_, display_name, name, parent_name, status, renamed_to_id in await tx.execute(query):
        is_active = status != "deprecated"
        meant = id_ if is_active or renamed_to_id is None else renamed_to_id
        found = TaxonName(meant, display_name.lower(), name.lower(), parent_name.lower(), is_active)
        for key in {found.display_name, found.name}:
            candidates.setdefault(key, []).append(found)
    meant_ids = {
        words: meant_taxon(words, [known for name in names_in(words) for known in candidates.get(name, [])])
        for words in texts
    }
    return {words: id_ for words, id_ in meant_ids.items() if id_ is not None}


async def existing_taxa(tx: AsyncConnection, ids: Collection[int]) -> set[int]:
    """Those of the numbers that are taxa."""
    wanted = [id_ for id_ in ids if abs(id_) < 2**63]
    query = select(taxon.c.id).where(taxon.c.id == func.any(literal(wanted, ARRAY(BigInteger))))
    return set((await tx.execute(query)).scalars())


async def find_people(tx: AsyncConnection, words: Collection[str]) -> dict[str, int]:
    """Users by e-mail address or full name in lower case; a name that several have means nobody."""
    user = identity.user
    full_name = func.lower(func.concat_ws(" ", user.c.name, user.c.surname))
    query = select(user.c.id, user.c.email, full_name).where(or_(user.c.email.in_(words), full_name.in_(words)))
    found: dict[str, set[int]] = {}
    for id_, email, name in await tx.execute(query):
        for word in {email, name} & set(words):
            found.setdefault(word, set()).add(id_)
    return {word: ids.pop() for word, ids in found.items() if len(ids) == 1}


async def email_of(tx: AsyncConnection, user_id: int) -> str | None:
    """The address of a user; None for a number that is none."""
    query = select(identity.user.c.email).where(identity.user.c.id == user_id)
    return (await tx.execute(query)).scalar_one_or_none()


async def existing_users(tx: AsyncConnection, ids: Collection[int]) -> set[int]:
    """Those of the numbers that are users."""
    query = select(identity.user.c.id).where(identity.user.c.id == func.any(literal(list(ids), ARRAY(BigInteger))))
    return set((await tx.execute(query)).scalars())


# Numbers, taken before the rows that will have them.


async def take_images(tx: AsyncConnection, project_id: ProjectId, count: int) -> int:
    """First of so many numbers for images in a row; noted, so that their bytes are found if the import ends early."""
    first = await _take(tx, "objects.image", count)
    await tx.execute(insert(image_range).values(project_id=project_id, first_id=first, last_id=first + count - 1))
    return first


async def take_objects(tx: AsyncConnection, count: int) -> int:
    """First of so many numbers for objects in a row."""
    return await _take(tx, "objects.object", count)


async def _take(tx: AsyncConnection, table: str, count: int) -> int:
    # One at a time: between the two calls nobody else may take a number.
    await tx.execute(select(func.pg_advisory_xact_lock(NAMESPACE, int(AdvisoryLock.OBJECT_NUMBERS))))
    sequence = func.pg_get_serial_sequence(table, "id")
    first: int = (await tx.execute(select(func.nextval(sequence)))).scalar_one()
    await tx.execute(select(func.setval(sequence, first + count - 1)))
    return first


async def list_image_ranges(tx: AsyncConnection, project_id: ProjectId) -> list[tuple[int, int]]:
    """Numbers that imports have taken and not used."""
    query = select(image_range.c.first_id, image_range.c.last_id).where(image_range.c.project_id == project_id)
    return [(first, last) for first, last in await tx.execute(query)]


async def list_unfinished_projects(tx: AsyncConnection) -> list[ProjectId]:
    """Projects with such numbers."""
    return [ProjectId(id_) for id_ in (await tx.execute(select(image_range.c.project_id).distinct())).scalars()]


async def drop_image_ranges(tx: AsyncConnection, project_id: ProjectId) -> None:
    """The numbers are used, or the bytes under them are gone."""
    await tx.execute(delete(image_range).where(image_range.c.project_id == project_id))


# Writing, in the transaction that holds the project's clock.


async def add_samples(tx: AsyncConnection, project_id: ProjectId, parents: Mapping[str, Parent]) -> dict[str, int]:
    """Make samples; their numbers by name."""
    return await _insert_named(
        tx,
        net_sample,
        [
            {
                "project_id": project_id,
                "orig_id": name,
                "descriptor": parent.fixed.get("sample_dataportal_descriptor"),
                "free_texts": _by_position(parent.free),
            }
            for name, parent in parents.items()
        ],
    )


async def add_acquisitions(
    tx: AsyncConnection, project_id: ProjectId, parents: Mapping[str, tuple[int, Parent, Parent]]
) -> dict[str, int]:
    """Make acquisitions and their processes, from the number of the sample and both parents; numbers by name."""
    made = await _insert_named(
        tx,
        acquisition,
        [
            {
                "project_id": project_id,
                "sample_id": sample_id,
                "orig_id": name,
                "instrument": parent.fixed.get("acq_instrument"),
                "free_texts": _by_position(parent.free),
            }
            for name, (sample_id, parent, _) in parents.items()
        ],
    )
    processes = [
        {"acquisition_id": made[name], "orig_id": parent.orig_id, "free_texts": _by_position(parent.free)}
        for name, (_, _, parent) in parents.items()
    ]
    if processes:
        await tx.execute(insert(process), processes)
    return made


async def copy_lines(tx: AsyncConnection, statement: str, lines: Sequence[str]) -> None:
    """COPY lines in PostgreSQL's text format."""
    if not lines:
        return
    raw = await tx.get_raw_connection()
    connection = raw.driver_connection
    assert isinstance(connection, psycopg.AsyncConnection)  # noqa: S101 - the only driver
    async with connection.cursor() as cursor, cursor.copy(statement.encode()) as copy:
        await copy.write("".join(lines).encode())


async def place_samples(tx: AsyncConnection, project_id: ProjectId, sample_ids: Collection[int]) -> None:
    """Give samples the least latitude and longitude of their objects."""
    await tx.execute(_PLACE_SAMPLES, {"project_id": project_id, "sample_ids": list(sample_ids)})


async def set_positions(tx: AsyncConnection, positions: Mapping[int, tuple[float | None, float | None]]) -> None:
    """Give samples the latitude and longitude that somebody gave them before, by number."""
    for sample_id, (latitude, longitude) in positions.items():
        statement = update(net_sample).where(net_sample.c.id == sample_id)
        await tx.execute(statement.values(latitude=latitude, longitude=longitude))


async def add_counts(tx: AsyncConnection, project_id: ProjectId, counts: Mapping[tuple[int, str], int]) -> None:
    """Add new objects to the counts of the project: how many there are of each taxon and state."""
    letters = {"P": "n_predicted", "V": "n_validated", "D": "n_dubious"}
    rows: dict[int, dict[str, Any]] = {}
    for (taxon_id, letter), count in counts.items():
        row = rows.setdefault(
            taxon_id,
            {"project_id": project_id, "taxon_id": taxon_id, "n_objects": 0, **dict.fromkeys(letters.values(), 0)},
        )
        row["n_objects"] += count
        if letter in letters:
            row[letters[letter]] += count
    for row in rows.values():
        statement = insert(project_taxon).values(row)
        grown = {name: project_taxon.c[name] + statement.excluded[name] for name in ("n_objects", *letters.values())}
        await tx.execute(
            statement.on_conflict_do_update(
                index_elements=[project_taxon.c.project_id, project_taxon.c.taxon_id], set_=grown
            )
        )


async def add_loaded_files(
    tx: AsyncConnection, project_id: ProjectId, job_id: JobId | None, names: Iterable[str]
) -> None:
    """Note index files that have been imported."""
    rows = [{"project_id": project_id, "name": name, "job_id": job_id} for name in names]
    if rows:
        await tx.execute(insert(loaded_file).on_conflict_do_nothing(), rows)


async def _insert_named(tx: AsyncConnection, table: Any, rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    made: dict[str, int] = {}
    for row in rows:
        made[row["orig_id"]] = (await tx.execute(insert(table).values(row).returning(table.c.id))).scalar_one()
    return made


def _by_position(values: Mapping[int, str]) -> list[str | None]:
    return [values.get(position) for position in range(max(values, default=-1) + 1)]


def _texts(words: Iterable[str]) -> Any:
    return literal(list(words), ARRAY(Text))
