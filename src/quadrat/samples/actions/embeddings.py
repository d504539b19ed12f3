"""What can be done with embeddings: upload a CSV, read it back, lay it out on a plane, find similar samples."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base.ids import new_object_id
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.types import Caller
from quadrat.jobs.actions import enqueue
from quadrat.jobs.types import Queueing
from quadrat.samples.actions.datasets import open_dataset
from quadrat.samples.rules.common import refusal, this_moment
from quadrat.samples.rules.embeddings import check_embedding_name
from quadrat.samples.rules.samples import csv_key
from quadrat.samples.store import duplicates
from quadrat.samples.store import embeddings as store
from quadrat.samples.store.images import owner_of
from quadrat.samples.types import DatasetId, Embedding, EmbeddingId, Projection, ProjectionMethod, SampleId

READ_EMBEDDING = "samples.read_embedding"
PROJECT_EMBEDDING = "samples.project_embedding"
MAX_SIMILAR = 1000
_NEIGHBOURS = 20


async def list_embeddings(tx: AsyncConnection, caller: Caller, dataset_id: DatasetId) -> Sequence[Embedding]:
    """Those of a dataset, newest first.

    Raises:
        QuadratError: not_found, forbidden.
    """
    await open_dataset(tx, caller, dataset_id, "samples.read")
    return await store.list_embeddings(tx, dataset_id)


async def create_embedding(tx: AsyncConnection, caller: Caller, dataset_id: DatasetId, name: str) -> EmbeddingId:
    """Make room for a CSV that is about to be uploaded.

    Raises:
        QuadratError: not_found, forbidden, invalid, already_exists.
    """
    await open_dataset(tx, caller, dataset_id, "samples.update")
    check_embedding_name(name)
    made = Embedding(
        id=EmbeddingId(new_object_id()),
        dataset_id=dataset_id,
        name=name,
        is_processed=False,
        dimensions=None,
        n_rows=None,
        is_searchable=False,
        problem=None,
        created_at=this_moment(),
    )
    if not await store.insert_embedding(tx, made):
        message = f"The dataset has an embedding called {name} already."
        raise refusal(ErrorKind.ALREADY_EXISTS, "EMBEDDING_NAME_EXISTS", message, "name")
    return made.id


async def get_embedding(
    tx: AsyncConnection,
    caller: Caller,
    dataset_id: DatasetId,
    embedding_id: EmbeddingId,
    permission: str = "samples.read",
) -> Embedding:
    """One of a dataset.

    Raises:
        QuadratError: not_found, forbidden.
    """
    await open_dataset(tx, caller, dataset_id, permission)
    found = await store.find_embedding(tx, dataset_id, embedding_id)
    if found is None:
        message = f"Embedding {embedding_id} does not exist in this dataset."
        raise refusal(ErrorKind.NOT_FOUND, "EMBEDDING_UNKNOWN", message)
    return found


async def delete_embedding(
    tx: AsyncConnection, caller: Caller, dataset_id: DatasetId, embedding_id: EmbeddingId, delete_file: str
) -> None:
    """Remove an embedding with all that was made of it; its CSV goes by a job.

    Args:
        tx: The transaction.
        caller: Who asks.
        dataset_id: Where it is.
        embedding_id: Which one.
        delete_file: Kind of the job that removes a file.

    Raises:
        QuadratError: not_found, forbidden.
    """
    found = await get_embedding(tx, caller, dataset_id, embedding_id, "samples.update")
    await store.delete_embedding(tx, found.id)
    await enqueue(tx, delete_file, {"key": csv_key(dataset_id, found.id)})


async def csv_came(tx: AsyncConnection, dataset_id: DatasetId, embedding_id: EmbeddingId) -> bool:
    """Have a CSV read that was just stored; False when its embedding is gone."""
    if await store.find_embedding(tx, dataset_id, embedding_id) is None:
        return False
    owner_id, project_id = await owner_of(tx, dataset_id) or (None, None)
    await enqueue(
        tx,
        READ_EMBEDDING,
        {"dataset_id": dataset_id, "embedding_id": embedding_id},
        owner_id=owner_id,
        project_id=project_id,
        queueing=Queueing(lock=f"samples.embedding:{embedding_id}", once=True),
    )
    return True


async def project_later(
    tx: AsyncConnection, caller: Caller, dataset_id: DatasetId, embedding_id: EmbeddingId, method: ProjectionMethod
) -> None:
    """Have the vectors laid out on a plane by a job.

    Raises:
        QuadratError: not_found, forbidden.
    """
    await get_embedding(tx, caller, dataset_id, embedding_id, "samples.update")
    owner_id, project_id = await owner_of(tx, dataset_id) or (None, None)
    await enqueue(
        tx,
        PROJECT_EMBEDDING,
        {"dataset_id": dataset_id, "embedding_id": embedding_id, "method": method.value},
        owner_id=owner_id,
        project_id=project_id,
        # One at a time on the whole installation: each takes a core for minutes.
        queueing=Queueing(lock="samples.project_embedding", once=True),
    )


async def list_projections(
    tx: AsyncConnection, caller: Caller, dataset_id: DatasetId, embedding_id: EmbeddingId
) -> tuple[Embedding, Sequence[Projection]]:
    """The embedding with its projections.

    Raises:
        QuadratError: not_found, forbidden.
    """
    found = await get_embedding(tx, caller, dataset_id, embedding_id)
    return found, await store.list_projections(tx, found.id)


async def list_similar(
    tx: AsyncConnection,
    caller: Caller,
    dataset_id: DatasetId,
    embedding_id: EmbeddingId,
    sample_id: SampleId,
    limit: int,
) -> Sequence[tuple[SampleId, str, float]]:
    """Samples with file name and cosine distance, by how close their vectors are to that of one sample.

    Raises:
        QuadratError: not_found, forbidden; unsupported on a database without the extension; wrong_state before the
            CSV has been read.
    """
    found = await _searchable(tx, caller, dataset_id, embedding_id)
    return await store.list_similar(tx, found, sample_id, min(limit, MAX_SIMILAR))


async def list_close_pairs(
    tx: AsyncConnection,
    caller: Caller,
    dataset_id: DatasetId,
    embedding_id: EmbeddingId,
    max_distance: float,
    page: tuple[int, int],
) -> Sequence[tuple[SampleId, SampleId, float]]:
    """Pairs of samples whose vectors are close, of the samples on a page with those before them.

    Raises:
        QuadratError: As `list_similar`.
    """
    found = await _searchable(tx, caller, dataset_id, embedding_id)
    return await store.list_close_pairs(tx, found, max_distance, page, _NEIGHBOURS)


async def list_equal(
    tx: AsyncConnection, caller: Caller, dataset_id: DatasetId, page: tuple[int, int]
) -> Sequence[tuple[SampleId, SampleId, int]]:
    """Samples whose images are the same bytes, each with the first of them.

    Raises:
        QuadratError: not_found, forbidden.
    """
    await open_dataset(tx, caller, dataset_id, "samples.read")
    return await duplicates.list_equal(tx, dataset_id, page)


async def list_alike(
    tx: AsyncConnection, caller: Caller, dataset_id: DatasetId, max_bits: int, page: tuple[int, int]
) -> Sequence[tuple[SampleId, SampleId, int]]:
    """Pairs of samples whose images look alike, with the number of bits in which their hashes differ.

    Raises:
        QuadratError: not_found, forbidden, invalid.
    """
    await open_dataset(tx, caller, dataset_id, "samples.read")
    if not 0 <= max_bits <= duplicates.MAX_BITS:
        raise QuadratError(
            ErrorKind.INVALID,
            f"Hashes are compared for 0 to {duplicates.MAX_BITS} differing bits.",
            field="maxDistance",
        )
    return await duplicates.list_alike(tx, dataset_id, max_bits, page)


async def _searchable(
    tx: AsyncConnection, caller: Caller, dataset_id: DatasetId, embedding_id: EmbeddingId
) -> Embedding:
    found = await get_embedding(tx, caller, dataset_id, embedding_id)
    if found.is_searchable:
        return found
    if found.is_processed and found.problem is None:
        raise QuadratError(
            ErrorKind.UNSUPPORTED,
            "This server's database lacks the extension pgvector, so similar samples cannot be found. Its operator can "
            "install it (package postgresql-<version>-pgvector, then CREATE EXTENSION vector) and have the CSV "
            "uploaded again. Everything else works without it.",
        )
    raise QuadratError(ErrorKind.WRONG_STATE, found.problem or "The CSV of this embedding has not been read yet.")
