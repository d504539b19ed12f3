"""Who may do what, seen and changed through the pages alone."""

import re

import httpx2
import pytest
from playwright.sync_api import Page, expect

from support.browser import assert_accessible, invite_viewer, open_project
from support.keyboard import Keyboard
from support.people import unique, unique_email

pytestmark = pytest.mark.timeout(120)


def _press(page: Page, name: str, role: str = "button") -> None:
    """Reach something and use it without a pointer."""
    page.get_by_role(role, name=name, exact=True).focus()
    page.keyboard.press("Enter")


def test_members_are_invited_and_given_roles_by_keyboard_alone(page: Page) -> None:
    open_project(page, unique("team"))
    email = unique_email()
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Members").focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Members and roles").wait_for()
    _press(page, "Invite someone")
    page.get_by_label("E-mail address").focus()
    page.keyboard.type(email)
    page.keyboard.press("Enter")
    row = page.get_by_role("row").filter(has_text=email)
    expect(row).to_contain_text("invited")
    _press(page, f"Give a role to {email}")
    roles = page.get_by_label("Role", exact=True)
    expect(roles.locator("option", has_text="project-annotator")).to_have_count(1)
    roles.focus()
    page.keyboard.type("project-ann")
    assert_accessible(page)
    _press(page, "Give the role")
    expect(row).to_contain_text("project-annotator")
    Keyboard(page).pick(page.get_by_label(f"What {email} is in"), "viewer")
    expect(page.get_by_text(f"{email} is viewer of")).to_be_visible()
    assert_accessible(page)
    _press(page, f"Take project-annotator from {email}")
    expect(row).to_contain_text("none")


def test_role_is_made_of_permissions_by_keyboard_alone_and_stands_in_the_trail(page: Page) -> None:
    open_project(page, unique("team"))
    role = unique("reader")
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Members").click()
    page.get_by_role("tab", name="People").focus()
    page.keyboard.press("ArrowRight")
    _press(page, "New role")
    page.get_by_label("Name", exact=True).focus()
    page.keyboard.type(role)
    page.get_by_label("Filter permissions").focus()
    page.keyboard.type("objects.")
    page.get_by_role("checkbox", name="read objects").focus()
    page.keyboard.press("Space")
    expect(page.get_by_text("1 permissions")).to_be_visible()
    assert_accessible(page)
    _press(page, "Create")
    _press(page, role)
    expect(page.get_by_role("row").filter(has_text=role)).to_contain_text("read")
    assert_accessible(page)

    page.get_by_role("tab", name="Audit trail").click()
    expect(page.get_by_role("row").filter(has_text="role.created")).to_contain_text(role)
    assert_accessible(page)


def test_service_user_and_own_tokens_are_shown_once_and_work_until_revoked(page: Page, site) -> None:
    name = unique("robots")
    open_project(page, name)
    page.goto(page.url.partition("?")[0] + "/members?tab=service-users")
    page.get_by_role("button", name="New service user").click()
    page.get_by_label("Name (optional)").fill("nightly")
    page.get_by_role("button", name="Create").click()
    token = page.get_by_role("dialog").locator("pre")
    secret = token.inner_text()
    assert re.fullmatch("[0-9a-f]{40}", secret)
    page.get_by_role("button", name="I have it").click()
    page.get_by_role("button", name="New token for nightly").click()
    expect(token).to_have_text(re.compile("^[0-9a-f]{40}$"))
    assert token.inner_text() != secret
    page.keyboard.press("Escape")
    expect(token).to_have_count(0)

    page.goto("/ui/#/profile")
    page.get_by_role("button", name="New token").click()
    page.get_by_label("What it is for").fill(name)
    page.get_by_role("button", name="Make the token").click()
    secret = token.inner_text()
    assert_accessible(page)
    page.get_by_role("button", name="I have it").click()

    def status() -> int:
        headers = {"Authorization": f"Bearer {secret}"}
        return httpx2.get(f"{site.url}/v2.1/user", headers=headers).status_code

    assert status() == 200
    page.get_by_role("button", name=f"Revoke {name}").click()
    expect(page.get_by_role("row").filter(has_text=name)).to_have_count(0)
    assert status() == 401


@pytest.mark.parametrize("theme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
def test_administration_shows_the_server_its_users_and_its_trail(open_page, theme) -> None:
    page = open_page(theme=theme)
    email = unique_email()
    page.get_by_role("link", name="Administration").click()
    expect(page.get_by_text(re.compile(r"PostgreSQL"))).to_be_visible()
    expect(page.get_by_text(re.compile(r"✓ alive"))).to_be_visible(timeout=60_000)
    assert_accessible(page)
    page.get_by_role("tab", name="Users").click()
    page.get_by_role("button", name="New user").click()
    page.get_by_label("Name", exact=True).fill("Someone New")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill("Correct-horse-1")
    page.get_by_role("button", name="Create").click()
    page.get_by_role("button", name=f"Block {email}").click()
    expect(page.get_by_role("row").filter(has_text=email)).to_contain_text("blocked")
    assert_accessible(page)
    page.get_by_role("tab", name="Audit trail").click()
    expect(page.get_by_role("table", name="Audit trail")).to_be_visible()
    assert_accessible(page)


def test_viewer_sees_no_members_and_no_administration(open_page, page, site) -> None:
    project = unique("closed")
    open_project(page, project)
    number = int(page.url.split("/p/")[1])
    viewer = open_page(email=invite_viewer(site.url, project))
    viewer.goto(f"/ui/#/p/{number}/members")
    expect(viewer.get_by_text("Who is here is shown to administrators")).to_be_visible()
    expect(viewer.get_by_role("tab", name="Audit trail")).to_have_count(0)
    viewer.goto("/ui/#/admin")
    expect(viewer.get_by_text("This is for administrators of the server.")).to_be_visible()
    assert_accessible(viewer)
