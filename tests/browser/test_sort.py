"""A taxonomist imports an archive, answers what it asks, and sorts by keyboard, also while the server is away."""

import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.sync_api import Page, Route, expect

from support.archives import archive, picture, table
from support.browser import assert_accessible, open_project
from support.people import unique
from support.server import ADMIN_TOKEN, Server
from support.server import wait_for as until

N = 120
OBJECTS = "**/object_set/*/query?*"
pytestmark = pytest.mark.timeout(240)


def _archive(path: Path) -> Path:
    """Objects of three predicted categories that are called as in the taxonomy, with measured features."""
    chance = random.Random(7)
    rows, images = [], {}
    for number in range(N):
        name = f"o{number:03}"
        images[f"{name}.png"] = picture(16 + number % 40, shade=40 + number)
        rows.append(
            {
                "object_id": name,
                "img_file_name": f"{name}.png",
                "object_lat": "43.5",
                "object_lon": "7.2",
                "object_date": "20240501",
                "object_time": "1200",
                "object_depth_min": str(number),
                "object_depth_max": str(number + 5),
                "object_area": str(chance.randrange(1000)),
                "object_annotation_status": "predicted",
                "object_annotation_category": ("Copepoda", "Chaetognatha", "no such animal")[number % 3],
                "sample_id": f"haul {number % 2}",
                "acq_id": f"a{number % 2}",
                "process_id": f"p{number % 2}",
            }
        )
    return archive(path, {"ecotaxa_hauls.tsv": table(rows), **images})


def _import(page: Page, folder: Path) -> None:
    open_project(page, unique("sort"))
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Sort").click()
    expect(page.get_by_text("no objects yet")).to_be_visible()
    assert_accessible(page)
    page.get_by_role("link", name="Import objects").click()
    page.get_by_label("File").set_input_files(_archive(folder / "hauls.zip"))
    assert_accessible(page)
    page.get_by_role("button", name="Upload and import").click()
    page.get_by_label("Search a taxon for no such animal").wait_for(timeout=60_000)
    assert_accessible(page)
    page.get_by_label("Search a taxon for no such animal").fill("detritus")
    page.keyboard.press("Tab")
    options = page.get_by_label("Taxon for no such animal", exact=True)
    expect(options.locator("option")).not_to_have_count(1)
    options.select_option(index=1)
    page.get_by_role("button", name="Go on with the import").click()
    page.get_by_role("link", name="Sort them").click(timeout=60_000)
    expect(page.get_by_role("listbox", name="Objects").get_by_role("option")).to_have_count(N)


def _project(page: Page) -> int:
    return int(page.url.split("/p/")[1].split("/")[0])


def _summary(site: Server, project: int) -> dict[str, Any]:
    address = f"{site.url}/api/object_set/{project}/summary?only_total=false"
    answer = httpx2.post(address, json={}, headers={"Authorization": f"Bearer {ADMIN_TOKEN}"}, timeout=30)
    found: dict[str, Any] = answer.json()
    return found


def test_sorting_by_keyboard_survives_the_servers_absence_and_is_undone(page: Page, site: Server, tmp_path) -> None:
    _import(page, tmp_path)
    project = _project(page)
    gallery = page.get_by_role("listbox", name="Objects")
    expect(gallery).to_be_focused()
    assert_accessible(page)

    page.keyboard.press("Space")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    expect(page.get_by_text("3 selected")).to_be_visible()
    page.keyboard.press("v")
    expect(page.get_by_text("All changes saved")).to_be_visible()
    until(lambda: _summary(site, project)["validated_objects"] == 3)

    page.keyboard.press("ArrowDown")
    page.keyboard.press("t")
    page.get_by_role("combobox", name="Assign a taxon").fill("chaeto")
    page.keyboard.press("Enter")
    until(lambda: _summary(site, project)["validated_objects"] == 4)
    page.keyboard.press("Control+z")
    until(lambda: _summary(site, project)["validated_objects"] == 3)

    page.watch.offline = True
    page.context.set_offline(True)
    page.keyboard.press("Control+a")
    page.keyboard.press("d")
    expect(page.get_by_text(f"Offline: {N} changes kept in this browser")).to_be_visible()
    assert _summary(site, project)["dubious_objects"] == 0
    address = page.url
    page.close()
    page.context.set_offline(False)
    again = page.context.new_page()
    again.goto(address)
    until(lambda: _summary(site, project)["dubious_objects"] == N)
    expect(again.get_by_text("All changes saved")).to_be_visible()


