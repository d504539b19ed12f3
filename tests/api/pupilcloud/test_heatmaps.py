import base64
import io
import zipfile
from typing import Any

import numpy as np
import pytest
from PIL import Image

from quadrat.gaze.rules.heatmaps import Colormap
from support.gaze import HEIGHT, WIDTH, Lab, Recording, make_recording, png, to_files

pytestmark = pytest.mark.anyio


@pytest.fixture
async def recordings(lab: Lab) -> list[Recording]:
    made = [make_recording(1), make_recording(2, "Bob")]
    await lab.load(to_files(made))
    return made


def where(lab: Lab, **options: Any) -> dict[str, Any]:
    return {"project_id": lab.project, "enrichment_id": lab.enrichment, **options}


async def drawn(lab: Lab, path: str = "heatmap/", method: str = "GET", status: int = 200, **options: Any) -> Any:
    how = {"params": where(lab, **options)} if method == "GET" else {"json": where(lab, **options)}
    answer = await lab.client.request(method, f"{lab.place}/{path}", **how)
    assert answer.status_code == status, answer.text
    return answer


def picture(answer: Any) -> np.ndarray:
    assert answer.headers["content-type"] == "image/png"
    return np.asarray(Image.open(io.BytesIO(answer.content)))


def on_image(one: Recording) -> list[tuple[float, float, int]]:
    """Positions of the fixations that count, and their lengths in ns."""
    return [
        (x, y, end - start)
        for _, start, end, there, x, y in one.fixations
        if there and 0 <= x < WIDTH and 0 <= y < HEIGHT
    ]


@pytest.mark.parametrize("weight", ["none", "duration"])
async def test_values_are_the_histogram_of_the_fixations_on_the_image(
    lab: Lab, recordings: list[Recording], weight: str
):
    found = (await drawn(lab, json="true", n_bins=40, sigma=0, weight=weight)).json()["result"]
    assert (found["n_bins_x"], found["n_bins_y"]) == (40, 30)
    wanted = np.zeros((30, 40))
    for one in recordings:
        for x, y, length in on_image(one):
            wanted[int(y / HEIGHT * 30), int(x / WIDTH * 40)] += length if weight == "duration" else 1
    assert np.allclose(found["values"], wanted / wanted.max())


async def test_only_the_recordings_that_are_named_count(lab: Lab, recordings: list[Recording]):
    asked = {"json": "true", "n_bins": 20, "sigma": 0}
    one, both = [
        np.array((await drawn(lab, recording_ids=ids, **asked)).json()["result"]["values"])
        for ids in ([recordings[0].id], [one.id for one in recordings])
    ]
    assert np.count_nonzero(one) < np.count_nonzero(both)
    assert np.count_nonzero(one) == len({(int(x / 20), int(y / 20)) for x, y, _ in on_image(recordings[0])})
    await drawn(lab, recording_ids=["nothing"], status=404)


@pytest.mark.parametrize("colormap", list(Colormap))
async def test_every_colour_map_is_drawn_by_its_name(lab: Lab, recordings: list[Recording], colormap: Colormap):
    seen = picture(await drawn(lab, colormap=colormap.value, width=80))
    assert seen.shape == (60, 80, 4)
    assert seen[..., 3].max() >= 250
    assert (picture(await drawn(lab, method="POST", colormap=colormap.value.lower(), width=80)) == seen).all()


async def test_post_is_the_same_with_options_in_the_body(lab: Lab, recordings: list[Recording]):
    options: dict[str, Any] = {"n_bins": 30, "sigma": 0.02, "height": 90, "max_size": 100, "colormap": "Jet"}
    ids = [recordings[1].id]
    by_query = await drawn(lab, recording_ids=ids, **options)
    by_body = await drawn(lab, method="POST", recording_ids=ids, **options)
    assert picture(by_query).shape == (75, 100, 4)
    assert by_query.content == by_body.content
    values = (await drawn(lab, method="POST", json=True, n_bins=7)).json()["result"]
    assert (values["n_bins_x"], values["n_bins_y"]) == (7, 5)


async def test_background_is_the_reference_image(lab: Lab):
    answer = await drawn(lab, "heatmap/background")
    assert answer.content == png(np.full((HEIGHT, WIDTH, 3), 200, np.uint8))
    assert answer.headers["content-type"] == "image/png"


async def test_zip_holds_the_map_alone_and_over_the_reference_image(lab: Lab, recordings: list[Recording]):
    by_query, by_body = await drawn(lab, "heatmap/zip_download"), await drawn(lab, "heatmap/zip_download", "POST")
    assert by_query.content == by_body.content
    assert by_query.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(by_query.content)) as archive:
        alone, over = [np.asarray(Image.open(io.BytesIO(archive.read(name)))) for name in archive.namelist()]
    assert (alone == picture(await drawn(lab))).all()
    assert over.shape == (384, 512, 3)
    nobody_looked = alone[..., 3] == 0
    assert (over[nobody_looked] == 200).all()


async def test_map_without_fixations_is_transparent(lab: Lab):
    assert (picture(await drawn(lab))[..., 3] == 0).all()


@pytest.mark.parametrize(
    "options",
    [{"colormap": "Pink"}, {"n_bins": 0}, {"n_bins": "x"}, {"sigma": -1}, {"width": 10**6}, {"weight": "length"}],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_bad_value_is_invalid(lab: Lab, method: str, options: dict[str, Any]):
    for path in ("heatmap/", "heatmap", "heatmap/zip_download"):
        answer = await drawn(lab, path, method, 400, **options)
        assert (answer.json()["code"], answer.json()["status"]) == (400, "error")


async def test_heatmap_of_what_has_none_is_refused(lab: Lab):
    lab.enrichment = await lab.new_enrichment("face-mapper")
    for path in ("heatmap/", "heatmap/background", "heatmap/zip_download"):
        await drawn(lab, path, status=405)
    lab.enrichment = "nothing"
    await drawn(lab, status=404)
    await drawn(lab, method="POST", status=404)


async def test_surface_without_a_picture_is_drawn_over_white(lab: Lab):
    surface = await lab.ask("POST", f"{lab.place}/surfaces/", json={"name": "Screen"})
    lab.enrichment = await lab.new_enrichment("marker-mapper", surface_id=surface["id"])
    assert picture(await drawn(lab, width=64)).shape == (64, 64, 4)
    await drawn(lab, "heatmap/background", status=404)


async def test_picture_sent_as_text_is_recognised(lab: Lab):
    file = await lab.upload(base64.b64encode(png(np.full((30, 60, 3), 9, np.uint8))))
    plane = {"reference_image_id": file, "scanning_recording_id": ""}
    made = await lab.ask("POST", f"{lab.place}/markerless/", json=plane)
    assert (made["width"], made["height"]) == (60, 30)
    lab.enrichment = await lab.new_enrichment(markerless_id=made["id"])
    assert picture(await drawn(lab, width=60)).shape == (30, 60, 4)
