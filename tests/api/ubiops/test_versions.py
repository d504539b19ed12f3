import asyncio
import hashlib
import io
import zipfile
from typing import Any

import pytest
from sqlalchemy import delete, text

from quadrat.serving.tables import model
from support.desk import Desk
from support.people import unique
from support.serving import ECHO, ServingHouse, pack

pytestmark = pytest.mark.anyio

DEFAULTS = {
    "description": "",
    "language": "python3.7",
    "status": "initialised",
    "error_message": "",
    "memory_allocation": 2048,
    "maximum_instances": 5,
    "minimum_instances": 0,
    "maximum_idle_time": 300,
}
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


async def make_model(desk: Desk) -> str:
    name = unique("m")
    await desk.client.post(desk.models, json={"name": name, "input_type": "plain", "output_type": "plain"})
    return f"{desk.models}/{name}/versions"


async def test_version_lives_from_create_to_delete(desk: Desk):
    versions = await make_model(desk)
    made = await desk.client.post(versions, json={"version": "v1", "language": None, "unknown": 1})
    body = made.json()
    assert made.status_code == 201
    assert set(body) == {
        *DEFAULTS,
        "id",
        "model",
        "version",
        "creation_date",
        "last_updated",
        "file_last_updated",
    }
    assert {key: body[key] for key in DEFAULTS} == DEFAULTS
    assert (body["model"], body["version"]) == (versions.split("/")[-2], "v1")
    assert body["file_last_updated"] == body["creation_date"]
    assert (await desk.client.get(f"{versions}/v1")).json() == body
    assert (await desk.client.get(versions)).json() == [body]
    deleted = await desk.client.delete(f"{versions}/v1")
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert (await desk.client.get(f"{versions}/v1")).status_code == 404


async def test_version_whose_model_goes_at_the_same_moment_is_404(desk: Desk):
    versions = await make_model(desk)
    async with desk.house.db.begin() as tx:
        await tx.execute(delete(model).where(model.c.name == versions.split("/")[-2]))
        making = asyncio.create_task(desk.client.post(versions, json={"version": "v1"}))
        async with asyncio.timeout(20), desk.house.db.look() as conn:
            while not (await conn.execute(text(WAITING))).scalar_one():
                await asyncio.sleep(0.01)
    answer = await making
    assert answer.status_code == 404
    assert answer.json() == {"error": "What this belongs to, or names, has just been deleted."}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"version": None},
        {"version": "V1"},
        {"version": "v" * 65},
        {"version": "v1", "language": "python3.9"},
        {"version": "v1", "language": "r"},
        {"version": "v1", "memory_allocation": 255},
        {"version": "v1", "memory_allocation": 32769},
        {"version": "v1", "memory_allocation": "512"},
        {"version": "v1", "memory_allocation": True},
        {"version": "v1", "memory_allocation": 10**30},
        {"version": "v1", "maximum_instances": 0},
        {"version": "v1", "maximum_instances": 21},
        {"version": "v1", "minimum_instances": -1},
        {"version": "v1", "minimum_instances": 3, "maximum_instances": 2},
        {"version": "v1", "maximum_idle_time": 9},
        {"version": "v1", "maximum_idle_time": 3601},
        {"version": "v1", "description": "x" * 201},
    ],
)
async def test_version_that_cannot_be_is_400(desk: Desk, body: dict[str, Any]):
    versions = await make_model(desk)
    refused = await desk.client.post(versions, json=body)
    assert (refused.status_code, set(refused.json())) == (400, {"error"})
    assert (await desk.client.get(versions)).json() == []


async def test_name_is_taken_once_per_model(desk: Desk):
    first, second = await make_model(desk), await make_model(desk)
    answers = [await desk.client.post(at, json={"version": "v1"}) for at in (first, first, second)]
    assert [answer.status_code for answer in answers] == [201, 400, 201]


async def test_update_changes_what_is_given_and_checks_the_whole(desk: Desk):
    versions = await make_model(desk)
    made = (await desk.client.post(versions, json={"version": "v1", "minimum_instances": 2})).json()
    changed = await desk.client.patch(
        f"{versions}/v1", json={"version": "v1-b", "memory_allocation": 512, "description": "more"}
    )
    assert changed.status_code == 200
    assert changed.json() == {
        **made,
        "version": "v1-b",
        "memory_allocation": 512,
        "description": "more",
        "last_updated": changed.json()["last_updated"],
    }
    assert (await desk.client.get(f"{versions}/v1")).status_code == 404
    # Two instances at least, one at most: each value alone would do.
    refused = await desk.client.patch(f"{versions}/v1-b", json={"maximum_instances": 1})
    assert refused.status_code == 400
    await desk.client.post(versions, json={"version": "v2"})
    assert (await desk.client.patch(f"{versions}/v1-b", json={"version": "v2"})).status_code == 400


