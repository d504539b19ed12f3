"""Uploads that nobody goes on with or uses are removed, and no other."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from uuid import UUID

import numpy as np
import pytest
from sqlalchemy import text

from quadrat.errors import QuadratError
from quadrat.gaze.actions.cleaning import PURGE
from quadrat.gaze.actions.files import NewReference, create_reference, folder_of
from quadrat.gaze.store.files import expire_files
from quadrat.gaze.types import ReferenceKind
from quadrat.identity.actions.workspaces import open_workspace
from quadrat.jobs.actions import enqueue
from support.gaze import Lab, png
from support.waiting import until_blocked

pytestmark = pytest.mark.anyio
LIFE = timedelta(days=7)
PICTURE = png(np.full((30, 40, 3), 120, np.uint8))
PART = {"Tus-Resumable": "1.0.0", "Content-Type": "application/offset+octet-stream"}


async def announce(lab: Lab, size: int) -> str:
    """The id of an upload of which nothing has come."""
    made = await lab.client.post(f"{lab.place}/files/", headers={"Upload-Length": str(size)})
    assert made.status_code == 201
    assert_expires(made.headers["upload-expires"])
    return str(made.json()["result"]["id"])


def assert_expires(header: str) -> None:
    assert abs(parsedate_to_datetime(header) - datetime.now(UTC) - LIFE) < timedelta(minutes=5)


async def send(lab: Lab, file: str, offset: int, content: bytes | AsyncIterator[bytes]) -> int:
    sent = await lab.client.patch(
        f"{lab.place}/files/{file}", headers={**PART, "Upload-Offset": str(offset)}, content=content
    )
    if sent.status_code == 204:
        assert_expires(sent.headers["upload-expires"])
    return sent.status_code


async def age(lab: Lab, *files: str) -> None:
    """As if the last byte had come eight days ago."""
    async with lab.house.db.begin() as tx:
        await tx.execute(
            text("UPDATE gaze.file SET updated_at = now() - interval '8 days' WHERE uuid = ANY(:uuids)"),
            {"uuids": [UUID(file) for file in files]},
        )


async def is_there(lab: Lab, file: str) -> bool:
    return (await lab.client.head(f"{lab.place}/files/{file}")).status_code == 200


async def has_bytes(lab: Lab, file: str) -> bool:
    return bool([key async for key, _ in lab.house.state["blobs"].list_prefix(folder_of(UUID(file)))])


async def use(lab: Lab, file: str) -> None:
    await lab.ask("POST", f"{lab.place}/markerless/", json={"reference_image_id": file, "scanning_recording_id": ""})


async def test_old_uploads_go_with_their_bytes_unless_something_refers_to_them(lab: Lab):
    used, unused, young = [await lab.upload(PICTURE) for _ in range(3)]
    await use(lab, used)
    broken_off, gone_on = await announce(lab, 8), await announce(lab, 8)
    for file in (broken_off, gone_on):
        assert await send(lab, file, 0, b"abcd") == 204
    await age(lab, used, unused, broken_off, gone_on)
    assert await send(lab, gone_on, 4, b"e") == 204
    async with lab.house.db.begin() as tx:
        job = await enqueue(tx, PURGE, {})
    async with asyncio.timeout(60):
        await lab.house.state["job_waiter"].ended(job)
    assert [await is_there(lab, file) for file in (unused, broken_off)] == [False] * 2
    assert [await has_bytes(lab, file) for file in (unused, broken_off)] == [False] * 2
    assert [await is_there(lab, file) for file in (used, young, gone_on)] == [True] * 3
    assert [await has_bytes(lab, file) for file in (used, young, gone_on)] == [True] * 3
    await lab.ask(
        "POST", f"{lab.place}/markerless/", 409, json={"reference_image_id": unused, "scanning_recording_id": ""}
    )


async def test_upload_whose_bytes_are_coming_at_this_moment_stays(lab: Lab):
    file = await announce(lab, 8)
    await age(lab, file)

    async def slowly() -> AsyncIterator[bytes]:
        yield b"abcd"
        async with lab.house.db.begin() as tx:
            assert await expire_files(tx, LIFE, limit=1000) == 0
        yield b"efgh"

    assert await send(lab, file, 0, slowly()) == 204
    assert await is_there(lab, file)


async def test_upload_that_is_being_used_at_this_moment_stays(lab: Lab):
    file = await lab.upload(PICTURE)
    await age(lab, file)
    async with lab.house.db.begin() as using:
        workspace = await open_workspace(using, lab.person.caller, UUID(lab.workspace))
        await create_reference(
            using, lab.person.caller, workspace, NewReference(ReferenceKind.MARKERLESS, file=UUID(file))
        )
        async with lab.house.db.begin() as purging:
            assert await expire_files(purging, LIFE, limit=1000) == 0
    async with lab.house.db.begin() as purging:
        assert await expire_files(purging, LIFE, limit=1000) == 0
    assert await is_there(lab, file)


async def test_upload_that_is_being_removed_at_this_moment_cannot_be_used(lab: Lab):
    file = await lab.upload(PICTURE)
    await age(lab, file)
    async with lab.house.db.begin() as purging:
        assert await expire_files(purging, LIFE, limit=1000) == 1
        using = asyncio.create_task(_refer(lab, file))
        await until_blocked(lab.house.db, using)
    with pytest.raises(QuadratError, match=r"^File .* does not exist"):
        await using


async def _refer(lab: Lab, file: str) -> None:
    async with lab.house.db.begin() as tx:
        workspace = await open_workspace(tx, lab.person.caller, UUID(lab.workspace))
        await create_reference(
            tx, lab.person.caller, workspace, NewReference(ReferenceKind.MARKERLESS, file=UUID(file))
        )


async def test_upload_removed_while_its_bytes_come_is_not_found_and_leaves_nothing(lab: Lab):
    file = await announce(lab, 8)
    assert await send(lab, file, 0, b"abcd") == 204

    async def slowly() -> AsyncIterator[bytes]:
        yield b"ef"
        await age(lab, file)
        async with lab.house.db.begin() as tx:
            await expire_files(tx, LIFE, limit=1000)
        yield b"gh"

    assert await send(lab, file, 4, slowly()) == 404
    assert not await has_bytes(lab, file)
