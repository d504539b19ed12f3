"""All SQL of embeddings. Their vectors lie in a table for each, where the database has the type for them."""

from collections.abc import Iterable, Sequence
from typing import Any

from psycopg import sql
from sqlalchemy import Select, delete, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.samples.tables import SCHEMA, embedding, projection, sample
from quadrat.samples.types import DatasetId, Embedding, EmbeddingId, Projection, ProjectionMethod, SampleId

# Beyond this a search that looks at every vector is felt.
_INDEX_FROM_ROWS = 10_000
_INDEX_MAX_DIMENSIONS = 2000


def _select() -> Select[*tuple[Any, ...]]:
    return select(
        embedding.c.id,
        embedding.c.dataset_id,
        embedding.c.name,
        embedding.c.is_processed,
        embedding.c.dimensions,
        embedding.c.n_rows,
        embedding.c.is_searchable,
        embedding.c.problem,
        embedding.c.created_at,
    )


def _to_embedding(row: Sequence[Any]) -> Embedding:
    return Embedding(EmbeddingId(row[0]), DatasetId(row[1]), *row[2:])


async def insert_embedding(tx: AsyncConnection, made: Embedding) -> bool:
    """Whether it was made; False when the dataset has one of that name."""
    statement = (
        insert(embedding)
        .values(
            id=made.id,
            dataset_id=made.dataset_id,
            name=made.name,
            is_processed=made.is_processed,
            is_searchable=made.is_searchable,
            created_at=made.created_at,
        )
        .on_conflict_do_nothing(index_elements=[embedding.c.dataset_id, embedding.c.name])
        .returning(embedding.c.id)
    )
    return (await tx.execute(statement)).one_or_none() is not None


async def list_embeddings(tx: AsyncConnection, dataset_id: DatasetId) -> list[Embedding]:
    """Those of a dataset, newest first."""
    query = _select().where(embedding.c.dataset_id == dataset_id)
    query = query.order_by(embedding.c.created_at.desc(), embedding.c.id.desc())
    return [_to_embedding(row) for row in await tx.execute(query)]


async def find_embedding(tx: AsyncConnection, dataset_id: DatasetId, id_: EmbeddingId) -> Embedding | None:
    """One of a dataset."""
    query = _select().where(embedding.c.dataset_id == dataset_id, embedding.c.id == id_)
    row = (await tx.execute(query)).one_or_none()
    return None if row is None else _to_embedding(row)


async def set_embedding(tx: AsyncConnection, id_: EmbeddingId, **values: Any) -> None:
    """Set columns of an embedding."""
    await tx.execute(update(embedding).where(embedding.c.id == id_).values(**values))


async def delete_embedding(tx: AsyncConnection, id_: EmbeddingId) -> None:
    """Remove it with its vectors and projections."""
    await drop_vectors(tx, id_)
    await tx.execute(delete(embedding).where(embedding.c.id == id_))


async def index_by_name(tx: AsyncConnection, dataset_id: DatasetId) -> dict[str, int]:
    """Index of every sample of a dataset, by its file name."""
    query = select(sample.c.file_name, sample.c.index).where(sample.c.dataset_id == dataset_id)
    return dict((await tx.execute(query)).all())


async def set_projection(tx: AsyncConnection, made: Projection) -> None:
    """Keep a projection, in place of an earlier one by the same method."""
    values = {
        "id": made.id,
        "x": made.x,
        "y": made.y,
        "sample_indexes": made.sample_indexes,
        "created_at": made.created_at,
    }
    upsert = insert(projection).values(embedding_id=made.embedding_id, method=made.method, **values)
    await tx.execute(
        upsert.on_conflict_do_update(index_elements=[projection.c.embedding_id, projection.c.method], set_=values)
    )


async def list_projections(tx: AsyncConnection, id_: EmbeddingId) -> list[Projection]:
    """All of an embedding, in the order of creation."""
    query = (
        select(
            projection.c.id,
            projection.c.embedding_id,
            projection.c.method,
            projection.c.x,
            projection.c.y,
            projection.c.sample_indexes,
            projection.c.created_at,
        )
        .where(projection.c.embedding_id == id_)
        .order_by(projection.c.created_at)
    )
    return [
        Projection(row[0], EmbeddingId(row[1]), ProjectionMethod(row[2]), *row[3:]) for row in await tx.execute(query)
    ]


# Vectors.


async def drop_vectors(tx: AsyncConnection, id_: EmbeddingId) -> None:
    """Remove the vectors of an embedding; no error when there are none."""
    await tx.execute(text(f"DROP TABLE IF EXISTS {_table(id_)}"))


async def drop_orphans(tx: AsyncConnection) -> None:
    """Remove vectors whose embedding went with its dataset or project."""
    query = text(
        "SELECT substr(c.relname, 8) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        f"WHERE n.nspname = '{SCHEMA}' AND c.relkind = 'r' AND c.relname ~ '^vector_[a-f0-9]{{24}}$' "
        f"AND NOT EXISTS (SELECT FROM {SCHEMA}.embedding e WHERE e.id = substr(c.relname, 8))"
    )
    for (id_,) in (await tx.execute(query)).all():
        await drop_vectors(tx, EmbeddingId(id_))


