"""Embeddings: the CSV, projections that are really computed, similar samples."""

import math
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from quadrat.db.engine import Database
from quadrat.db.extensions import has_vectors
from support.extensions import without_extensions
from support.gallery import UNKNOWN, Gallery, open_gallery, run_worker
from support.house import open_house

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("lightly_jobs")]


def csv_of(vectors: dict[str, list[float]]) -> str:
    width = len(next(iter(vectors.values())))
    lines = [",".join(["filenames", *(f"embedding_{n}" for n in range(width)), "labels"])]
    lines += [",".join([name, *map(str, vector), "0"]) for name, vector in vectors.items()]
    return "\n".join(lines) + "\n"


def clusters(count: int) -> dict[str, list[float]]:
    """Vectors of 8 numbers in two clusters: even samples in one, odd ones in the other."""
    chance = random.Random(1)
    return {f"{n}.png": [(n % 2) * 10 + chance.gauss(0, 0.1) for _ in range(7)] + [1.0] for n in range(count)}


async def embedded(gallery: Gallery, vectors: dict[str, list[float]], n_samples: int) -> tuple[str, str]:
    dataset = await gallery.make_dataset()
    await gallery.make_samples(dataset, n_samples)
    return dataset, await upload(gallery, dataset, csv_of(vectors))


async def upload(gallery: Gallery, dataset: str, content: str, name: str = "default") -> str:
    made = await gallery.get(f"/datasets/{dataset}/embeddings/writeCSVUrl", name=name)
    assert (await gallery.store.put(made["signedWriteUrl"], content=content.encode())).status_code == 200

    async def processed() -> bool:
        found = await gallery.get(f"/datasets/{dataset}/embeddings")
        return any(one["id"] == made["embeddingId"] and one["isProcessed"] for one in found)

    await gallery.until(processed)
    return str(made["embeddingId"])


async def projected(gallery: Gallery, dataset: str, embedding: str, method: str) -> dict[str, Any]:
    path = f"/datasets/{dataset}/embeddings/{embedding}"
    body = {"dimensionalityReductionMethod": method}
    assert (await gallery.client.post(f"{path}/trigger2dEmbeddingsJob", json=body)).status_code == 200

    async def look() -> Any:
        found = await gallery.get(f"{path}/2d")
        return next((one for one in found if one["dimensionalityReductionMethod"] == method), None)

    found: dict[str, Any] = await gallery.until(look)
    return found


# UMAP compiles itself at its first use, which takes longer than all other tests of this file.
@pytest.mark.timeout(400)
@pytest.mark.parametrize("method", ["PCA", "TSNE", pytest.param("UMAP", marks=pytest.mark.slow)])
async def test_projection_keeps_clusters_apart(method: str, working_gallery: Gallery):
    dataset, embedding = await embedded(working_gallery, clusters(30), 30)
    found = await projected(working_gallery, dataset, embedding, method)
    points = list(zip(found["coordinatesDimension1"], found["coordinatesDimension2"], strict=True))
    assert len(points) == 30
    even, odd = points[0::2], points[1::2]

    def centre(part: list[Any]) -> tuple[float, float]:
        return sum(x for x, _ in part) / len(part), sum(y for _, y in part) / len(part)

    between = math.dist(centre(even), centre(odd))
    within = max(math.dist(point, centre(part)) for part in (even, odd) for point in part)
    assert between > within


async def test_csv_comes_back_byte_for_byte_and_lists_are_newest_first(working_gallery: Gallery):
    content = csv_of(clusters(4))
    dataset, first = await embedded(working_gallery, clusters(4), 4)
    second = await upload(working_gallery, dataset, content, name="later")
    listed = await working_gallery.get(f"/datasets/{dataset}/embeddings")
    assert [one["id"] for one in listed] == [second, first]
    url = await working_gallery.get(f"/datasets/{dataset}/embeddings/{first}/readCSVUrl")
    assert (await working_gallery.store.get(url)).text == content
    answer = await working_gallery.client.get(f"/datasets/{dataset}/embeddings/writeCSVUrl", params={"name": "later"})
    assert (answer.status_code, answer.json()["code"]) == (400, "EMBEDDING_NAME_EXISTS")
    assert (await working_gallery.client.delete(f"/datasets/{dataset}/embeddings/{first}")).status_code == 200
    assert (await working_gallery.client.delete(f"/datasets/{dataset}/embeddings/{first}")).status_code == 404
    assert len(await working_gallery.get(f"/datasets/{dataset}/embeddings")) == 1

    async def csv_is_gone() -> bool:
        return (await working_gallery.store.get(url)).status_code == 404

    await working_gallery.until(csv_is_gone)


async def need_vectors(gallery: Gallery) -> None:
    """An external database may lack the extension; it loses only this."""
    async with gallery.house.db.begin() as tx:
        if not await has_vectors(tx):
            pytest.skip("the database lacks pgvector")


async def test_similar_samples_are_those_of_the_same_cluster_nearest_first(working_gallery: Gallery):
    await need_vectors(working_gallery)
    dataset, embedding = await embedded(working_gallery, clusters(20), 20)
    samples = await working_gallery.get(f"/datasets/{dataset}/samples/partial", mode="fileNames")
    path = f"/datasets/{dataset}/embeddings/{embedding}/similar"
    found = await working_gallery.get(path, sampleId=samples[0]["id"], pageSize=9)
    assert [int(one["fileName"].removesuffix(".png")) % 2 for one in found] == [0] * 9
    distances = [one["distance"] for one in found]
    assert distances == sorted(distances)
    assert await working_gallery.get(path, sampleId=UNKNOWN) == []
    pairs = await working_gallery.get(
        f"/datasets/{dataset}/duplicates", by="embedding", embeddingId=embedding, maxDistance=0.01
    )
    index = {sample["id"]: number for number, sample in enumerate(samples)}
    assert pairs
    for pair in pairs:
        assert index[pair["sampleId"]] > index[pair["duplicateOf"]]
    assert (await working_gallery.client.get(f"/datasets/{dataset}/duplicates?by=embedding")).status_code == 400


