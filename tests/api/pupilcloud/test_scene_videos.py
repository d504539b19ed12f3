"""Scene videos and gaze offsets, kept with recordings and read as players and the client's programs do."""

import json
from urllib.parse import urlsplit

import httpx2
import pytest
from starlette.applications import Starlette

from quadrat.api.files import ROUTES
from quadrat.samples.guard import SampleBlobGuard
from quadrat.samples.places import Places
from quadrat.storage.references import References
from support import gaze_formats as formats
from support.gaze import Lab, Recording, make_recording, set_up, to_files
from support.house import House

pytestmark = pytest.mark.anyio
VIDEO = b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 40


def folder(one: Recording, **more: str | bytes) -> dict[str, str | bytes]:
    return {**formats.timeseries(one), **more}


async def load(lab: Lab, files: dict[str, str | bytes], **fields: str) -> None:
    await lab.load({"archive": ("a.zip", formats.pack({"Walk": files}))}, **fields)


async def download(lab: Lab, one: Recording, **headers: str) -> httpx2.Response:
    """What lies behind the address that a player is sent on to, read without a token."""
    sent_on = await lab.client.get(f"{lab.place}/recordings/{one.id}/files/scene.mp4")
    assert sent_on.status_code == 307, sent_on.text
    url = urlsplit(sent_on.headers["location"])
    return await bare(lab.house).get(f"{url.path}?{url.query}", headers=headers)


def bare(house: House) -> httpx2.AsyncClient:
    places = Places(house.db, house.authenticator)
    house.state["blob_guard"] = SampleBlobGuard(house.db, house.state["blobs"], References(), places)
    return house.client_for(lambda: Starlette(routes=list(ROUTES)), "")


async def test_scene_video_of_a_timeseries_download_is_read_in_parts_without_a_token(lab: Lab):
    one = make_recording(31)
    await load(lab, folder(one, **{"0a1b2c3d_0.0-3.5.mp4": VIDEO}))
    [file] = await lab.ask("GET", f"{lab.place}/recordings/{one.id}/files")
    assert (file["name"], file["mimetype"], file["size_bytes"]) == ("scene.mp4", "video/mp4", len(VIDEO))
    assert (await download(lab, one)).content == VIDEO
    part = await download(lab, one, Range="bytes=100-199")
    assert (part.status_code, part.content) == (206, VIDEO[100:200])
    await lab.ask("GET", f"{lab.place}/recordings/{one.id}/files/eyes.mp4", 404)
    stranger = lab.client_of(await lab.house.make_person())
    assert (await stranger.get(f"{lab.place}/recordings/{one.id}/files/scene.mp4")).status_code == 404
    # Replaced by a download without one, it is gone.
    await load(lab, folder(one), replace="true")
    assert await lab.ask("GET", f"{lab.place}/recordings/{one.id}/files") == []
    await lab.ask("GET", f"{lab.place}/recordings/{one.id}/files/scene.mp4", 404)


async def test_recording_without_a_scene_video_has_no_files(lab: Lab):
    mapped, own = make_recording(32), make_recording(33)
    await lab.load(to_files([mapped]))
    await load(lab, folder(own, **{"overlay.mp4": VIDEO}))
    for one in (mapped, own):
        assert await lab.ask("GET", f"{lab.place}/recordings/{one.id}/files") == []
        await lab.ask("GET", f"{lab.place}/recordings/{one.id}/files/scene.mp4", 404)


@pytest.mark.parametrize(
    ("said", "known"),
    [
        ([27.25, -6], {"x": 27.25, "y": -6.0}),
        ({"x": 1, "y": 2.5}, {"x": 1.0, "y": 2.5}),
        ([1], None),
        (["1", "2"], None),
        ("none", None),
    ],
)
async def test_gaze_offset_of_info_json_is_told(lab: Lab, said: object, known: dict[str, float] | None):
    one = make_recording(34)
    facts = {**json.loads(formats.info(one)), "gaze_offset": said}
    await load(lab, folder(one, **{"info.json": json.dumps(facts)}))
    found = await lab.ask("GET", f"{lab.place}/recordings/{one.id}")
    assert found["gaze_offset"] == known
    assert (found["gaze_offset_x"], found["gaze_offset_y"]) == ((known["x"], known["y"]) if known else (None, None))


async def test_gaze_offset_of_a_later_import_is_told(lab: Lab):
    one = make_recording(35)
    await lab.load(to_files([one]))
    assert (await lab.ask("GET", f"{lab.place}/recordings/{one.id}"))["gaze_offset"] is None
    mapper = await set_up(lab.house)
    assert (await mapper.client.get(f"{lab.place}/recordings/{one.id}")).status_code == 404
    await load(lab, folder(one), replace="true")
    assert (await lab.ask("GET", f"{lab.place}/recordings/{one.id}"))["gaze_offset"] == {"x": 0.0, "y": 0.0}