async def test_update_as_the_client_sends_it_builds_nothing(desk: Desk):
    """Its class always names the version and the default language."""
    at = await desk.make_version()
    changed = await desk.client.patch(at, json={"version": "v1", "language": "python3.7", "maximum_idle_time": 600})
    assert (changed.status_code, changed.json()["status"]) == (200, "initialised")
    assert changed.json()["maximum_idle_time"] == 600


async def test_stranger_and_anonymous_learn_nothing(desk: Desk):
    at = await desk.make_version()
    stranger = desk.client_of(await desk.house.make_person())
    files = {"file": ("p.zip", pack(ECHO))}
    for client, expected in ((stranger, 404), (desk.client_of(None), 401)):
        answers = [
            await client.get(at),
            await client.patch(at, json={"description": "x"}),
            await client.delete(at),
            await client.put(f"{at}/upload", files=files),
            await client.get(f"{at}/download"),
        ]
        assert {answer.status_code for answer in answers} == {expected}
    assert (await desk.client.get(at)).json()["status"] == "initialised"


@pytest.mark.parametrize(
    "body",
    [
        {"files": {"file": ("p.zip", b"this is no zip")}},
        {"files": {"file": ("p.zip", b"")}},
        {"files": {"other": ("p.zip", pack(ECHO))}},
        {"data": {"file": "text"}},
        {"json": {"file": "x"}},
        {"content": b"--broken", "headers": {"Content-Type": "multipart/form-data; boundary=x"}},
        {"content": b"no boundary", "headers": {"Content-Type": "multipart/form-data"}},
        {},
    ],
)
async def test_upload_that_is_no_archive_is_400_and_builds_nothing(desk: Desk, body: dict[str, Any]):
    at = await desk.make_version()
    refused = await desk.client.put(f"{at}/upload", **body)
    assert (refused.status_code, set(refused.json())) == (400, {"error"})
    assert (await desk.client.get(at)).json()["status"] == "initialised"
    assert (await desk.client.get(f"{at}/download")).status_code == 404


async def test_upload_above_the_limit_is_413(desk: Desk):
    at = await desk.make_version()
    refused = await desk.client.put(f"{at}/upload", files={"file": ("p.zip", b"x" * (1024**2 + 1))})
    assert (refused.status_code, set(refused.json())) == (413, {"error"})


async def test_upload_is_built_and_can_be_downloaded(running_desk: Desk, serving: ServingHouse):
    desk = running_desk
    at = await desk.make_version()
    before = (await desk.client.get(at)).json()
    content = pack(ECHO)
    uploaded = await desk.client.put(f"{at}/upload", files={"file": ("C:\\my\\first.zip", content)})
    assert (uploaded.status_code, uploaded.json()) == (200, {"success": True})
    assert await desk.built(serving, at) == "available"
    after = (await desk.client.get(at)).json()
    assert after["file_last_updated"] > before["file_last_updated"]
    downloaded = await desk.client.get(f"{at}/download")
    assert downloaded.content == content
    assert downloaded.headers["content-disposition"] == 'attachment; filename="first.zip"'
    assert downloaded.headers["content-length"] == str(len(content))


@pytest.mark.parametrize(
    ("sent", "plain"), [('quo"te.zip', "quo_te.zip"), ("späße.zip", "sp__e.zip"), ("", "package.zip")]
)
async def test_download_is_named_so_that_every_header_can_hold_it(
    running_desk: Desk, serving: ServingHouse, sent: str, plain: str
):
    at = await running_desk.make_version()
    body, boundary = multipart(sent, pack(ECHO))
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    assert (await running_desk.client.put(f"{at}/upload", content=body, headers=headers)).status_code == 200
    downloaded = await running_desk.client.get(f"{at}/download")
    assert downloaded.headers["content-disposition"].startswith(f'attachment; filename="{plain}"')


async def test_archive_without_a_package_is_taken_and_fails_to_build(running_desk: Desk, serving: ServingHouse):
    desk = running_desk
    at = await desk.make_version()
    target = io.BytesIO()
    zipfile.ZipFile(target, "w").close()
    uploaded = await desk.client.put(f"{at}/upload", files={"file": ("empty.zip", target.getvalue())})
    assert uploaded.json() == {"success": True}
    assert await desk.built(serving, at) == "building_failed"
    assert "model_package" in (await desk.client.get(at)).json()["error_message"]


async def test_other_language_builds_an_uploaded_version_again(running_desk: Desk, serving: ServingHouse):
    desk = running_desk
    at = await desk.serve(serving, ECHO)
    changed = await desk.client.patch(at, json={"language": "python3.8"})
    assert (changed.json()["language"], changed.json()["status"]) == ("python3.8", "available_building")
    assert await desk.built(serving, at) == "available"


def multipart(name: str, content: bytes) -> tuple[bytes, str]:
    boundary = hashlib.sha256(content).hexdigest()
    escaped = name.replace('"', '\\"')
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{escaped}"\r\n\r\n'
    return head.encode() + content + f"\r\n--{boundary}--\r\n".encode(), boundary