async def test_large_embedding_is_searched_through_an_index(working_gallery: Gallery, monkeypatch: pytest.MonkeyPatch):
    await need_vectors(working_gallery)
    monkeypatch.setattr("quadrat.samples.store.embeddings._INDEX_FROM_ROWS", 10)
    dataset, embedding = await embedded(working_gallery, clusters(20), 20)
    async with working_gallery.house.db.begin() as tx:
        indexes = await tx.execute(text(f"SELECT indexdef FROM pg_indexes WHERE tablename = 'vector_{embedding}'"))
        assert any("hnsw" in row[0] for row in indexes)
    samples = await working_gallery.get(f"/datasets/{dataset}/samples/partial", mode="ids")
    path = f"/datasets/{dataset}/embeddings/{embedding}/similar"
    assert len(await working_gallery.get(path, sampleId=samples[0]["id"], pageSize=5)) == 5
    assert (await working_gallery.client.delete(f"/datasets/{dataset}/embeddings/{embedding}")).status_code == 200
    async with working_gallery.house.db.begin() as tx:
        gone = await tx.execute(text(f"SELECT 1 FROM pg_class WHERE relname = 'vector_{embedding}'"))
        assert gone.one_or_none() is None


async def test_vectors_of_a_dataset_that_went_are_removed_at_the_next_occasion(working_gallery: Gallery):
    dataset, embedding = await embedded(working_gallery, clusters(4), 4)
    assert (await working_gallery.client.delete(f"/datasets/{dataset}")).status_code == 200
    await embedded(working_gallery, clusters(4), 4)
    async with working_gallery.house.db.begin() as tx:
        gone = await tx.execute(text(f"SELECT 1 FROM pg_class WHERE relname = 'vector_{embedding}'"))
        assert gone.one_or_none() is None


@pytest.fixture
async def plain_gallery(new_database: Callable[[], str], tmp_path: Path) -> AsyncIterator[Gallery]:
    """On a database whose server has no pgvector to offer."""
    url = without_extensions(new_database())
    async with AsyncExitStack() as cleanup:
        db = Database(url, pool_size=8)
        cleanup.push_async_callback(db.close)
        gallery = await open_gallery(await open_house(db, cleanup), tmp_path)
        await cleanup.enter_async_context(run_worker(gallery))
        yield gallery


async def test_server_without_pgvector_loses_the_search_alone(plain_gallery: Gallery):
    async with plain_gallery.house.db.begin() as tx:
        offered = await tx.execute(text("SELECT 1 FROM pg_available_extensions WHERE name = 'vector'"))
        assert offered.one_or_none() is None
    dataset, embedding = await embedded(plain_gallery, clusters(20), 20)
    assert len((await projected(plain_gallery, dataset, embedding, "PCA"))["coordinatesDimension1"]) == 20
    for path, params in (
        (f"/datasets/{dataset}/embeddings/{embedding}/similar", {"sampleId": UNKNOWN}),
        (f"/datasets/{dataset}/duplicates", {"by": "embedding", "embeddingId": embedding, "maxDistance": "0.01"}),
    ):
        answer = await plain_gallery.client.get(path, params=params)
        assert (answer.status_code, answer.json()["code"]) == (400, "NOT_IMPLEMENTED")
        assert "pgvector" in answer.json()["error"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "header"),
        ("a,b\n1,2\n", "header"),
        ("filenames,embedding_0,labels\n", "no vectors"),
        ("filenames,embedding_0,labels\n0.png,1,0\n1.png,x,0\n", "Line 3"),
        ("filenames,embedding_0,labels\n0.png,nan,0\n", "not finite"),
        ("filenames,embedding_0,labels\nother.png,1,0\n", "no sample"),
        ("filenames,embedding_0,labels\n0.png,1,0\n0.png,2,0\n", "already"),
        ("filenames,embedding_0,labels\n0.png,1\n", "2 fields"),
    ],
)
async def test_csv_that_cannot_be_used_says_why(content: str, problem: str, working_gallery: Gallery):
    dataset = await working_gallery.make_dataset()
    await working_gallery.make_samples(dataset, 2)
    embedding = await upload(working_gallery, dataset, content)
    answer = await working_gallery.client.get(
        f"/datasets/{dataset}/embeddings/{embedding}/similar", params={"sampleId": UNKNOWN}
    )
    assert answer.status_code == 400
    assert problem in answer.json()["error"]


async def test_embedding_of_another_tenant_is_not_found(working_gallery: Gallery):
    dataset, embedding = await embedded(working_gallery, clusters(4), 4)
    stranger = await working_gallery.stranger()
    for path in ("", f"/{embedding}/readCSVUrl", f"/{embedding}/2d", "/writeCSVUrl"):
        answer = await stranger.get(f"/datasets/{dataset}/embeddings{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "DATASET_UNKNOWN")
    path = f"/datasets/{dataset}/embeddings/{UNKNOWN}/readCSVUrl"
    answer = await working_gallery.client.get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "EMBEDDING_UNKNOWN")