def test_keys_are_changed_and_kept_and_the_other_scheme_is_chosen(page: Page, site: Server, tmp_path) -> None:
    _import(page, tmp_path)
    project = _project(page)
    page.keyboard.press("?")
    page.get_by_role("button", name=re.compile(r"^V\s*, change the key of: Validate$")).focus()
    page.keyboard.press("Enter")
    page.keyboard.press("d")
    expect(page.get_by_text("D is taken by “Mark as dubious”")).to_be_visible()
    assert_accessible(page)
    page.keyboard.press("x")
    expect(page.get_by_text("“Validate” is on X now.")).to_be_visible()
    page.keyboard.press("Escape")
    page.reload()
    expect(page.get_by_role("listbox", name="Objects").get_by_role("option")).to_have_count(N)
    page.keyboard.press("v")
    page.keyboard.press("x")
    until(lambda: _summary(site, project)["validated_objects"] == 1)
    expect(page.get_by_text("1 object validated")).to_be_visible()

    page.goto("/ui/#/profile")
    page.get_by_role("radio", name="EcoTaxa").check()
    page.goto(f"/ui/#/p/{project}/sort")
    expect(page.get_by_role("listbox", name="Objects").get_by_role("option")).to_have_count(N)
    page.keyboard.press("c")
    box = page.get_by_role("combobox", name="Assign a taxon")
    expect(box).to_be_focused()
    expect(box).to_have_value("c")
    page.keyboard.press("Escape")
    page.keyboard.press("Control+ArrowRight")
    page.keyboard.press("Control+u")
    until(lambda: _summary(site, project)["dubious_objects"] == 1)


def test_filters_pages_and_zoom_live_in_the_address(page: Page, tmp_path) -> None:
    _import(page, tmp_path)
    page.get_by_label("Objects a page").select_option("50")
    expect(page.get_by_role("listbox", name="Objects")).to_be_visible()
    expect(page.get_by_text(f"of {N}")).to_be_visible()
    page.keyboard.press("]")
    expect(page.get_by_text(re.compile("51.100 of"))).to_be_visible()
    page.get_by_role("button", name="Filters").click()
    page.get_by_label("Depth, m from").fill("10")
    page.get_by_label("Depth, m to").fill("40")
    page.keyboard.press("Tab")
    expect(page.get_by_text(re.compile("1.26 of 26"))).to_be_visible()
    assert_accessible(page)
    address = page.url
    assert "depthmin=10" in address
    page.goto("about:blank")
    page.goto(address)
    expect(page.get_by_text(re.compile("1.26 of 26"))).to_be_visible()
    page.get_by_role("button", name="Filters").click()
    page.get_by_label("Depth, m from").fill("")
    page.keyboard.press("Tab")
    _shows(page, 1, 36, 36)  # with one end of the range alone
    page.get_by_label("Depth, m from").fill("900")
    page.get_by_label("Depth, m to").fill("901")
    page.keyboard.press("Tab")
    expect(page.get_by_text("No object matches.")).to_be_visible()
    page.get_by_role("button", name="Clear the filters").click()
    expect(page.get_by_text(f"of {N}")).to_be_visible()


def _shows(page: Page, first: int, last: int, of: int) -> None:
    expect(page.get_by_text(re.compile(f"^{first}.{last} of {of}$"))).to_be_visible()


