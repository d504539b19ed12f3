"""Signed addresses of the disk store over HTTP: one method, one key, one hour, nothing changed."""

import os
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette

from quadrat.api import files
from quadrat.errors import ErrorKind, QuadratError
from quadrat.storage.blobs import BlobStore
from quadrat.storage.signing import Permit, address
from quadrat.storage.types import Received, SignedMethod
from support.house import LIMITS

pytestmark = pytest.mark.anyio
KEY = b"k" * 32
BLOB = "tests/0/full"
LIFE = timedelta(minutes=5)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


class OpenGuard:
    """Lets through all but what is named as gone; remembers what came."""

    def __init__(self, blobs: BlobStore) -> None:
        self.blobs = blobs
        self.gone: set[str] = set()
        self.came: list[tuple[str, int]] = []

    def admits_at_once(self, key: str) -> bool:
        return key not in self.gone

    async def admit(self, key: str) -> None:
        if key in self.gone:
            raise QuadratError(ErrorKind.NOT_FOUND, "The thing of this address does not exist any more.")

    async def expect(self, key: str, size_bytes: int | None) -> None:
        if not self.blobs.stages(size_bytes):
            await self.admit(key)

    async def stored(self, key: str, received: Received) -> None:
        try:
            await self.admit(key)
        except QuadratError:
            await self.blobs.drop(key, received)
            raise
        self.came.append((key, received.facts.size_bytes))
        self.blobs.finish(key, received)


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    return BlobStore.on_disk(tmp_path / "store", KEY)


@pytest.fixture
def guard(blobs: BlobStore) -> OpenGuard:
    return OpenGuard(blobs)


@pytest.fixture
async def web(blobs: BlobStore, guard: OpenGuard) -> AsyncIterator[httpx2.AsyncClient]:
    app = files.SignedFiles(Starlette(routes=list(files.ROUTES)))
    state = {"blobs": blobs, "blob_guard": guard, "limits": LIMITS}

    async def with_state(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "state": dict(state)}, receive, send)

    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(with_state), base_url="http://test") as client:
        yield client


async def _sign(blobs: BlobStore, method: SignedMethod, key: str = BLOB, **options: Any) -> str:
    return await blobs.sign(method, key, LIFE, base_url="http://test", **options)


async def test_put_then_get_gives_the_same_bytes(web, blobs, guard) -> None:
    put = await web.put(await _sign(blobs, SignedMethod.PUT), content=PNG)
    assert (put.status_code, guard.came) == (200, [(BLOB, len(PNG))])
    got = await web.get(await _sign(blobs, SignedMethod.GET))
    assert (got.status_code, got.content, got.headers["etag"]) == (200, PNG, put.headers["etag"])
    assert got.headers["content-type"] == "image/png"
    assert got.headers["content-disposition"] == "inline"
    head = await web.head(await _sign(blobs, SignedMethod.GET))
    assert (head.status_code, head.headers["content-length"], head.content) == (200, str(len(PNG)), b"")


@pytest.mark.parametrize("signed", list(SignedMethod))
async def test_another_method_than_the_signed_one_is_refused(web, blobs, guard, signed) -> None:
    await blobs.put(BLOB, b"kept")
    url = await _sign(blobs, signed)
    other = "PUT" if signed is SignedMethod.GET else "GET"
    refused = await web.request(other, url, content=b"new" if other == "PUT" else None)
    assert (refused.status_code, guard.came) == (403, [])
    assert signed in refused.json()["error"]
    assert await blobs.read(BLOB, max_bytes=10) == b"kept"
    assert (await web.request("DELETE", url)).status_code == 405


