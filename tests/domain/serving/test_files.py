"""Blobs in and out of models, payloads that are too large for a row, and what becomes of their bytes."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update

from quadrat.base.clock import now
from quadrat.base.ids import new_uuid
from quadrat.errors import QuadratError
from quadrat.serving.actions import blobs
from quadrat.serving.actions.packages import clean_later
from quadrat.serving.files import SPILL_BYTES, Files
from quadrat.serving.rules.blobs import blob_key, payload_key
from quadrat.serving.store.blobs import list_live
from quadrat.serving.tables import blob, payload, request
from quadrat.serving.types import Blob, FieldType
from support.serving import Engine, ServingHouse

pytestmark = pytest.mark.anyio

REVERSE = """
import os

class Model:
    def request(self, data):
        path = data["picture"]
        content = open(path, "rb").read()
        what = data["what"]
        if what == "symlink":
            os.symlink("/etc/shadow", "out.bin")
        elif what == "nothing":
            return {"picture": "not/there.png", "name": "x"}
        else:
            with open("out.bin", "wb") as out:
                out.write(content[::-1])
        return {"picture": "out.bin", "name": os.path.basename(path) if os.path.isabs(path) else "relative"}
"""
FIELDS: dict[str, Any] = {
    "inputs": {"picture": FieldType.BLOB, "what": FieldType.STRING},
    "outputs": {"picture": FieldType.BLOB, "name": FieldType.STRING},
}


@pytest.fixture
def files(serving: ServingHouse) -> Files:
    return Files(serving.db, serving.blobs, serving.runner)


async def add(serving: ServingHouse, files: Files, content: bytes, name: str = "a b.png") -> Blob:
    return await files.add_blob(serving.project.id, name, content)


async def content_of(serving: ServingHouse, blob_id: str) -> tuple[str, bytes]:
    async with serving.db.begin() as tx:
        (found,) = await list_live(tx, serving.project.id, [UUID(blob_id)])
    return found.file_name, await serving.blobs.read(blob_key(found.id), max_bytes=10**9)


def data_of(picture: UUID, what: str = "") -> bytes:
    return json.dumps({"picture": str(picture), "what": what}).encode()


async def test_model_reads_a_blob_by_path_and_gives_one_back(serving: ServingHouse, engine: Engine, files: Files):
    path = await serving.serve(REVERSE, **FIELDS)
    given = await add(serving, files, b"12345" * 100_000)
    answer = await engine.ask(path, data_of(given.id))
    assert answer.success, answer.error_message
    result = json.loads(answer.result or b"")
    assert result["name"] == "a b.png"
    assert await content_of(serving, result["picture"]) == ("out.bin", b"54321" * 100_000)
    assert await content_of(serving, str(given.id)) == ("a b.png", b"12345" * 100_000)


async def test_batch_requests_take_and_give_blobs(serving: ServingHouse, engine: Engine, files: Files):
    path = await serving.serve(REVERSE, **FIELDS)
    given = [await add(serving, files, str(number).encode() * 3 + b"!") for number in range(5)]
    ids = await serving.submit(path, *(data_of(item.id) for item in given))
    found = await serving.finished(path, ids)
    results = [json.loads(item.result or b"null") for item in found]
    contents = [(await content_of(serving, result["picture"]))[1] for result in results]
    assert contents == [b"!" + str(number).encode() * 3 for number in range(5)]


async def test_request_with_an_unknown_blob_is_refused_before_anything_runs(
    serving: ServingHouse, engine: Engine, files: Files
):
    path = await serving.serve(REVERSE, **FIELDS)
    gone = await add(serving, files, b"x")
    async with serving.db.begin() as tx:
        await blobs.delete_blob(tx, serving.caller, serving.project.name, gone.id)
    for unknown in (new_uuid(), gone.id):
        with pytest.raises(QuadratError, match="does not exist"):
            await engine.ask(path, data_of(unknown))
        with pytest.raises(QuadratError, match="does not exist"):
            await serving.submit(path, data_of(unknown))


async def test_output_that_is_no_file_fails_the_request_by_name(serving: ServingHouse, engine: Engine, files: Files):
    path = await serving.serve(REVERSE, **FIELDS)
    given = await add(serving, files, b"x")
    answer = await engine.ask(path, data_of(given.id, "nothing"))
    assert answer.error_message == "The output field picture must be the path of a file, not 'not/there.png'."


async def test_model_cannot_have_the_server_read_a_file_for_it(serving: ServingHouse, engine: Engine, files: Files):
    path = await serving.serve(REVERSE, **FIELDS)
    given = await add(serving, files, b"x")
    answer = await engine.ask(path, data_of(given.id, "symlink"))
    assert not answer.success
    assert "Permission denied" in (answer.error_message or "") or "must be the path" in (answer.error_message or "")


async def test_files_lent_to_a_request_are_gone_after_it(serving: ServingHouse, engine: Engine, files: Files):
    source = "class Model:\n    def request(self, data):\n        return {'path': data['picture']}\n"
    path = await serving.serve(source, {"picture": FieldType.BLOB}, {"path": FieldType.STRING})
    given = await add(serving, files, b"x")
    answer = await engine.ask(path, json.dumps({"picture": str(given.id)}).encode())
    where = json.loads(answer.result or b"")["path"]
    with pytest.raises(FileNotFoundError):
        Path(where).stat()


async def test_large_data_and_results_lie_in_the_store_and_come_back_whole(serving: ServingHouse, engine: Engine):
    path = await serving.serve()
    large, small = json.dumps("é" * SPILL_BYTES).encode(), b'"small"'
    stored = await engine.engine.files.add_payload(large)
    async with serving.db.begin() as tx:
        from quadrat.serving.actions.requests import create_requests

        ids, _ = await create_requests(tx, serving.caller, path, [large, small], {0: stored})
    found = await serving.finished(path, ids)
    assert [item.data for item in found] == [None, small]
    assert found[0].result is None
    assert found[0].result_payload_id is not None
    assert json.loads(await engine.engine.files.read_payload(found[0].result_payload_id)) == json.loads(large)
    assert found[1].result == small


async def test_bytes_of_deleted_requests_blobs_and_projects_are_removed(
    serving: ServingHouse, engine: Engine, files: Files
):
    path = await serving.serve()
    payload_id = await files.add_payload(b'"x"')
    kept, expired, deleted = [await add(serving, files, b"x") for _ in range(3)]
    long_ago = now() - timedelta(days=2)
    async with serving.db.begin() as tx:
        await tx.execute(update(payload).values(created_at=long_ago))
        await tx.execute(update(blob).where(blob.c.id == expired.id).values(expires_at=long_ago))
        await blobs.delete_blob(tx, serving.caller, serving.project.name, deleted.id)
        await clean_later(tx)
    keys = [payload_key(payload_id), blob_key(expired.id), blob_key(deleted.id)]

    async def gone() -> bool:
        return not any([await serving.blobs.exists(key) for key in keys])

    await serving.until(gone)
    assert await serving.blobs.exists(blob_key(kept.id))
    async with serving.db.begin() as tx:
        assert (await tx.execute(select(payload.c.id))).all() == []
        assert (await tx.execute(select(request.c.id))).all() == []
    assert await serving.version(path)