@contextmanager
def _on_its_way(page: Page) -> Iterator[None]:
    """No objects arrive that are asked for before the end of the block."""
    asked: list[Route] = []

    def hold(route: Route) -> None:
        asked.append(route)

    page.route(OBJECTS, hold)
    yield
    asked.pop().continue_()
    page.unroute(OBJECTS, hold)


@pytest.mark.slow
def test_keys_before_the_next_page_is_shown_change_nothing_unseen(page: Page, site: Server, tmp_path) -> None:
    _import(page, tmp_path)
    project = _project(page)
    page.get_by_label("Objects a page").select_option("50")
    _shows(page, 1, 50, N)
    with _on_its_way(page):
        with page.expect_request(OBJECTS):
            page.keyboard.press("]")
        page.keyboard.press("Control+a")
        page.keyboard.press("v")
        expect(page.get_by_text("still on its way: nothing was changed")).to_be_visible()
        _shows(page, 1, 50, N)
        expect(page.get_by_text("0 selected")).to_be_visible()
        assert _summary(site, project)["validated_objects"] == 0
    _shows(page, 51, 100, N)
    expect(page.get_by_text("50 selected")).to_be_visible()
    page.keyboard.press("v")
    until(lambda: _summary(site, project)["validated_objects"] == 50)
    expect(page.get_by_text("page 50/50 validated")).to_be_visible()
    page.keyboard.press("[")
    _shows(page, 1, 50, N)
    expect(page.get_by_text("page 0/50 validated")).to_be_visible()


@pytest.mark.slow
def test_key_that_is_held_decides_once_and_moves_on_and_on(page: Page, site: Server, tmp_path) -> None:
    _import(page, tmp_path)
    project = _project(page)
    page.get_by_label("Objects a page").select_option("50")
    _shows(page, 1, 50, N)
    page.keyboard.down("Shift")
    for _ in range(3):  # what comes without a release between is told as a repetition
        page.keyboard.down("Enter")
    _shows(page, 51, 100, N)
    for _ in range(3):
        page.keyboard.down("Enter")
    expect(page.get_by_text("page 0/50 validated")).to_be_visible()
    page.keyboard.up("Enter")
    page.keyboard.up("Shift")
    until(lambda: _summary(site, project)["validated_objects"] == 50)
    for _ in range(4):
        page.keyboard.down("ArrowRight")
    page.keyboard.up("ArrowRight")
    page.keyboard.press("d")
    until(lambda: _summary(site, project)["dubious_objects"] == 1)
    _shows(page, 51, 100, N)
    expect(page.get_by_role("listbox", name="Objects").get_by_role("option").nth(4)).to_contain_text("?")
    assert _summary(site, project)["validated_objects"] == 50


@pytest.mark.slow
def test_filter_that_is_typed_while_objects_arrive_stays_typed(page: Page, tmp_path) -> None:
    _import(page, tmp_path)
    gallery = page.get_by_role("listbox", name="Objects")
    page.get_by_role("button", name="Filters").click()
    depth = page.get_by_label("Depth, m from")
    depth.fill("10")
    with _on_its_way(page):
        with page.expect_request(OBJECTS):
            depth.press("Tab")
        page.keyboard.type("4")
        expect(gallery).to_have_attribute("aria-busy", "true")
    expect(gallery).to_have_attribute("aria-busy", "false")
    page.keyboard.type("0")
    page.keyboard.press("Enter")
    _shows(page, 1, 26, 26)


def test_object_page_shows_everything_and_classifies(page: Page, tmp_path) -> None:
    _import(page, tmp_path)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="History").wait_for()
    expect(page.get_by_role("heading", name="Sample haul")).to_be_visible()
    expect(page.get_by_text("It has had no other state.")).to_be_visible()
    assert_accessible(page)
    page.get_by_role("button", name="✓ Validate").click()
    expect(page.get_by_text(re.compile("^✓ validated "))).to_be_visible()
    expect(page.get_by_role("listitem").filter(has_text="○ predicted")).to_be_visible()