CHANGES: dict[str, Callable[[str], str]] = {
    "another thing": lambda url: url.replace("tests/0", "tests/1"),
    "another rendition": lambda url: url.replace("/full", "/thumb"),
    "another method": lambda url: url.replace("method=GET", "method=PUT"),
    "a longer life": lambda url: url.replace("expires=", "expires=9"),
    "another spelling": lambda url: url.replace("expires=", "expires=%2B"),
    "no number": lambda url: url.replace("expires=", "expires=x"),
    "another signature": lambda url: url[:-1] + ("0" if url[-1] != "0" else "1"),
    "no signature": lambda url: url.partition("&signature")[0],
    "no query": lambda url: url.partition("?")[0],
    "twice": lambda url: url + "&expires=9999999999",
    "a name": lambda url: url + "&name=YQ",
    "more": lambda url: url + "&more=1",
    "two slashes": lambda url: url.replace("/files/tests", "/files//tests"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
async def test_changed_address_is_refused(web, blobs, change) -> None:
    await blobs.put(BLOB, b"secret")
    await blobs.put("tests/1/full", b"secret")
    url = await _sign(blobs, SignedMethod.GET)
    assert (await web.get(url)).content == b"secret"
    refused = await web.get(change(url))
    assert refused.status_code in {403, 404}
    assert b"secret" not in refused.content
    assert refused.json()["error"]


async def test_address_of_another_installation_is_refused(web, blobs) -> None:
    await blobs.put(BLOB, b"secret")
    permit = Permit(SignedMethod.GET, BLOB, datetime.now(UTC).replace(microsecond=0) + LIFE)
    assert (await web.get(address(permit, KEY, "http://test"))).status_code == 200
    assert (await web.get(address(permit, b"x" * 32, "http://test"))).status_code == 403


async def test_expired_address_is_refused_with_what_to_do(web, blobs) -> None:
    await blobs.put(BLOB, b"secret")
    for seconds, status in ((-1, 403), (30, 200)):
        until = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=seconds)
        answer = await web.get(address(Permit(SignedMethod.GET, BLOB, until), KEY, "http://test"))
        assert answer.status_code == status
    refused = await web.get(await blobs.sign(SignedMethod.GET, BLOB, timedelta(0), base_url="http://test"))
    assert refused.json() == {"error": "This address has expired; ask for a new one."}


async def test_address_of_a_thing_that_is_gone_is_not_found(web, blobs, guard) -> None:
    await blobs.put(BLOB, b"left over")
    guard.gone.add(BLOB)
    for method in SignedMethod:
        assert (await web.request(method, await _sign(blobs, method), content=b"")).status_code == 404
    missing = await web.get(await _sign(blobs, SignedMethod.GET, "tests/2/full"))
    assert missing.status_code == 404


@pytest.mark.parametrize("headers", [{"Content-Length": str(2 * 1024 * 1024)}, {"Transfer-Encoding": "chunked"}])
async def test_much_for_a_thing_that_is_gone_is_refused_before_it_comes(web, blobs, guard, headers) -> None:
    await blobs.put(BLOB, b"left over")
    guard.gone.add(BLOB)
    refused = await web.put(await _sign(blobs, SignedMethod.PUT), content=b"new", headers=headers)
    assert refused.status_code == 404
    assert await blobs.read(BLOB, max_bytes=100) == b"left over"


async def test_little_for_a_thing_that_is_gone_replaces_and_leaves_nothing(web, blobs, guard) -> None:
    await blobs.put(BLOB, b"left over")
    guard.gone.add(BLOB)
    assert (await web.put(await _sign(blobs, SignedMethod.PUT), content=b"new")).status_code == 404
    assert [path.name for path in (blobs.local_root / "tests/0").iterdir()] == ["full"]
    assert (await blobs.read(BLOB, max_bytes=100), blobs.list_begun()) == (b"left over", [])


@pytest.mark.parametrize("size", [0, 1, 512, 300_000, 1024 * 1024, 1024 * 1024 + 1, 3_000_000])
async def test_any_size_goes_up_and_down_with_one_etag(web, blobs, guard, size) -> None:
    content = os.urandom(size)
    put = await web.put(await _sign(blobs, SignedMethod.PUT), content=content)
    url = await _sign(blobs, SignedMethod.GET)
    got = await web.get(url)
    assert (put.status_code, got.status_code, got.content) == (200, 200, content)
    assert got.headers["content-length"] == str(size)
    assert got.headers["etag"] == put.headers["etag"] == (await web.head(url)).headers["etag"]
    assert (guard.came, blobs.list_begun()) == ([(BLOB, size)], [])


@pytest.mark.parametrize(
    ("header", "status", "part", "content_range"),
    [
        ("bytes=2-4", 206, b"234", "bytes 2-4/10"),
        ("bytes=7-", 206, b"789", "bytes 7-9/10"),
        ("bytes=-2", 206, b"89", "bytes 8-9/10"),
        ("bytes=0-99", 206, b"0123456789", "bytes 0-9/10"),
        ("bytes=10-", 416, b"", "bytes */10"),
        ("bytes=1-2,4-5", 200, b"0123456789", None),
        ("lines=1-2", 200, b"0123456789", None),
    ],
)
async def test_range_gives_the_part(web, blobs, header, status, part, content_range) -> None:
    await blobs.put(BLOB, b"0123456789")
    answer = await web.get(await _sign(blobs, SignedMethod.GET), headers={"Range": header})
    assert (answer.status_code, answer.content, answer.headers.get("content-range")) == (status, part, content_range)


async def test_etag_saves_the_transfer_and_guards_a_range(web, blobs) -> None:
    await blobs.put(BLOB, b"0123456789")
    url = await _sign(blobs, SignedMethod.GET)
    etag = (await web.get(url)).headers["etag"]
    assert (await web.get(url, headers={"If-None-Match": f'"other", W/{etag}'})).status_code == 304
    assert (await web.get(url, headers={"Range": "bytes=0-1", "If-Range": etag})).content == b"01"
    await blobs.put(BLOB, b"9876543210")
    assert (await web.get(url, headers={"If-None-Match": etag})).content == b"9876543210"
    assert (await web.get(url, headers={"Range": "bytes=0-1", "If-Range": etag})).content == b"9876543210"


@pytest.mark.parametrize("declared", [True, False])
async def test_put_over_the_limit_is_413_and_keeps_what_was_there(web, blobs, guard, declared) -> None:
    await blobs.put(BLOB, b"kept")
    piece = bytes(1024**2)
    pieces = LIMITS.max_upload_bytes // len(piece) + 1

    async def stream() -> AsyncIterator[bytes]:
        for _ in range(pieces):
            yield piece

    url = await _sign(blobs, SignedMethod.PUT)
    headers = {"Content-Length": str(pieces * len(piece))} if declared else {}
    answer = await web.put(url, content=b"" if declared else stream(), headers=headers)
    assert (answer.status_code, guard.came) == (413, [])
    assert blobs.list_begun() == []
    assert await blobs.read(BLOB, max_bytes=10) == b"kept"


async def test_what_a_browser_would_run_is_a_download_under_its_name(web, blobs) -> None:
    await blobs.put(BLOB, b"<html><script>alert(1)</script>")
    name = 'ev"il\r\nSet-Cookie: a=b ü.html'
    answer = await web.get(await _sign(blobs, SignedMethod.GET, filename=name))
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment; ")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "set-cookie" not in answer.headers


async def test_empty_file_is_a_file(web, blobs) -> None:
    assert (await web.put(await _sign(blobs, SignedMethod.PUT), content=b"")).status_code == 200
    got = await web.get(await _sign(blobs, SignedMethod.GET))
    assert (got.status_code, got.content, got.headers["content-length"]) == (200, b"", "0")
