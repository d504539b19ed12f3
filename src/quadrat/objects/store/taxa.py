"""The taxonomy."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import Select, func, insert, literal, or_, select, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import BigInteger

from quadrat.identity import tables as identity
from quadrat.identity.actions.access import visible
from quadrat.identity.types import Caller, ProjectId
from quadrat.objects.frames.names import TaxonNames
from quadrat.objects.store.arrays import binary_row, read_ids
from quadrat.objects.tables import project, project_taxon, reclassification, taxon, tree
from quadrat.objects.types import Taxon, TaxonId, TaxonKind, TaxonStatus

_MOST_CHILDREN = 100_000
_MOST_NAMES = 1_000_000  # in memory, to be searched
_lowered = func.lower(taxon.c.display_name).collate("C")
_COLUMNS = (
    taxon.c.id,
    taxon.c.parent_id,
    taxon.c.path,
    taxon.c.name,
    taxon.c.display_name,
    taxon.c.kind,
    taxon.c.status,
    taxon.c.renamed_to_id,
    taxon.c.n_objects,
    taxon.c.n_objects_below,
)


def _select() -> Select[*tuple[Any, ...]]:
    return select(*_COLUMNS)


def _to_taxon(row: Sequence[Any]) -> Taxon:
    return Taxon(
        id=TaxonId(row[0]),
        parent_id=None if row[1] is None else TaxonId(row[1]),
        path=tuple(TaxonId(id_) for id_ in row[2]),
        name=row[3],
        display_name=row[4],
        kind=TaxonKind(row[5]),
        status=TaxonStatus(row[6]),
        renamed_to_id=None if row[7] is None else TaxonId(row[7]),
        n_objects=row[8],
        n_objects_below=row[9],
    )


async def list_roots(tx: AsyncConnection) -> list[Taxon]:
    """Taxa without a parent."""
    return [
        _to_taxon(row) for row in await tx.execute(_select().where(taxon.c.parent_id.is_(None)).order_by(taxon.c.id))
    ]


async def find_taxa(tx: AsyncConnection, ids: Collection[int]) -> dict[int, Taxon]:
    """Taxa by number."""
    wanted = [id_ for id_ in ids if 0 < id_ < 2**63]
    query = _select().where(taxon.c.id == func.any(literal(wanted, ARRAY(BigInteger))))
    return {row[0]: _to_taxon(row) for row in await tx.execute(query)}


async def children_of(tx: AsyncConnection, ids: Collection[int]) -> dict[int, list[int]]:
    """Numbers of the children of taxa."""
    query = (
        select(taxon.c.parent_id, taxon.c.id)
        .where(taxon.c.parent_id == func.any(literal(list(ids), ARRAY(BigInteger))))
        .order_by(taxon.c.id)
        .limit(_MOST_CHILDREN)
    )
    found: dict[int, list[int]] = {}
    for parent_id, id_ in await tx.execute(query):
        found.setdefault(parent_id or 0, []).append(id_)
    return found


async def search_taxa(
    tx: AsyncConnection, begins: str, pattern: str, preset: Collection[int], limit: int
) -> list[Taxon]:
    """Taxa whose display name in lower case is LIKE the pattern, those of the preset first, then by name.

    Args:
        tx: The transaction.
        begins: The part of the pattern before the first wildcard, for the index.
        pattern: LIKE, in lower case.
        preset: Come first.
        limit: At most so many.
    """
    query = _select().where(_lowered.like(pattern))
    if begins:  # else every name is looked at, and two comparisons more would take twice as long
        query = query.where(_lowered >= begins, _lowered < _after(begins))
    first = taxon.c.id.in_(list(preset)).desc() if preset else None
    ordered = query.order_by(*([] if first is None else [first]), _lowered, taxon.c.id).limit(limit)
    return [_to_taxon(row) for row in await tx.execute(ordered)]


_NAMES = """
SELECT (SELECT content FROM objects.tree),
       string_agg(int8send(id), ''::bytea ORDER BY name, id),
       string_agg(convert_to(name, 'UTF8'), '\\x00'::bytea ORDER BY name, id)
