"""What people do on a page, from end to end with nothing but the keyboard: the pages that no other test does it on."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from support.browser import open_project
from support.filled_project import Filled, fill
from support.people import unique
from support.server import Server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
MOST_TABS = 120


@pytest.fixture(scope="module")
def filled(site: Server) -> Filled:
    """One project for all of these tests."""
    return fill(site.url)


def _tab_to(page: Page, wanted: Locator, key: str = "Tab") -> None:
    """With the Tab key, as whoever has no mouse."""
    wanted.wait_for()
    for _ in range(MOST_TABS):
        if wanted.evaluate("one => one === document.activeElement"):
            return
        page.keyboard.press(key)
    raise AssertionError(f"the Tab key does not lead to {wanted}")


def _press(page: Page, wanted: Locator, key: str = "Enter") -> None:
    _tab_to(page, wanted)
    page.keyboard.press(key)


def _jump(page: Page, words: str, heading: str) -> None:
    page.keyboard.press("Control+k")
    page.get_by_role("combobox", name="Jump to").wait_for()
    page.keyboard.type(words)
    expect(page.get_by_role("listbox", name="Places").get_by_role("option").first).to_be_visible()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name=heading, level=1).wait_for()


def test_dataset_is_made_and_deleted(page: Page) -> None:
    name = unique("keys")
    _jump(page, "datasets", "Datasets")
    _press(page, page.get_by_role("button", name="New dataset"))
    _tab_to(page, page.get_by_label("Name"))
    page.keyboard.type(name)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name=name).wait_for()
    _jump(page, "datasets", "Datasets")
    _press(page, page.get_by_role("button", name=f"Delete {name}"))
    _tab_to(page, page.get_by_label("to confirm"))
    page.keyboard.type(name)
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name=name)).to_have_count(0)


def test_objects_are_exported_and_the_file_is_there(page: Page, filled: Filled) -> None:
    page.goto(f"/ui/{filled.addresses['export']}")
    start = page.get_by_role("button", name="Export 120 objects")
    _press(page, start)
    download = page.get_by_role("link", name="Download")
    expect(download).to_be_visible(timeout=60_000)
    _tab_to(page, download)
    with page.expect_download():
        page.keyboard.press("Enter")


def test_objects_are_predicted_by_what_is_validated(page: Page, filled: Filled) -> None:
    page.goto(f"/ui/{filled.addresses['predict']}")
    predict = page.get_by_role("button", name="Predict", exact=True)
    expect(predict).to_be_enabled()
    _press(page, predict)
    review = page.get_by_role("link", name="Review the predictions")
    expect(review).to_be_visible(timeout=90_000)
    _press(page, review)
    page.get_by_role("listbox", name="Objects").wait_for()


def test_batch_requests_are_made_read_and_deleted(page: Page, filled: Filled) -> None:
    page.goto(f"/ui/{filled.addresses['version requests']}")
    rows = page.get_by_role("main").get_by_role("row")
    expect(rows).to_have_count(3)
    _press(page, page.get_by_role("button", name="New batch requests"))
    data = page.get_by_label("A JSON list")
    _tab_to(page, data)
    page.keyboard.press("Control+a")
    page.keyboard.type('[{"number": 7}]')
    _press(page, page.get_by_role("button", name="Create"))
    expect(rows).to_have_count(4)
    again = page.get_by_role("button", name="Look again")
    newest = rows.nth(1)
    for _ in range(60):
        if "completed" in newest.inner_text():
            break
        _press(page, again)
        page.wait_for_load_state("networkidle")
    expect(newest).to_contain_text("completed")
    _press(page, newest.get_by_role("button"))
    expect(page.get_by_text('"twice": 14')).to_be_visible()
    _press(page, page.get_by_role("button", name="Delete"))
    expect(rows).to_have_count(3)


def test_variable_is_made_changed_and_deleted(page: Page, filled: Filled) -> None:
    page.goto(f"/ui/{filled.addresses['variables']}")
    _press(page, page.get_by_role("button", name="New variable"))
    _tab_to(page, page.get_by_label("Name", exact=True))
    page.keyboard.type("DEPTH")
    page.keyboard.press("Tab")
    page.keyboard.type("200")
    page.keyboard.press("Enter")
    row = page.get_by_role("row").filter(has_text="DEPTH")
    expect(row).to_contain_text("200")
    _press(page, page.get_by_role("button", name="Edit DEPTH"))
    _tab_to(page, page.get_by_label(re.compile("^Value")))
    page.keyboard.press("Control+a")
    page.keyboard.type("300")
    page.keyboard.press("Enter")
    expect(row).to_contain_text("300")
    _press(page, page.get_by_role("button", name="Delete DEPTH"))
    _tab_to(page, page.get_by_label("to confirm"))
    page.keyboard.type("DEPTH")
    page.keyboard.press("Enter")
    expect(row).to_have_count(0)


def test_logs_are_searched_narrowed_paused_and_linked_to(page: Page, filled: Filled) -> None:
    page.goto(f"/ui/{filled.addresses['logs']}")
    lines = page.get_by_role("log").get_by_role("paragraph")
    expect(lines.filter(has_text="The version is available.")).to_have_count(1)
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox", name="Text")).to_be_focused()
    page.keyboard.type("is available")
    expect(lines).to_have_count(1)
    page.keyboard.press("Tab")
    page.keyboard.press("e")
    expect(page.get_by_text("No line of the last day matches.")).to_be_visible()
    page.keyboard.press("e")
    expect(lines).to_have_count(1)
    _press(page, lines.get_by_role("link"))
    expect(page).to_have_url(re.compile("[?&]at="))
    expect(lines.filter(has_text="is available")).to_have_attribute("aria-current", "true")
    expect(page.get_by_role("checkbox", name="follow")).not_to_be_checked()
    _press(page, page.get_by_role("button", name="Back to now"))
    expect(page.get_by_role("checkbox", name="follow")).to_be_checked()


def test_project_says_what_it_is_about(page: Page) -> None:
    name = unique("about")
    open_project(page, name)
    _press(page, page.get_by_role("button", name="Edit what it says"))
    _tab_to(page, page.get_by_label("Title", exact=True))
    page.keyboard.press("Control+a")
    page.keyboard.type(f"Bay of {name}")
    page.keyboard.press("Tab")
    page.keyboard.type("Zooscan")
    page.keyboard.press("Tab")
    for _ in range(2):
        page.keyboard.press("ArrowDown")
    _tab_to(page, page.get_by_label("Description"))
    page.keyboard.type("Hauls of a bongo net.")
    _press(page, page.get_by_role("button", name="Save"))
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Bay of {name}")
    main = page.get_by_role("main")
    for words in ("Zooscan", "CC BY 4.0", "Hauls of a bongo net."):
        expect(main).to_contain_text(words)
