"""Whole working days: what three people do, with nothing but the pages."""

import csv
import io
import zipfile
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import Page, expect

from support.browser import LAPTOP, WIDE, assert_accessible, client_of, open_project
from support.filled_project import GAZE_SAMPLE, MODEL, digits_archive, import_objects, package
from support.people import unique
from support.server import Server
from support.server import wait_for as until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
LOOKS = pytest.mark.parametrize(("theme", "size"), [("light", LAPTOP), ("dark", WIDE)], ids=["light-1280", "dark-1920"])
N = 2000
A_PAGE = 500


def _number(page: Page) -> int:
    return int(page.url.split("/p/")[1].split("/")[0].split("?")[0])


def _states(client: httpx2.Client, project: int) -> tuple[int, int, int]:
    found = client.post(f"/api/object_set/{project}/summary?only_total=false", json={}).json()
    return found["validated_objects"], found["dubious_objects"], found["predicted_objects"]


@LOOKS
def test_taxonomist_sorts_2000_objects_by_keyboard_loses_the_connection_and_nothing_else(
    open_page, site: Server, theme: str, size: dict[str, int]
) -> None:
    page = open_page(theme=theme, size=size)
    open_project(page, unique("sort"))
    project = _number(page)
    with client_of(site.url) as client:
        import_objects(client, project, digits_archive(N, ["Copepoda", "Chaetognatha", "detritus"]))
        page.goto(f"/ui/#/p/{project}/sort?size={A_PAGE}&statusfilter=P&order=obj.objid")
        tiles = page.get_by_role("listbox", name="Objects").get_by_role("option")
        expect(tiles).to_have_count(A_PAGE)
        expect(page.get_by_text(f"of 2\u202f{N % 1000:03}")).to_be_visible()

        page.keyboard.press("Shift+Enter")
        until(lambda: _states(client, project) == (A_PAGE, 0, N - A_PAGE))
        # Afresh: what was shown before the decisions were stored begins with the same object.
        page.goto("about:blank")
        page.goto(f"/ui/#/p/{project}/sort?size={A_PAGE}&order=obj.objid&start={A_PAGE}")
        expect(tiles.first).to_contain_text("digit-0500")
        page.keyboard.press("Control+a")
        page.keyboard.press("d")
        until(lambda: _states(client, project) == (A_PAGE, A_PAGE, N - 2 * A_PAGE))

        page.keyboard.press("]")
        expect(tiles.first).to_contain_text("digit-1000")
        page.watch.offline = True
        page.context.set_offline(True)
        page.keyboard.press("Control+a")
        page.keyboard.press("t")
        page.get_by_role("combobox", name="Assign a taxon").fill("chaeto")
        page.keyboard.press("Enter")
        expect(page.get_by_text(f"Offline: {A_PAGE} changes kept in this browser")).to_be_visible()
        address = page.url
        page.close()
        assert _states(client, project) == (A_PAGE, A_PAGE, N - 2 * A_PAGE)

        page.context.set_offline(False)
        again = page.context.new_page()
        again.goto(address)
        until(lambda: _states(client, project) == (2 * A_PAGE, A_PAGE, N - 3 * A_PAGE))
        expect(again.get_by_text("All changes saved")).to_be_visible()
        again.keyboard.press("Control+z")
        until(lambda: _states(client, project) == (A_PAGE, A_PAGE, N - 2 * A_PAGE))
        expect(again.get_by_role("status").filter(has_text="Undone")).to_be_visible()


def _drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*end, steps=6)
    page.mouse.up()


def _draw_five(page: Page) -> None:
    """A picture with a recording, four rectangles and a triangle on it, saved."""
    open_project(page, unique("gaze"))
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Areas").click()
    page.get_by_role("button", name="New reference image").click()
    page.get_by_label("Name").fill("Grid")
    page.get_by_label("Picture").set_input_files(GAZE_SAMPLE / "reference_image.png")
    page.get_by_role("button", name="Create").click()
    page.get_by_role("button", name="Import recordings").click()
    page.get_by_label("Files").set_input_files(
        [GAZE_SAMPLE / f"{part}.csv" for part in ("gaze", "fixations", "sections")]
    )
    page.get_by_role("dialog").get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_text("1 recording", exact=True)).to_be_visible(timeout=60_000)
    if page.get_by_role("dialog").count():
        page.keyboard.press("Escape")
    page.get_by_role("application").focus()
    page.keyboard.press("0")
    stage = page.get_by_role("application").bounding_box()
    assert stage is not None
    x, y = stage["x"] + stage["width"] / 2, stage["y"] + stage["height"] / 2
    names = page.get_by_role("textbox", name="Name of area")
    page.keyboard.press("r")
    for place, (dx, dy) in enumerate(((-200, -200), (20, -200), (-200, 20), (20, 20)), 1):
        _drag(page, (x + dx, y + dy), (x + dx + 180, y + dy + 180))
        expect(names).to_have_count(place)
    page.keyboard.press("p")
    for dx, dy in ((-60, -60), (60, -60), (0, 60)):
        page.mouse.click(x + dx, y + dy)
    page.keyboard.press("Enter")
    expect(names).to_have_count(5)
    page.keyboard.press("Control+s")
    expect(page.get_by_text("Saved.")).to_be_visible()