FROM (SELECT id, lower(display_name) COLLATE "C" AS name FROM objects.taxon) names
WHERE (SELECT count(*) FROM (SELECT FROM objects.taxon LIMIT %(most)s + 1) counted) <= %(most)s
"""


async def read_names(tx: AsyncConnection, most: int = _MOST_NAMES) -> TaxonNames | None:
    """The display names of all taxa; None when there are none, or more than memory should hold."""
    row = await binary_row(tx, _NAMES, {"most": most})
    if row is None or row[0] is None or row[1] is None:
        return None
    return TaxonNames(row[0], read_ids(row[1]), row[2])


async def find_if_unchanged(tx: AsyncConnection, content: UUID, ids: Sequence[int]) -> list[Taxon] | None:
    """Taxa in the order of their numbers; None when the tree has another content by now."""
    wanted = taxon.c.id == func.any(literal(list(ids), ARRAY(BigInteger)))
    query = select(tree.c.content, *_COLUMNS).select_from(tree.outerjoin(taxon, wanted))
    rows = (await tx.execute(query)).all()
    if not rows or rows[0][0] != content:
        return None
    found = {row[1]: _to_taxon(row[1:]) for row in rows if row[1] is not None}
    return [found[id_] for id_ in ids if id_ in found]


def _after(begins: str) -> str:
    """The least text that is greater than all that begin so."""
    return begins + chr(0x10FFFF)


async def insert_taxon(tx: AsyncConnection, parent: Taxon, values: Mapping[str, Any]) -> int:
    """A new taxon below another; its number."""
    id_: int = (await tx.execute(select(func.nextval(func.pg_get_serial_sequence("objects.taxon", "id"))))).scalar_one()
    await tx.execute(insert(taxon).values(id=id_, parent_id=parent.id, path=[*parent.path, id_], **values))
    return id_


async def display_names_like(tx: AsyncConnection, names: Collection[str]) -> set[str]:
    """Those of the display names that are taken, in lower case."""
    taken = select(_lowered).where(_lowered.in_([name.lower() for name in names]))
    return set((await tx.execute(taken)).scalars())


async def lock_names(tx: AsyncConnection) -> None:
    """Let one transaction at a time choose display names."""
    await tx.execute(text("LOCK TABLE objects.taxon IN SHARE ROW EXCLUSIVE MODE"))


async def last_change(tx: AsyncConnection) -> Any:
    """When a taxon last came or changed; None for an empty tree."""
    return (await tx.execute(select(func.max(taxon.c.updated_at)))).scalar_one()


async def list_usage(tx: AsyncConnection, caller: Caller | None, taxon_id: int) -> list[tuple[ProjectId, str, int]]:
    """Number, title and validated objects of the projects that the caller may read and that use the taxon."""
    open_to_all = func.coalesce(project.c.visible, False)
    may_read = open_to_all if caller is None else or_(open_to_all, identity.project.c.id.in_(visible(caller)))
    query = (
        select(identity.project.c.id, identity.project.c.title, project_taxon.c.n_validated)
        .join(project_taxon, project_taxon.c.project_id == identity.project.c.id)
        .outerjoin(project, project.c.project_id == identity.project.c.id)
        .where(project_taxon.c.taxon_id == taxon_id, project_taxon.c.n_validated > 0, may_read)
        .order_by(project_taxon.c.n_validated.desc(), identity.project.c.id)
    )
    return [(ProjectId(id_), title, count) for id_, title, count in await tx.execute(query)]


async def list_reclassifications(tx: AsyncConnection, project_id: ProjectId) -> list[tuple[int, int, str]]:
    """From, to and the name of the latter, oldest first."""
    query = (
        select(reclassification.c.from_taxon_id, reclassification.c.to_taxon_id, taxon.c.display_name)
        .join(taxon, taxon.c.id == reclassification.c.to_taxon_id)
        .where(reclassification.c.project_id == project_id)
        .order_by(reclassification.c.at)
    )
    return [(row[0], row[1], row[2]) for row in await tx.execute(query)]


_RECOUNT = text(
    """
    WITH own AS (
        SELECT t.id, t.path, coalesce(sum(c.n_validated), 0) AS n
        FROM objects.taxon t LEFT JOIN objects.project_taxon c ON c.taxon_id = t.id
        GROUP BY t.id, t.path
    ), below AS (
        SELECT above AS id, sum(n) AS n FROM own, unnest(path) AS above WHERE n > 0 GROUP BY above
    )
    UPDATE objects.taxon t SET n_objects = own.n, n_objects_below = coalesce(below.n, 0)
    FROM own LEFT JOIN below ON below.id = own.id
    WHERE t.id = own.id AND (t.n_objects, t.n_objects_below) IS DISTINCT FROM (own.n, coalesce(below.n, 0))
    """
)


async def recount(tx: AsyncConnection) -> None:
    """Renew how many validated objects of all projects are in each taxon, and in it with all below it."""
    await tx.execute(_RECOUNT)


# Trees from files.

_COPY = (
    "COPY objects.taxon (id, parent_id, path, name, display_name, kind, status, source_id, source_url, "
    "source_description) FROM STDIN"
)


async def take_numbers(tx: AsyncConnection, count: int) -> int:
    """First of so many numbers in a row; the caller holds `lock_names`."""
    sequence = func.pg_get_serial_sequence("objects.taxon", "id")
    first: int = (await tx.execute(select(func.nextval(sequence)))).scalar_one()
    await tx.execute(select(func.setval(sequence, first + count - 1)))
    return first


async def keep_numbers_above(tx: AsyncConnection, last: int) -> None:
    """Make sure that new taxa get greater numbers than this."""
    sequence = func.pg_get_serial_sequence("objects.taxon", "id")
    await tx.execute(select(func.setval(sequence, func.greatest(func.nextval(sequence), last))))


async def copy_taxa(tx: AsyncConnection, lines: Sequence[str]) -> None:
    """COPY lines in PostgreSQL's text format."""
    raw = await tx.get_raw_connection()
    connection = raw.driver_connection
    assert isinstance(connection, psycopg.AsyncConnection)  # noqa: S101 - the only driver
    async with connection.cursor() as cursor, cursor.copy(_COPY.encode()) as copy:
        await copy.write("".join(lines).encode())


