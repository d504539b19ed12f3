"""Blobs: kept for their time, under their names, for their project alone."""

from collections.abc import MutableMapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from sqlalchemy import update
from structlog.testing import capture_logs

from quadrat.serving.tables import blob
from support.desk import Desk

pytestmark = pytest.mark.anyio


async def upload(desk: Desk, content: bytes = b"abc", name: str = "haul.png", **headers: str) -> dict[str, Any]:
    at = f"/projects/{desk.project.name}/blobs"
    answer = await desk.client.post(at, files={"file": (name, content)}, headers=headers)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def test_blob_lives_from_create_to_delete(desk: Desk):
    at = f"/projects/{desk.project.name}/blobs"
    made = await upload(desk, b"\0" * 1_000_000, "a picture.png")
    assert (made["filename"], made["size"], made["ttl"]) == ("a picture.png", 1_000_000, 259_200)
    assert (await desk.client.get(at)).json() == [made]
    got = await desk.client.get(f"{at}/{made['id']}")
    assert (got.status_code, got.content) == (200, b"\0" * 1_000_000)
    assert got.headers["content-disposition"] == 'attachment; filename="a picture.png"'
    assert (await desk.client.delete(f"{at}/{made['id']}")).status_code == 204
    assert (await desk.client.get(f"{at}/{made['id']}")).status_code == 404
    assert (await desk.client.delete(f"{at}/{made['id']}")).status_code == 404
    assert (await desk.client.get(at)).json() == []


@pytest.mark.parametrize(
    ("sent", "kept"), [("../../etc/passwd", "passwd"), ("..", "file"), ("C:\\x\\y.jpg", "y.jpg"), ("é.png", "é.png")]
)
async def test_name_of_a_blob_is_its_base_name(desk: Desk, sent: str, kept: str):
    assert (await upload(desk, name=sent))["filename"] == kept


@pytest.mark.parametrize("ttl", ["900", "1000", "259200"])
async def test_life_of_a_blob_is_what_was_asked_for(desk: Desk, ttl: str):
    assert (await upload(desk, **{"blob-ttl": ttl}))["ttl"] == int(ttl)


@pytest.mark.parametrize("ttl", ["899", "259201", "-1", "1e3", "soon", ""])
async def test_life_that_no_blob_may_have_is_400(desk: Desk, ttl: str):
    at = f"/projects/{desk.project.name}/blobs"
    answer = await desk.client.post(at, files={"file": ("x", b"x")}, headers={"blob-ttl": ttl})
    assert answer.status_code == 400
    assert "blob" in answer.json()["error"]
    assert (await desk.client.get(at)).json() == []


async def test_expired_blob_is_gone_for_every_call(desk: Desk):
    made = await upload(desk)
    async with desk.house.db.begin() as tx:
        past = datetime.fromisoformat(made["creation_date"]) - timedelta(seconds=1)
        await tx.execute(update(blob).where(blob.c.id == made["id"]).values(expires_at=past))
    at = f"/projects/{desk.project.name}/blobs"
    assert (await desk.client.get(f"{at}/{made['id']}")).status_code == 404
    assert (await desk.client.delete(f"{at}/{made['id']}")).status_code == 404
    assert (await desk.client.get(at)).json() == []


async def test_list_goes_from_a_moment_in_either_direction_both_ends_included(desk: Desk):
    made = [await upload(desk, name=f"{number}.png") for number in range(5)]
    first = datetime(2026, 11, 1, 12, 0, 0)  # noqa: DTZ001 - written as the API's callers write it
    async with desk.house.db.begin() as tx:
        for number, item in enumerate(made):
            at = f"{first + timedelta(hours=number)}.25+00:00"
            row = update(blob).where(blob.c.id == item["id"])
            await tx.execute(row.values(created_at=datetime.fromisoformat(at)))

    async def names(**query: Any) -> list[str]:
        answer = await desk.client.get(f"/projects/{desk.project.name}/blobs", params=query)
        assert answer.status_code == 200, answer.text
        return [item["filename"][0] for item in answer.json()]

    middle = "2026-11-01 14:00:00"
    assert await names() == ["4", "3", "2", "1", "0"]
    assert await names(range=-2) == ["4", "3"]
    assert await names(range=2) == ["0", "1"]
    assert await names(range=2, creation_date=middle) == ["2", "3"]
    assert await names(range=-2, creation_date=middle) == ["2", "1"]
    assert await names(creation_date=middle) == ["2", "1", "0"]


@pytest.mark.parametrize(
    "query", [{"range": "0"}, {"range": "many"}, {"range": "1001"}, {"creation_date": "yesterday"}]
)
async def test_list_that_cannot_be_is_400(desk: Desk, query: dict[str, str]):
    assert (await desk.client.get(f"/projects/{desk.project.name}/blobs", params=query)).status_code == 400


async def test_body_without_a_file_is_400_and_a_large_one_413(desk: Desk):
    at = f"/projects/{desk.project.name}/blobs"
    assert (await desk.client.post(at, files={"other": ("x", b"x")})).status_code == 400
    assert (await desk.client.post(at, json={"file": "x"})).status_code == 400


async def test_unknown_blob_is_404(desk: Desk):
    at = f"/projects/{desk.project.name}/blobs"
    for name in (str(uuid4()), "none", "%00"):
        assert (await desk.client.get(f"{at}/{name}")).status_code == 404
        assert (await desk.client.delete(f"{at}/{name}")).status_code == 404


async def test_stranger_and_anonymous_learn_nothing(desk: Desk):
    made = await upload(desk)
    at = f"/projects/{desk.project.name}/blobs"
    stranger = await desk.house.make_person()
    other = desk.client_of(stranger)
    anonymous = desk.client_of(None)
    foreign = (await desk.house.make_project(stranger)).name
    for path in (at, f"{at}/{made['id']}"):
        assert (await other.get(path)).status_code == 404
        assert (await anonymous.get(path)).status_code == 401
    assert (await other.post(at, files={"file": ("x", b"x")})).status_code == 404
    assert (await anonymous.post(at, files={"file": ("x", b"x")})).status_code == 401
    # In a project of their own, the id means nothing.
    assert (await other.get(f"/projects/{foreign}/blobs/{made['id']}")).status_code == 404
    assert (await other.delete(f"/projects/{foreign}/blobs/{made['id']}")).status_code == 404


async def test_upload_that_is_broken_off_is_no_fault(desk: Desk):
    at = f"/projects/{desk.project.name}/blobs"
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    told = [{"type": "http.request", "body": head + bytes(1000), "more_body": True}, {"type": "http.disconnect"}]
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return told.pop(0) if len(told) > 1 else told[0]

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    async def break_off(scope: MutableMapping[str, Any], _receive: object, _send: object) -> None:
        await app(scope, receive, send)

    line = desk.client._transport
    assert isinstance(line, httpx2.ASGITransport)
    app, line.app = line.app, break_off
    kind = {"content-type": "multipart/form-data; boundary=b", "content-length": "100000"}
    with capture_logs() as said, suppress(AssertionError):  # the client has got no answer
        await desk.client.post(at, headers=kind)
    line.app = app
    assert [message["status"] for message in sent if message["type"] == "http.response.start"] == [400]
    assert [entry["event"] for entry in said if entry["log_level"] == "error"] == []
    assert (await desk.client.get(at)).json() == []
