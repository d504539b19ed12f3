import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

import httpx2
import pytest

from quadrat.errors import ErrorKind, QuadratError
from quadrat.storage.blobs import BlobStore
from quadrat.storage.types import ByteRange, SignedMethod

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("blobs")]
MIB = 1024 * 1024


def _key() -> str:
    return f"tests/{uuid4().hex}"


async def _content(blobs: BlobStore, key: str, part: ByteRange | None = None) -> bytes:
    reader = await blobs.open(key, part)
    return b"".join([chunk async for chunk in reader.chunks])


async def _pieces(*pieces: bytes, then: Exception | None = None) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
    if then is not None:
        raise then


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("size", [0, 1, MIB, 5 * MIB, 12 * MIB + 17])
async def test_put_any_size_comes_back_equal(blobs: BlobStore, size: int, whole: bool) -> None:
    key, data = _key(), os.urandom(size)
    facts, digest = await blobs.put(key, data if whole else _pieces(data[: size // 3], data[size // 3 :]))
    assert (facts.size_bytes, digest) == (size, sha256(data).hexdigest())
    assert await _content(blobs, key) == data
    head = await blobs.head(key)
    assert (head.size_bytes, head.etag) == (size, facts.etag)
    assert head.etag.startswith('"')


@pytest.mark.parametrize("sizes", [[], [3, 0, 70_000], [10, 2 * MIB]], ids=str)
async def test_many_put_together_come_back_each_as_it_was(blobs: BlobStore, sizes: list[int]) -> None:
    contents = [(_key(), os.urandom(size)) for size in sizes]
    if contents:
        await blobs.put(contents[0][0], b"old")
    stored = await blobs.put_many(contents)
    assert [facts.size_bytes for facts in stored] == sizes
    for (key, content), facts in zip(contents, stored, strict=True):
        assert (await _content(blobs, key), (await blobs.head(key)).etag) == (content, facts.etag)


async def test_many_put_where_one_cannot_be_are_refused(blobs: BlobStore) -> None:
    if blobs.local_root is not None:
        key = _key()
        await blobs.put(key, b"a file")
        with pytest.raises(QuadratError) as refused:
            await blobs.put_many([(_key(), b"x"), (f"{key}/below", b"x")])
        assert refused.value.kind is ErrorKind.UNAVAILABLE


@pytest.mark.parametrize("size", [0, 1, 400_000, MIB, MIB + 1, 6 * MIB])
async def test_what_is_received_comes_back_equal_and_is_noted_until_the_end(blobs: BlobStore, size: int) -> None:
    key, data = _key(), os.urandom(size)
    await blobs.put(key, b"old")
    received = await blobs.receive(key, _pieces(data[: size // 3], data[size // 3 :]))
    assert (received.facts.size_bytes, received.beginning) == (size, data[:512])
    noted = [] if blobs.local_root is None else [(received.note, key)]
    assert blobs.list_begun() == noted
    assert await _content(blobs, key) == (b"old" if blobs.stages(size) else data)
    for _ in range(2):
        blobs.finish(key, received)
        assert await _content(blobs, key) == data
    assert (await blobs.head(key)).etag == received.facts.etag
    assert blobs.list_begun() == []


async def test_what_is_received_together_comes_back_each_as_it_was_and_one_failure_is_its_own(blobs: BlobStore) -> None:
    contents = {_key(): os.urandom(size) for size in (0, 10, 70_000, 300_000)}
    file = _key()
    await blobs.put(file, b"a file")
    keys = [*contents, f"{file}/below"]
    came = await asyncio.gather(
        *(blobs.receive(key, _pieces(contents.get(key, b"x"))) for key in keys), return_exceptions=True
    )
    if blobs.local_root is not None:
        refused = came.pop()
        assert isinstance(refused, QuadratError)
        assert refused.kind is ErrorKind.UNAVAILABLE
    received = [(key, one) for key, one in zip(keys, came, strict=False) if not isinstance(one, BaseException)]
    assert len(received) >= len(contents)
    await blobs.finish_all(received)
    assert {key: await _content(blobs, key) for key in contents} == contents
    assert blobs.list_begun() == []


async def test_the_later_of_two_that_are_finished_together_stays(blobs: BlobStore) -> None:
    key = _key()
    received = [await blobs.receive(key, _pieces(content)) for content in (b"first", b"second")]
    await blobs.finish_all([(key, one) for one in received])
    assert await _content(blobs, key) == b"second"


async def test_what_is_in_memory_is_read_into_it_at_once(blobs: BlobStore) -> None:
    key, large = _key(), _key()
    facts, _ = await blobs.put(key, b"content")
    await blobs.put(large, bytes(101))
    memory = memoryview(bytearray(100))
    if blobs.local_root is None:
        assert blobs.read_cached(key, memory) is None
    else:
        found = blobs.read_cached(key, memory)
        assert found is not None
        assert (found[0].etag, bytes(found[1])) == (facts.etag, b"content")
    for unread in (large, _key(), "../passwd"):
        assert blobs.read_cached(unread, memory) is None


@pytest.mark.parametrize("size", [10, 2 * MIB])
async def test_what_is_dropped_leaves_nothing(blobs: BlobStore, size: int) -> None:
    key = _key()
    received = await blobs.receive(key, _pieces(bytes(size)))
    for _ in range(2):
        await blobs.drop(key, received)
        assert (await blobs.exists(key), blobs.list_begun()) == (False, [])
    if blobs.local_root is not None:
        assert list((blobs.local_root / "tests").glob(f"{key.rpartition('/')[2]}*")) == []


@pytest.mark.parametrize("known", [True, False])
async def test_what_a_killed_server_staged_takes_its_place_when_it_is_known(blobs: BlobStore, known: bool) -> None:
    key = _key()
    await blobs.put(key, b"old")
    received = await blobs.receive(key, _pieces(b"new"))
    await blobs.receive(key, _pieces(b"other"))
    await blobs.forget_unfinished(key, known_etag=received.facts.etag if known else None)
    if blobs.local_root is not None:
        assert await _content(blobs, key) == (b"new" if known else b"old")
        assert len(list((blobs.local_root / "tests").glob(f"{key.rpartition('/')[2]}*"))) == 1
    for note, _ in blobs.list_begun():
        blobs.end(note)


@pytest.mark.parametrize("size", [10, 8 * MIB])
async def test_receive_fails_half_way_keeps_the_old_bytes_and_no_note(blobs: BlobStore, size: int) -> None:
    key = _key()
    await blobs.put(key, b"old")
    with pytest.raises(ConnectionResetError):
        await blobs.receive(key, _pieces(b"x" * size, then=ConnectionResetError()))
    assert (await _content(blobs, key), blobs.list_begun()) == (b"old", [])
    assert [found async for found, _ in blobs.list_prefix("tests") if found == key] == [key]


async def test_read_quickly_gives_all_of_what_is_small_on_disk(blobs: BlobStore) -> None:
    key, data = _key(), os.urandom(300_000)
    facts, _ = await blobs.put(key, data)
    found = await blobs.read_quickly(key)
    large = _key()
    await blobs.put(large, bytes(MIB + 1))
    assert await blobs.read_quickly(large) is None
    if blobs.local_root is None:
        assert found is None
    else:
        assert found is not None
        assert (found[0].etag, bytes(found[1])) == (facts.etag, data)
        with pytest.raises(QuadratError) as missing:
            await blobs.read_quickly(_key())
        assert missing.value.kind is ErrorKind.NOT_FOUND


async def test_put_again_replaces_and_changes_the_etag(blobs: BlobStore) -> None:
    key = _key()
    first, _ = await blobs.put(key, b"old!")
    second, _ = await blobs.put(key, b"new!")
    assert await _content(blobs, key) == b"new!"
    assert first.etag != second.etag


async def test_put_source_fails_half_way_keeps_the_old_bytes(blobs: BlobStore) -> None:
    key = _key()
    await blobs.put(key, b"old")
    with pytest.raises(ConnectionResetError):
        await blobs.put(key, _pieces(b"x" * (7 * MIB), b"y" * (7 * MIB), then=ConnectionResetError()))
    assert await _content(blobs, key) == b"old"


async def test_put_over_the_limit_is_too_large_and_leaves_nothing(blobs: BlobStore) -> None:
    key = _key()
    with pytest.raises(QuadratError) as refused:
        await blobs.put(key, _pieces(b"x" * MIB, b"x" * MIB), max_bytes=MIB + 1)
    assert refused.value.kind is ErrorKind.TOO_LARGE
    assert not await blobs.exists(key)


async def test_put_file_is_stored(blobs: BlobStore, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(os.urandom(3 * MIB))
    key = _key()
    await blobs.put(key, file)
    copy = tmp_path / "copy"
    await blobs.fetch_to(key, copy)
    assert copy.read_bytes() == file.read_bytes()


async def test_open_range_gives_the_part(blobs: BlobStore) -> None:
    key = _key()
    await blobs.put(key, b"0123456789")
    reader = await blobs.open(key, ByteRange(2, 5))
    assert (reader.content_range, reader.facts.size_bytes) == (ByteRange(2, 5), 10)
    assert b"".join([chunk async for chunk in reader.chunks]) == b"234"


async def test_open_missing_is_not_found(blobs: BlobStore) -> None:
    for call in (blobs.head(_key()), blobs.open(_key()), blobs.read(_key(), max_bytes=1)):
        with pytest.raises(QuadratError) as refused:
            await call
        assert refused.value.kind is ErrorKind.NOT_FOUND


@pytest.mark.parametrize("key", ["", "/a", "../a", "a/../b", "a//b", "A", "a b", "a/.hidden", "a%2f", "é"])
async def test_key_not_made_of_ids_is_not_found(blobs: BlobStore, key: str) -> None:
    with pytest.raises(QuadratError) as refused:
        await blobs.put(key, b"")
    assert refused.value.kind is ErrorKind.NOT_FOUND


async def test_delete_twice_is_no_error(blobs: BlobStore) -> None:
    key = _key()
    await blobs.put(key, b"x")
    await blobs.delete(key)
    await blobs.delete(key)
    assert not await blobs.exists(key)


async def test_delete_prefix_removes_what_lies_below_and_nothing_beside(blobs: BlobStore) -> None:
    prefix = _key()
    for name in ("a/full", "a/thumb", "b"):
        await blobs.put(f"{prefix}/{name}", b"x")
    await blobs.put(f"{prefix}more/a", b"x")
    assert await blobs.delete_prefix(prefix) == 3
    assert await blobs.delete_prefix(prefix) == 0
    assert await blobs.exists(f"{prefix}more/a")


async def test_read_while_replaced_sees_old_or_new_never_a_mix(blobs: BlobStore) -> None:
    key = _key()
    old, new = b"o" * (6 * MIB), b"n" * (6 * MIB)
    await blobs.put(key, old)
    reader = await blobs.open(key)
    seen = [await anext(reader.chunks)]
    await blobs.put(key, new)
    seen += [chunk async for chunk in reader.chunks]
    assert b"".join(seen) in (old, new)


async def test_sign_on_s3_gives_addresses_bound_to_method_and_key(blobs: BlobStore) -> None:
    if blobs.is_local:
        pytest.skip("the disk store's addresses are tested with the routes that serve them")
    key, life = _key(), timedelta(minutes=5)
    put_url = await blobs.sign(SignedMethod.PUT, key, life, base_url="unused")
    get_url = await blobs.sign(SignedMethod.GET, key, life, base_url="unused")
    async with httpx2.AsyncClient() as web:
        assert (await web.put(put_url, content=b"bytes")).status_code == 200
        assert (await web.get(get_url)).content == b"bytes"
    assert await _content(blobs, key) == b"bytes"


async def test_put_killed_in_the_middle_keeps_the_old_bytes(tmp_path: Path) -> None:
    root = tmp_path / "store"
    blobs = BlobStore.on_disk(root, b"s" * 32)
    await blobs.put("tests/kept", b"old")
    program = """
import asyncio, os, signal, sys
from pathlib import Path
from quadrat.storage.blobs import BlobStore
async def source():
    for _ in range(4):
        yield b"x" * (8 << 20)
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(BlobStore.on_disk(Path(sys.argv[1]), b"s" * 32).put("tests/kept", source()))
"""
    killed = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", program, str(root)], check=False)
    assert killed.returncode == -9
    assert await _content(blobs, "tests/kept") == b"old"


@pytest.mark.skipif(os.geteuid() != 0 or sys.platform != "linux", reason="mounting a small disk needs root on Linux")
async def test_put_on_a_full_disk_says_so_and_recovers(tmp_path: Path) -> None:
    root = tmp_path / "small"
    root.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(root)], check=True)
    try:
        blobs = BlobStore.on_disk(root / "store", b"s" * 32)
        await blobs.put("tests/kept", b"old")
        with pytest.raises(QuadratError, match="disk is full") as refused:
            await blobs.put("tests/kept", _pieces(*[b"x" * MIB] * 20))
        assert refused.value.kind is ErrorKind.UNAVAILABLE
        assert await _content(blobs, "tests/kept") == b"old"
        await blobs.put("tests/kept", b"y" * MIB)
        assert (await blobs.head("tests/kept")).size_bytes == MIB
    finally:
        subprocess.run(["umount", "-l", str(root)], check=True)