async def set_renamed(tx: AsyncConnection, renamed: Sequence[tuple[int, int]]) -> None:
    """Say what to use instead of deprecated taxa."""
    statement = text(
        "UPDATE objects.taxon t SET renamed_to_id = g.new, status = 'deprecated' "
        "FROM unnest(CAST(:old AS bigint[]), CAST(:new AS bigint[])) AS g (old, new) WHERE t.id = g.old"
    )
    if renamed:
        await tx.execute(statement, {"old": [old for old, _ in renamed], "new": [new for _, new in renamed]})


async def all_display_names(tx: AsyncConnection) -> set[str]:
    """Display names of all taxa, in lower case."""
    return set((await tx.execute(select(func.lower(taxon.c.display_name)))).scalars())


async def all_ids(tx: AsyncConnection) -> dict[int, list[int]]:
    """Paths of all taxa by number."""
    return {row[0]: row[1] for row in await tx.execute(select(taxon.c.id, taxon.c.path))}


async def all_sources(tx: AsyncConnection) -> dict[str, int]:
    """Numbers of taxa by their number in the source that they came from."""
    rows = await tx.execute(select(taxon.c.source_id, taxon.c.id).where(taxon.c.source_id.is_not(None)))
    return {row[0] or "": row[1] for row in rows}


async def names_by_id(tx: AsyncConnection) -> dict[int, str]:
    """Names of all taxa."""
    return {row[0]: row[1] for row in await tx.execute(select(taxon.c.id, taxon.c.name))}
