"""A researcher puts a picture up, imports a recording, draws areas and reads the table; the masks that arrive count."""

import base64
import io
from pathlib import Path

import httpx2
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from support.browser import assert_accessible, invite_viewer, open_project
from support.people import unique
from support.server import ADMIN_TOKEN, Server
from support.server import wait_for as until

SAMPLE = Path(__file__).parents[2] / "demo" / "gaze_sample"
pytestmark = pytest.mark.timeout(180)


def _open(page: Page) -> None:
    """A reference image with a recording, all through the page."""
    open_project(page, unique("gaze"))
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Areas").click()
    expect(page.get_by_text("no reference image yet")).to_be_visible()
    assert_accessible(page)
    page.get_by_role("button", name="New reference image").click()
    page.get_by_label("Name").fill("Grid")
    page.get_by_label("Picture").set_input_files(SAMPLE / "reference_image.png")
    page.get_by_role("button", name="Create").click()
    page.get_by_role("button", name="Import recordings").click()
    page.get_by_label("Files").set_input_files([SAMPLE / f"{part}.csv" for part in ("gaze", "fixations", "sections")])
    page.get_by_role("dialog").get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_text("1 recording", exact=True)).to_be_visible(timeout=60_000)
    dialog = page.get_by_role("dialog")
    if dialog.count():
        page.keyboard.press("Escape")
    page.get_by_role("button", name="Fit").click()
    page.get_by_role("application").focus()


def _masks(site: Server, page: Page) -> dict[str, Image.Image]:
    """What the server has, by name."""
    number = page.url.split("/p/")[1].split("/")[0]
    enrichment = page.url.split("/areas/")[1].split("?")[0]
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    with httpx2.Client(base_url=site.url, headers=headers, timeout=30) as client:
        card = client.get(f"/ui/api/projects/{number}").json()
        base = f"/v2/workspaces/{card['organization_uuid']}/projects/{card['uuid']}"
        found = client.get(f"{base}/enrichments/{enrichment}/aois").json()["result"]
    return {
        aoi["name"]: Image.open(io.BytesIO(base64.b64decode(aoi["mask_image_data_url"].partition(",")[2])))
        for aoi in found
    }


def _share(mask: Image.Image) -> float:
    alpha = mask.convert("RGBA").getchannel("A")
    return sum(alpha.histogram()[1:]) / (mask.width * mask.height)


def _drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*end, steps=6)
    page.mouse.up()


def _draw(page: Page) -> None:
    """A rectangle with a hole, a triangle, and a stroke that is taken back."""
    stage = page.get_by_role("application").bounding_box()
    assert stage is not None
    x, y = stage["x"] + stage["width"] / 2, stage["y"] + stage["height"] / 2
    names = page.get_by_role("textbox", name="Name of area")
    page.keyboard.press("r")
    _drag(page, (x - 150, y - 100), (x + 150, y + 100))
    expect(names).to_have_count(1)
    page.keyboard.down("Alt")
    _drag(page, (x - 50, y - 50), (x + 50, y + 50))
    page.keyboard.up("Alt")
    page.keyboard.press("n")
    page.keyboard.press("p")
    for dx, dy in ((-200, -150), (200, -150), (0, 150)):
        page.mouse.click(x + dx, y + dy)
    page.keyboard.press("Enter")
    expect(names).to_have_count(2)
    page.keyboard.press("b")
    _drag(page, (x - 180, y + 140), (x + 180, y + 140))
    page.keyboard.press("Control+z")


