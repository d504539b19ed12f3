"""Jobs of embeddings: read the CSV, lay the vectors out on a plane."""

import asyncio
import subprocess
import sys
import tempfile
from array import array
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

from quadrat.base.ids import new_object_id
from quadrat.db.extensions import has_vectors
from quadrat.errors import ErrorKind, QuadratError
from quadrat.jobs.registry import JobContext
from quadrat.samples.rules.common import this_moment
from quadrat.samples.rules.embeddings import Vectors, read_vectors
from quadrat.samples.rules.samples import csv_key
from quadrat.samples.store import embeddings as store
from quadrat.samples.types import DatasetId, EmbeddingId, Projection, ProjectionMethod
from quadrat.storage.blobs import BlobStore

_MISSING_LIBRARY = 3
#: Beyond this the method takes hours.
_MAX_ROWS = {ProjectionMethod.TSNE: 100_000, ProjectionMethod.UMAP: 1_000_000}
_INSTALL = {ProjectionMethod.UMAP: "umap-learn"}


class EmbeddingResources(Protocol):
    """What a worker process has to offer these jobs."""

    @property
    def blobs(self) -> BlobStore:
        """Where CSV files are stored."""
        ...


async def read_embedding(context: JobContext[EmbeddingResources], params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Read a CSV that came, and keep its vectors where the database can search them. Safe to repeat."""
    dataset_id, embedding_id = DatasetId(params["dataset_id"]), EmbeddingId(params["embedding_id"])
    try:
        vectors = await _read(context, dataset_id, embedding_id)
    except QuadratError as error:
        if error.kind is ErrorKind.INVALID:
            async with context.db.begin() as tx:
                values = {"is_processed": True, "is_searchable": False, "problem": error.message}
                await store.set_embedding(tx, embedding_id, **values)
        raise
    n_rows = len(vectors.sample_indexes)
    await context.progress(50, f"{n_rows} vectors of {vectors.dimensions} numbers read")
    async with context.db.begin() as tx:
        await store.drop_orphans(tx)
        if await store.find_embedding(tx, dataset_id, embedding_id) is None:
            return {"gone": True}
        searchable = await has_vectors(tx)
        if searchable:
            await store.replace_vectors(tx, embedding_id, vectors.dimensions, vectors.rows(), n_rows)
        await store.set_embedding(
            tx,
            embedding_id,
            is_processed=True,
            is_searchable=searchable,
            problem=None,
            dimensions=vectors.dimensions,
            n_rows=n_rows,
        )
    if not searchable:
        await context.log("The database lacks the extension pgvector: similar samples cannot be searched for.")
    return {"rows": n_rows, "dimensions": vectors.dimensions, "searchable": searchable}


async def project_embedding(context: JobContext[EmbeddingResources], params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Lay the vectors of a CSV out on a plane. Safe to repeat.

    Raises:
        QuadratError: unsupported without the library; invalid for a CSV that cannot be used.
    """
    dataset_id, embedding_id = DatasetId(params["dataset_id"]), EmbeddingId(params["embedding_id"])
    method = ProjectionMethod(params["method"])
    vectors = await _read(context, dataset_id, embedding_id)
    n_rows = len(vectors.sample_indexes)
    if n_rows > _MAX_ROWS.get(method, n_rows):
        raise QuadratError(
            ErrorKind.UNSUPPORTED,
            f"{method.upper()} of {n_rows} vectors would take hours; at most {_MAX_ROWS[method]} are laid out.",
        )
    await context.progress(20, f"{method.upper()} of {n_rows} vectors")
    plane = await _project(method, vectors)
    made = Projection(
        id=new_object_id(),
        embedding_id=embedding_id,
        method=method,
        x=plane[0::2].tolist(),
        y=plane[1::2].tolist(),
        sample_indexes=vectors.sample_indexes,
        created_at=this_moment(),
    )
    async with context.db.begin() as tx:
        if await store.find_embedding(tx, dataset_id, embedding_id) is not None:
            await store.set_projection(tx, made)
    return {"method": method.value, "rows": n_rows}


async def _read(context: JobContext[EmbeddingResources], dataset_id: DatasetId, embedding_id: EmbeddingId) -> Vectors:
    async with context.db.begin() as tx:
        index_of = await store.index_by_name(tx, dataset_id)
    async with _folder() as folder:
        path = folder / "embeddings.csv"
        await context.resources.blobs.fetch_to(csv_key(dataset_id, embedding_id), path)
        return await asyncio.to_thread(_parse, path, index_of)


def _parse(path: Path, index_of: Mapping[str, int]) -> Vectors:
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            return read_vectors(lines, index_of)
    except UnicodeDecodeError:
        raise QuadratError(ErrorKind.INVALID, "The CSV is not UTF-8.") from None


async def _project(method: ProjectionMethod, vectors: Vectors) -> "array[float]":
    async with _folder() as folder:
        source, target = folder / "vectors", folder / "plane"
        source.write_bytes(vectors.values.tobytes())
        command = ("-m", "quadrat.samples.projecting", method.value, str(vectors.dimensions), source, target)
        process = await asyncio.create_subprocess_exec(sys.executable, *command, stderr=subprocess.PIPE)
        try:
            _, complaint = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
        if process.returncode == _MISSING_LIBRARY:
            raise QuadratError(
                ErrorKind.UNSUPPORTED,
                f"{method.upper()} needs a library that is not installed beside Quadrat: "
                f"pip install {_INSTALL[method]}, then ask for it again.",
            )
        if process.returncode:
            message = f"laying out failed: {complaint.decode(errors='replace')[-2000:]}"
            raise RuntimeError(message)
        plane: array[float] = array("f")
        plane.frombytes(target.read_bytes())
        return plane


@asynccontextmanager
async def _folder() -> AsyncIterator[Path]:
    with tempfile.TemporaryDirectory(prefix="quadrat-embedding-") as folder:
        yield Path(folder)
