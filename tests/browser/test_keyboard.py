"""What people do on a page, from end to end with nothing but the keyboard: the pages that no other test does it on."""

import re

import pytest
from playwright.sync_api import Page, expect

from support.browser import LOGS, held, open_project
from support.filled_project import Filled
from support.keyboard import Keyboard
from support.people import unique

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_dataset_is_made_and_deleted(page: Page, keyboard: Keyboard) -> None:
    name = unique("keys")
    keyboard.jump("datasets", "Datasets")
    keyboard.use(page.get_by_role("button", name="New dataset"))
    keyboard.to(page.get_by_label("Name"))
    keyboard.type(name)
    keyboard.press("Enter")
    page.get_by_role("heading", name=name).wait_for()
    keyboard.jump("datasets", "Datasets")
    keyboard.use(page.get_by_role("button", name=f"Delete {name}"))
    keyboard.to(page.get_by_label("to confirm"))
    keyboard.type(name)
    keyboard.press("Enter")
    expect(page.get_by_role("link", name=name)).to_have_count(0)


def test_objects_are_exported_and_the_file_is_there(page: Page, keyboard: Keyboard, worked_on: Filled) -> None:
    page.goto(f"/ui/{worked_on.addresses['export']}")
    start = page.get_by_role("button", name="Export 120 objects")
    keyboard.use(start)
    download = page.get_by_role("link", name="Download")
    expect(download).to_be_visible(timeout=60_000)
    keyboard.to(download)
    with page.expect_download():
        keyboard.press("Enter")


def test_objects_are_predicted_by_what_is_validated(page: Page, keyboard: Keyboard, worked_on: Filled) -> None:
    page.goto(f"/ui/{worked_on.addresses['predict']}")
    predict = page.get_by_role("button", name="Predict", exact=True)
    expect(predict).to_be_enabled()
    keyboard.use(predict)
    review = page.get_by_role("link", name="Review the predictions")
    expect(review).to_be_visible(timeout=90_000)
    keyboard.use(review)
    page.get_by_role("listbox", name="Objects").wait_for()


def test_batch_requests_are_made_read_and_deleted(page: Page, keyboard: Keyboard, worked_on: Filled) -> None:
    page.goto(f"/ui/{worked_on.addresses['version requests']}")
    rows = page.get_by_role("main").get_by_role("row")
    expect(rows).to_have_count(3)
    keyboard.use(page.get_by_role("button", name="New batch requests"))
    data = page.get_by_label("A JSON list")
    keyboard.to(data)
    keyboard.press("Control+a")
    keyboard.type('[{"number": 7}]')
    keyboard.use(page.get_by_role("button", name="Create"))
    expect(rows).to_have_count(4)
    again = page.get_by_role("button", name="Look again")
    newest = rows.nth(1)
    for _ in range(60):
        if "completed" in newest.inner_text():
            break
        keyboard.use(again)
        page.wait_for_load_state("networkidle")
    expect(newest).to_contain_text("completed")
    keyboard.use(newest.get_by_role("button"))
    expect(page.get_by_text('"twice": 14')).to_be_visible()
    keyboard.use(page.get_by_role("button", name="Delete"))
    expect(rows).to_have_count(3)


def test_variable_is_made_changed_and_deleted(page: Page, keyboard: Keyboard, worked_on: Filled) -> None:
    page.goto(f"/ui/{worked_on.addresses['variables']}")
    keyboard.use(page.get_by_role("button", name="New variable"))
    keyboard.to(page.get_by_label("Name", exact=True))
    keyboard.type("DEPTH")
    keyboard.press("Tab")
    keyboard.type("200")
    keyboard.press("Enter")
    row = page.get_by_role("row").filter(has_text="DEPTH")
    expect(row).to_contain_text("200")
    keyboard.use(page.get_by_role("button", name="Edit DEPTH"))
    keyboard.to(page.get_by_label(re.compile("^Value")))
    keyboard.press("Control+a")
    keyboard.type("300")
    keyboard.press("Enter")
    expect(row).to_contain_text("300")
    keyboard.use(page.get_by_role("button", name="Delete DEPTH"))
    keyboard.to(page.get_by_label("to confirm"))
    keyboard.type("DEPTH")
    keyboard.press("Enter")
    expect(row).to_have_count(0)


def test_logs_are_searched_narrowed_paused_and_linked_to(page: Page, keyboard: Keyboard, worked_on: Filled) -> None:
    page.goto(f"/ui/{worked_on.addresses['logs']}")
    lines = page.get_by_role("log").get_by_role("paragraph")
    expect(lines.filter(has_text="The version is available.")).to_have_count(1)
    keyboard.press("/")
    expect(page.get_by_role("searchbox", name="Text")).to_be_focused()
    keyboard.type("is available")
    expect(lines).to_have_count(1)
    keyboard.press("Tab")
    keyboard.press("e")
    expect(page.get_by_text("No line of the last day matches.")).to_be_visible()
    keyboard.press("e")
    expect(lines).to_have_count(1)
    keyboard.use(lines.get_by_role("link"))
    expect(page).to_have_url(re.compile("[?&]at="))
    expect(lines.filter(has_text="is available")).to_have_attribute("aria-current", "true")
    expect(page.get_by_role("checkbox", name="follow")).not_to_be_checked()
    keyboard.use(page.get_by_role("button", name="Back to now"))
    expect(page.get_by_role("checkbox", name="follow")).to_be_checked()
    with held(page, LOGS):
        page.reload()
        page.get_by_role("heading", name="Logs").wait_for()
        page.goto("/ui/#/")
        page.get_by_role("heading", name="Good to see you").wait_for()


def test_project_says_what_it_is_about(page: Page, keyboard: Keyboard) -> None:
    name = unique("about")
    open_project(page, name)
    keyboard.use(page.get_by_role("button", name="Edit what it says"))
    keyboard.to(page.get_by_label("Title", exact=True))
    keyboard.press("Control+a")
    keyboard.type(f"Bay of {name}")
    keyboard.press("Tab")
    keyboard.type("Zooscan")
    keyboard.press("Tab")
    for _ in range(2):
        keyboard.press("ArrowDown")
    keyboard.to(page.get_by_label("Description"))
    keyboard.type("Hauls of a bongo net.")
    keyboard.use(page.get_by_role("button", name="Save"))
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Bay of {name}")
    main = page.get_by_role("main")
    for words in ("Zooscan", "CC BY 4.0", "Hauls of a bongo net."):
        expect(main).to_contain_text(words)