def test_areas_are_drawn_cut_saved_and_measured(page: Page, site: Server) -> None:
    _open(page)
    _draw(page)
    assert_accessible(page)
    page.keyboard.press("Control+s")
    expect(page.get_by_text("Saved.")).to_be_visible()
    masks = _masks(site, page)
    assert set(masks) == {"AOI 1", "AOI 2"}
    ring = masks["AOI 1"].convert("RGBA").getchannel("A")
    assert ring.getpixel((ring.width // 2, ring.height // 2)) == 0, "the cut-out is a hole"
    assert 0.01 < _share(masks["AOI 1"]) < 0.5
    assert _share(masks["AOI 2"]) > 0.01
    rows = page.get_by_role("complementary", name="Areas").get_by_role("table").get_by_role("row")
    expect(rows).to_have_count(3)

    page.keyboard.press("m")
    expect(page.get_by_role("button", name="Heatmap")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Delete AOI 2").click()
    page.keyboard.press("Control+s")
    expect(rows).to_have_count(2)
    assert set(_masks(site, page)) == {"AOI 1"}


def _painted(page: Page) -> int:
    """How many pixels the layer above the areas has."""
    found: int = (
        page.locator("canvas")
        .nth(2)
        .evaluate(
            "canvas => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data"
            ".filter((value, at) => at % 4 === 3 && value > 0).length"
        )
    )
    return found


def test_fixations_are_drawn_over_the_picture_and_live_in_the_address(page: Page) -> None:
    _open(page)
    assert _painted(page) == 0
    page.keyboard.press("f")
    expect(page.get_by_role("button", name="Fixations")).to_have_attribute("aria-pressed", "true")
    until(lambda: _painted(page) > 500)
    page.reload()
    until(lambda: page.locator("canvas").count() == 3 and _painted(page) > 500)
    page.get_by_role("button", name="Fixations").click()
    until(lambda: _painted(page) == 0)


@pytest.mark.slow
def test_reader_sees_areas_and_can_neither_draw_nor_change_them(open_page, page: Page, site: Server) -> None:
    _open(page)
    _draw(page)
    page.keyboard.press("Control+s")
    expect(page.get_by_text("Saved.")).to_be_visible()
    project = page.evaluate("document.querySelector('#project-choice option:checked').textContent")
    reader = open_page(email=invite_viewer(site.url, project))
    changed: list[str] = []
    reader.on("request", lambda request: request.method == "GET" or changed.append(f"{request.method} {request.url}"))
    reader.goto(page.url)
    names = reader.get_by_role("textbox", name="Name of area")
    expect(names).to_have_count(2)
    for tool in ("Polygon", "Rectangle", "Brush", "Eraser"):
        expect(reader.get_by_role("button", name=tool)).to_be_disabled()
    stage = reader.get_by_role("application").bounding_box()
    assert stage is not None
    reader.get_by_role("application").focus()
    x, y = stage["x"] + stage["width"] / 2, stage["y"] + stage["height"] / 2
    for key in ("r", "b", "e", "p", "n"):
        reader.keyboard.press(key)
        _drag(reader, (x - 220, y - 120), (x + 220, y + 120))
    expect(reader.get_by_role("button", name="Select")).to_have_attribute("aria-pressed", "true")
    expect(names).to_have_count(2)
    expect(names.first).not_to_be_editable()
    expect(reader.get_by_label("Colour of AOI 1")).to_be_disabled()
    expect(reader.get_by_role("button", name="Delete AOI 1")).to_be_disabled()
    names.first.focus()
    reader.keyboard.press("Delete")
    reader.get_by_role("application").focus()
    reader.keyboard.press("Delete")
    reader.keyboard.press("Control+s")
    expect(reader.get_by_role("button", name="Save")).to_be_disabled()
    expect(names).to_have_count(2)
    assert_accessible(reader)
    assert changed == []


def test_metrics_show_bars_and_rows_of_each_recording(page: Page) -> None:
    _open(page)
    _draw(page)
    page.keyboard.press("Control+s")
    expect(page.get_by_text("Saved.")).to_be_visible()
    page.get_by_role("link", name="All metrics").click()
    page.get_by_role("heading", name="Metrics of areas").wait_for()
    expect(page.get_by_role("img", name="Fixations by area")).to_be_visible()
    expect(page.get_by_role("row")).to_have_count(3)
    assert_accessible(page)


@pytest.mark.slow
def test_areas_are_drawn_by_keyboard_alone(page: Page, site: Server) -> None:
    _open(page)
    names = page.get_by_role("textbox", name="Name of area")
    page.keyboard.press("r")
    page.keyboard.press("Space")  # the cross hairs are there
    page.keyboard.press("Space")
    for key in ("ArrowRight", "ArrowDown"):
        for _ in range(8):
            page.keyboard.press(key)
    page.keyboard.press("Space")
    expect(names).to_have_count(1)
    page.keyboard.press("p")
    for key, times in (("ArrowLeft", 20), ("ArrowUp", 12), ("ArrowRight", 12)):
        for _ in range(times):
            page.keyboard.press(key)
        page.keyboard.press("Space")
    page.keyboard.press("Enter")
    expect(names).to_have_count(2)
    page.keyboard.press("Control+s")
    expect(page.get_by_text("Saved.")).to_be_visible()
    masks = _masks(site, page)
    assert sorted(masks) == ["AOI 1", "AOI 2"]
    for mask in masks.values():
        assert 0.001 < _share(mask) < 0.2
    assert_accessible(page)
