import re

import pytest
from playwright.sync_api import Browser, expect

from support.browser import EMAIL, LAPTOP, PASSWORD, WIDE, assert_accessible, sign_in
from support.people import unique
from support.server import ADMIN_TOKEN, launch


def test_sign_in_wrong_password_says_so_and_keeps_the_address(open_page) -> None:
    page = open_page(signed_in=False)
    page.watch.allow(401)
    page.goto("/ui/")
    page.get_by_label("E-mail address").fill(EMAIL)
    page.get_by_label("Password").fill("not it")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("wrong")
    expect(page.get_by_label("E-mail address")).to_have_value(EMAIL)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [LAPTOP, pytest.param(WIDE, marks=pytest.mark.slow)], ids=["1280", "1920"])
def test_pages_without_data_are_accessible(open_page, theme, size) -> None:
    page = open_page(theme=theme, size=size)
    for address, heading in {
        "#/": "Good to see you",
        "#/projects": "Projects",
        "#/jobs": "Jobs",
        "#/datasets": "Datasets",
        "#/profile": "Profile",
        "#/no/such/page": "Not found",
    }.items():
        page.goto(f"/ui/{address}")
        page.get_by_role("heading", name=heading, level=1).wait_for()
        expect(page.locator("[aria-label=Loading]")).to_have_count(0)
        assert_accessible(page)


def test_project_is_made_renamed_and_deleted_by_keyboard_alone(page) -> None:
    name = unique("net")
    page.goto("/ui/#/projects?new=1")
    page.get_by_label("Name").focus()
    page.keyboard.type(name)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name=name, level=1).wait_for()
    page.get_by_role("textbox", name="Name").focus()
    page.keyboard.press("End")
    page.keyboard.type("-2")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(f"{name}-2")
    page.get_by_role("button", name="Delete the project").focus()
    page.keyboard.press("Enter")
    confirm = page.get_by_role("button", name="Delete", exact=True)
    expect(confirm).to_be_disabled()
    page.get_by_label("to confirm").fill(f"{name}-2")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Projects", level=1).wait_for()
    expect(page.get_by_role("link", name=f"{name}-2")).to_have_count(0)


def test_key_map_and_palette_open_by_key_and_lead_on(page) -> None:
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_contain_text("Jump to anything")
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    page.get_by_role("combobox", name="Jump to").fill("prof")
    assert_accessible(page)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Profile", level=1).wait_for()


def test_theme_choice_outlives_a_reload(page) -> None:
    page.goto("/ui/#/profile")
    page.get_by_role("radio", name="dark").check()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_server_away_says_so_and_tries_again(page) -> None:
    page.goto("/ui/#/projects")
    page.get_by_role("heading", name="Projects", level=1).wait_for()
    page.watch.offline = True
    page.context.set_offline(True)
    page.goto("/ui/#/jobs")
    expect(page.get_by_role("alert")).to_contain_text(re.compile("cannot be reached|could not be loaded"))
    page.context.set_offline(False)
    page.get_by_role("button", name="Try again").first.click()
    page.get_by_role("heading", name="Jobs", level=1).wait_for()


def test_events_come_again_after_something_else_answered_for_the_server(open_page) -> None:
    page = open_page(signed_in=False)
    page.watch.allow(503)
    page.route("**/ui/api/events", lambda route: route.fulfill(status=503, body="restarting"), times=2)
    sign_in(page)
    waits = page.get_by_text("Reconnecting…")
    expect(waits).to_be_visible()
    expect(waits).to_have_count(0)


def test_sign_out_leads_to_the_form_and_the_session_is_gone(page) -> None:
    page.goto("/ui/#/profile")
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("heading", name="Sign in to Quadrat").wait_for()
    page.goto("/ui/#/projects")
    page.get_by_role("heading", name="Sign in to Quadrat").wait_for()


@pytest.mark.slow
def test_first_administrator_sees_that_the_server_stands_and_sets_it_up(chromium: Browser, tmp_path) -> None:
    server = launch(tmp_path / "data", QUADRAT_ADMIN_PASSWORD="")
    try:
        page = chromium.new_page(base_url=server.url)
        page.goto("/ui/")
        page.get_by_role("heading", name="Set up Quadrat").wait_for()
        checks = page.get_by_role("list", name="Checks").get_by_role("listitem")
        expect(checks).to_have_text(["✓ database answers", "✓ store answers"])
        assert_accessible(page)
        page.get_by_label("Token").fill(ADMIN_TOKEN)
        page.get_by_label("E-mail address").fill(EMAIL)
        page.get_by_label("Password").fill(PASSWORD)
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="Good to see you").wait_for()
        page.close()
    finally:
        assert server.stop() == 0