@LOOKS
def test_researcher_draws_five_areas_reads_the_table_and_exports_it(
    open_page, theme: str, size: dict[str, int]
) -> None:
    page = open_page(theme=theme, size=size)
    _draw_five(page)
    rows = page.get_by_role("complementary", name="Areas").get_by_role("table").get_by_role("row")
    expect(rows).to_have_count(6)
    assert_accessible(page)
    page.get_by_role("link", name="All metrics").click()
    expect(page.get_by_role("row")).to_have_count(6)
    assert_accessible(page)
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    table = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text())))
    assert {row["aoi name"] for row in table} == {f"AOI {number}" for number in range(1, 6)}
    shown = [row.get_by_role("cell").nth(2).inner_text() for row in page.get_by_role("row").all()[1:]]
    assert shown == [row["total fixations"] for row in table]
    assert sum(int(number) for number in shown) > 0
    with page.expect_download() as download:
        page.get_by_role("link", name="Export zip").click()
    with zipfile.ZipFile(download.value.path()) as exported:
        assert "aoi_metrics.csv" in {Path(name).name for name in exported.namelist()}


def _package(source: str) -> dict[str, object]:
    return {"name": "package.zip", "mimeType": "application/zip", "buffer": package(source)}


def _mend_build(page: Page) -> None:
    """A model whose first package cannot be loaded, and whose second can."""
    open_project(page, unique("p"))
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Models").click()
    page.get_by_role("button", name="New model").click()
    page.get_by_label("Name", exact=True).fill("doubler")
    for label, field in (("Input fields", "number"), ("Output fields", "twice")):
        group = page.get_by_role("group", name=label)
        group.get_by_role("button", name="Add a field").click()
        group.get_by_label("name of field 1").fill(field)
        group.get_by_label("type of field 1").select_option("double")
    page.get_by_role("button", name="Create").click()
    page.get_by_role("link", name="doubler").click()
    page.get_by_role("button", name="New version").click()
    page.get_by_label("Version", exact=True).fill("v1")
    page.get_by_role("button", name="Create").click()
    page.get_by_role("heading", name="doubler v1").wait_for()
    page.get_by_label("Package file").set_input_files(_package("import no_such_library\n"))
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_role("alert")).to_contain_text("no_such_library", timeout=90_000)
    assert_accessible(page)
    page.get_by_label("Package file").set_input_files(_package(MODEL))
    page.get_by_role("button", name="Upload").click()
    expect(page.locator(".page header").first).to_contain_text("available", timeout=90_000)


def _wire(page: Page) -> None:
    """A pipeline with the model in it."""
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Pipelines").click()
    page.get_by_role("button", name="New pipeline").click()
    page.get_by_label("Name", exact=True).fill("twice")
    group = page.get_by_role("group", name="Input fields")
    group.get_by_role("button", name="Add a field").click()
    group.get_by_label("name of field 1").fill("number")
    group.get_by_label("type of field 1").select_option("double")
    page.get_by_role("button", name="Create").click()
    page.get_by_role("link", name="twice").click()
    page.get_by_role("button", name="Add an object").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("combobox", name="Model").select_option("doubler")
    expect(dialog.get_by_role("combobox", name="Version")).to_have_value("v1")
    dialog.get_by_role("button", name="Add").click()
    page.get_by_role("tab", name="Table").click()
    page.get_by_label("Connect doubler to a source").select_option("pipeline_start")
    assert_accessible(page)
    dialog.get_by_role("button", name="Connect").click()
    expect(page.get_by_role("row").filter(has_text="doubler")).to_contain_text("pipeline_start")


@LOOKS
def test_model_owner_mends_a_build_wires_a_pipeline_and_watches_a_run(
    open_page, theme: str, size: dict[str, int]
) -> None:
    page = open_page(theme=theme, size=size)
    _mend_build(page)
    _wire(page)
    page.get_by_role("tab", name="Run").click()
    page.get_by_label("number").fill("21")
    page.keyboard.press("Enter")
    page.get_by_role("main").locator("summary").filter(has_text="doubler").click(timeout=60_000)
    expect(page.get_by_text('"twice": 42')).to_be_visible(timeout=60_000)
    page.get_by_role("tab", name="Graph").click()
    expect(page.get_by_text("last run: 1 model ran")).to_be_visible()
    expect(page.locator(".svelte-flow__node").filter(has_text="doubler")).to_contain_text("✓")
    assert_accessible(page)
