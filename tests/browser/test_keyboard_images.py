"""What a researcher does with pictures and samples besides drawing, with nothing but the keyboard."""

import csv
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import Page, expect

from support.browser import client_of, open_project
from support.filled_project import GAZE_SAMPLE, Filled, digit_pictures
from support.keyboard import Keyboard
from support.people import unique
from support.server import ADMIN_TOKEN, Server
from support.server import wait_for as until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_reference_image_is_put_up_and_deleted(page: Page, keyboard: Keyboard, site: Server) -> None:
    open_project(page, unique("gaze"))
    number = int(page.url.split("/p/")[1])
    areas = page.get_by_role("navigation", name="Main").get_by_role("link", name="Areas")
    keyboard.use(areas)
    keyboard.button("New reference image")
    keyboard.label("Name", "Grid")
    keyboard.file(page.get_by_label("Picture"), GAZE_SAMPLE / "reference_image.png")
    keyboard.button("Create")
    page.get_by_role("application").wait_for()
    with client_of(site.url) as client:
        card = client.get(f"/ui/api/projects/{number}").json()
        at = f"/v2/workspaces/{card['organization_uuid']}/projects/{card['uuid']}/enrichments"

        def there() -> list[str]:
            return [one["name"] for one in client.get(at).json()["result"]]

        assert there() == ["Grid"]
        keyboard.use(areas)
        keyboard.button("Delete Grid")
        keyboard.confirm("Grid")
        until(lambda: there() == [])
    expect(page.get_by_text("There is no reference image yet.")).to_be_visible()


def test_metrics_of_areas_are_chosen_and_kept_as_a_table(page: Page, keyboard: Keyboard, worked_on: Filled) -> None:
    page.goto(f"/ui/{worked_on.addresses['area metrics']}")
    keyboard.pick(page.get_by_label("Metric", exact=True), "Total duration, s")
    bars = page.get_by_role("img", name="Total duration, s by area")
    expect(bars).to_contain_text("Middle")
    with page.expect_download() as download:
        keyboard.use(page.get_by_role("link", name="CSV"))
    with Path(download.value.path()).open() as file:
        [row] = csv.DictReader(file)
    [shown] = page.get_by_role("row").filter(has_text="Middle").all()
    assert shown.get_by_role("cell").nth(2).inner_text() == row["total fixations"]


def test_samples_are_uploaded_opened_chosen_and_tagged(page: Page, keyboard: Keyboard, site: Server) -> None:
    name, tag = unique("keys"), unique("seen")
    with httpx2.Client(base_url=site.url, params={"token": ADMIN_TOKEN}, timeout=60) as client:
        dataset = client.post("/v1/datasets", json={"name": name, "type": "Images"}).json()["id"]
        keyboard.jump("datasets", "Datasets")
        keyboard.use(page.get_by_role("link", name=name))
        files = [
            {"name": f"d{place}.png", "mimeType": "image/png", "buffer": picture}
            for place, (_, picture, _) in enumerate(digit_pictures(3))
        ]
        keyboard.file(page.locator("input[type=file]"), files)
        expect(page.get_by_text("3 samples")).to_be_visible()
        grid = page.get_by_role("listbox", name="Images")
        keyboard.to(grid)
        keyboard.press("Enter")
        expect(page.get_by_role("dialog").get_by_role("img", name="d0.png")).to_be_visible()
        keyboard.press("Escape")
        keyboard.to(grid)
        for key in ("Space", "ArrowRight", "ArrowRight", "Space"):
            keyboard.press(key)
        keyboard.button("Tag 2 chosen")
        keyboard.label("Name of the tag", tag)
        keyboard.press("Enter")
        expect(grid.get_by_role("option")).to_have_count(2)
        [made] = [one for one in client.get(f"/v1/datasets/{dataset}/tags").json() if one["name"] == tag]
        assert int(made["bitMaskData"], 16) == 0b101
