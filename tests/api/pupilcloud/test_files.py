"""Uploads as in Tus 1.0, in parts. One that is cut off is in tests/contract."""

import asyncio
from itertools import pairwise

import httpx2
import numpy as np
import pytest

from support.gaze import Lab, png

pytestmark = pytest.mark.anyio
PART = {"Tus-Resumable": "1.0.0", "Content-Type": "application/offset+octet-stream"}


async def announce(lab: Lab, size: int, **headers: str) -> str:
    """Where the bytes go."""
    head = {"Tus-Resumable": "1.0.0", "Upload-Length": str(size), **headers}
    answer = await lab.client.post(f"{lab.place}/files/", headers=head)
    assert answer.status_code == 201, answer.text
    made = answer.json()["result"]
    assert answer.headers["location"] == made["upload_url"]
    assert made["upload_url"].startswith("http://test/v2/")
    return str(made["upload_url"])


async def send(lab: Lab, url: str, offset: int, content: bytes) -> httpx2.Response:
    return await lab.client.patch(url, headers={**PART, "Upload-Offset": str(offset)}, content=content)


async def offset_of(lab: Lab, url: str) -> tuple[int, int]:
    head = await lab.client.head(url)
    assert head.status_code == 200
    assert head.headers["tus-resumable"] == "1.0.0"
    return int(head.headers["upload-offset"]), int(head.headers["upload-length"])


async def is_picture(lab: Lab, url: str) -> bool:
    body = {"reference_image_id": url.rpartition("/")[2], "scanning_recording_id": ""}
    return (await lab.client.post(f"{lab.place}/markerless/", json=body)).status_code == 200


async def test_parts_of_any_number_make_the_file(lab: Lab):
    data = png(np.random.default_rng(1).integers(0, 255, (40, 50, 3), np.uint8))
    url = await announce(lab, len(data))
    assert await offset_of(lab, url) == (0, len(data))
    cuts = [0, 1, len(data) // 3, len(data) // 2, len(data)]
    for start, stop in pairwise(cuts):
        assert not await is_picture(lab, url)
        sent = await send(lab, url, start, data[start:stop])
        assert (sent.status_code, sent.headers["upload-offset"]) == (204, str(stop))
        assert await offset_of(lab, url) == (stop, len(data))
    assert await is_picture(lab, url)


async def test_wrong_offset_is_a_conflict_that_says_where_to_go_on(lab: Lab):
    url = await announce(lab, 10)
    await send(lab, url, 0, b"abcd")
    for offset in (0, 3, 5, 10):
        refused = await send(lab, url, offset, b"x")
        assert refused.status_code == 409
        assert "byte 4" in refused.json()["message"]
    assert await offset_of(lab, url) == (4, 10)
    assert (await send(lab, url, 4, b"more than six")).status_code == 413
    assert (await send(lab, url, 4, b"efghij")).status_code == 204


async def test_same_part_sent_twice_at_once_counts_once(lab: Lab):
    url = await announce(lab, 8)
    sent = await asyncio.gather(*(send(lab, url, 0, b"abcd") for _ in range(4)))
    assert sorted(answer.status_code for answer in sent) == [204, 409, 409, 409]
    assert await offset_of(lab, url) == (4, 8)


async def test_what_is_no_upload_is_refused(lab: Lab):
    files = f"{lab.place}/files/"
    for headers, status in (
        ({"Upload-Length": "ten"}, 409),
        ({}, 409),
        ({"Upload-Length": "5", "Tus-Resumable": "0.2.2"}, 409),
        ({"Upload-Length": "5", "Upload-Metadata": "name ???"}, 409),
        ({"Upload-Length": str(2**40)}, 413),
    ):
        answer = await lab.client.post(files, headers=headers)
        assert (answer.status_code, answer.json()["status"]) == (status, "error")
    url = await announce(lab, 4)
    assert (await lab.client.patch(url, headers=PART, content=b"abcd")).status_code == 400
    await send(lab, url, 0, b"abcd")
    assert not await is_picture(lab, url)
    assert (await lab.client.head(f"{files}{'0' * 32}")).status_code == 404


async def test_upload_of_another_is_not_found(lab: Lab):
    url = await announce(lab, 4)
    stranger = lab.client_of(await lab.house.make_person())
    assert (await stranger.head(url)).status_code == 404
    assert (await stranger.patch(url, headers={**PART, "Upload-Offset": "0"}, content=b"abcd")).status_code == 404
    assert await offset_of(lab, url) == (0, 4)