async def replace_vectors(
    tx: AsyncConnection, id_: EmbeddingId, dimensions: int, rows: Iterable[tuple[int, Sequence[float]]], n_rows: int
) -> None:
    """Keep the vectors of an embedding, by sample index, ready to be searched."""
    table = _table(id_)
    await drop_vectors(tx, id_)
    await tx.execute(text(f"CREATE TABLE {table} (sample_index integer PRIMARY KEY, v vector({dimensions}) NOT NULL)"))
    connection: Any = (await tx.get_raw_connection()).driver_connection
    async with (
        connection.cursor() as cursor,
        cursor.copy(sql.SQL("COPY {} FROM STDIN").format(sql.SQL(table))) as copy,
    ):
        for index, values in rows:
            await copy.write(f"{index}\t[{','.join(map(repr, values))}]\n")
    if n_rows >= _INDEX_FROM_ROWS and dimensions <= _INDEX_MAX_DIMENSIONS:
        await tx.execute(text("SET LOCAL maintenance_work_mem = '512MB'"))
        await tx.execute(text(f"CREATE INDEX ON {table} USING hnsw (v vector_cosine_ops)"))
    await tx.execute(text(f"ANALYZE {table}"))


async def list_similar(
    tx: AsyncConnection, found: Embedding, id_: SampleId, limit: int
) -> list[tuple[SampleId, str, float]]:
    """Samples by the cosine distance of their vectors to that of one sample, nearest first, itself left out."""
    await _search_deep(tx, limit + 1)
    query = text(
        f"SELECT s.id, s.file_name, n.distance FROM ("
        f"  SELECT sample_index, v <=> (SELECT q.v FROM {_table(found.id)} q JOIN {SCHEMA}.sample o"
        f"    ON o.index = q.sample_index WHERE o.id = :id AND o.dataset_id = :dataset) AS distance"
        f"  FROM {_table(found.id)} ORDER BY distance LIMIT :limit) n"
        f" JOIN {SCHEMA}.sample s ON s.dataset_id = :dataset AND s.index = n.sample_index"
        f" WHERE s.id <> :id AND n.distance IS NOT NULL ORDER BY n.distance, s.index LIMIT :limit - 1"
    )
    values = {"id": id_, "dataset": found.dataset_id, "limit": limit + 1}
    return [(SampleId(row[0]), row[1], row[2]) for row in await tx.execute(query, values)]


async def list_close_pairs(
    tx: AsyncConnection, found: Embedding, max_distance: float, page: tuple[int, int], neighbours: int
) -> list[tuple[SampleId, SampleId, float]]:
    """Pairs of samples whose vectors are close, of each sample on a page with those of a lower index.

    Args:
        tx: The transaction.
        found: The embedding.
        max_distance: Cosine distance, 0 to 2.
        page: How many samples, after how many.
        neighbours: How many of the nearest are looked at for each sample.
    """
    limit, offset = page
    await _search_deep(tx, neighbours)
    query = text(
        f"SELECT a.id, b.id, n.distance FROM ("
        f"  SELECT sample_index, v FROM {_table(found.id)} ORDER BY sample_index LIMIT :limit OFFSET :offset) q"
        f" CROSS JOIN LATERAL (SELECT sample_index, v <=> q.v AS distance FROM {_table(found.id)}"
        f"  ORDER BY distance LIMIT :neighbours) n"
        f" JOIN {SCHEMA}.sample a ON a.dataset_id = :dataset AND a.index = q.sample_index"
        f" JOIN {SCHEMA}.sample b ON b.dataset_id = :dataset AND b.index = n.sample_index"
        f" WHERE n.sample_index < q.sample_index AND n.distance <= :distance ORDER BY a.index, n.distance, b.index"
    )
    values = {
        "dataset": found.dataset_id,
        "limit": limit,
        "offset": offset,
        "neighbours": neighbours,
        "distance": max_distance,
    }
    return [(SampleId(row[0]), SampleId(row[1]), row[2]) for row in await tx.execute(query, values)]


async def _search_deep(tx: AsyncConnection, wanted: int) -> None:
    """An approximate index gives no more than it has looked at."""
    depth = min(max(2 * wanted, 100), 1000)
    await tx.execute(text(f"SET LOCAL hnsw.ef_search = {depth}"))


def _table(id_: EmbeddingId) -> str:
    """Made from an id that has 24 hex digits, as every id that comes out of the database or an address has."""
    if len(id_) != 24 or not set(id_) <= set("0123456789abcdef"):
        message = f"not an id: {id_}"
        raise ValueError(message)
    return f"{SCHEMA}.vector_{id_}"
