"""What people do about themselves, each other, their jobs and the server, with nothing but the keyboard."""

import re

import httpx2
import pytest
from playwright.sync_api import Page, expect

from support.browser import EMAIL, PASSWORD, client_of, make_person, open_project
from support.filled_project import Filled
from support.keyboard import Keyboard
from support.people import unique, unique_email
from support.server import Server
from support.server import wait_for as until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_person_signs_in_begins_a_project_at_home_and_finds_it_again(open_page, site: Server) -> None:
    page = open_page(signed_in=False)
    keyboard = Keyboard(page)
    page.goto("/ui/")
    keyboard.label("E-mail address", EMAIL)
    keyboard.label("Password", PASSWORD)
    keyboard.press("Enter")
    keyboard.use(page.get_by_role("link", name=re.compile("^Start a project")))
    name = unique("begun")
    keyboard.label("Name", name)
    keyboard.press("Enter")
    page.get_by_role("heading", name=name, level=1).wait_for()
    with client_of(site.url) as client:
        assert client.get(f"/v2.1/projects/{name}").status_code == 200
    keyboard.jump("projects", "Projects")
    keyboard.label("Filter projects", name)
    expect(page.get_by_role("main").get_by_role("row")).to_have_count(2)
    keyboard.use(page.get_by_role("main").get_by_role("link", name=name))
    page.get_by_role("heading", name=name, level=1).wait_for()


def test_profile_has_names_tokens_a_theme_and_keys_and_the_way_out(open_page, site: Server) -> None:
    page = open_page(email=make_person(site.url))
    keyboard = Keyboard(page)
    keyboard.jump("profile", "Profile")
    keyboard.label("First name", "Maria")
    keyboard.label("Family name", "Sibylla")
    keyboard.press("Enter")
    expect(page.get_by_text("Saved.")).to_be_visible()
    keyboard.button("New token")
    keyboard.label("What it is for", "script")
    keyboard.press("Enter")
    secret = page.get_by_role("dialog").locator("pre")
    expect(secret).to_have_text(re.compile("^[0-9a-f]{40}$"))
    bearer = {"Authorization": f"Bearer {secret.inner_text()}"}
    keyboard.button("I have it")
    known = httpx2.get(f"{site.url}/v2.1/user", headers=bearer).json()
    assert (known["name"], known["surname"]) == ("Maria", "Sibylla")
    keyboard.button("Revoke script")
    expect(page.get_by_text("You have none.")).to_be_visible()
    assert httpx2.get(f"{site.url}/v2.1/user", headers=bearer).status_code == 401

    keyboard.to(page.get_by_role("radio", name="system"))
    for _ in range(2):
        keyboard.press("ArrowRight")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    keyboard.to(page.get_by_role("radio", name=re.compile("^Quick")))
    keyboard.press("ArrowDown")
    page.reload()
    expect(page.get_by_role("radio", name=re.compile("^EcoTaxa"))).to_be_checked()
    keyboard.button("Sign out")
    page.get_by_role("heading", name="Sign in to Quadrat").wait_for()
    assert page.context.request.get("/ui/api/session").json()["user"] is None


def test_service_user_is_made_and_removed_and_the_trail_tells_it(page: Page, keyboard: Keyboard, site: Server) -> None:
    name = unique("team")
    open_project(page, name)
    keyboard.use(page.get_by_role("navigation", name="Main").get_by_role("link", name="Members"))
    keyboard.tab("Service users", 2)
    keyboard.button("New service user")
    keyboard.label(re.compile("^Name"), "nightly")
    keyboard.press("Enter")
    keyboard.button("I have it")
    with client_of(site.url) as client:

        def there() -> list[str]:
            return [one["name"] for one in client.get(f"/v2.1/projects/{name}/service-users").json()]

        assert there() == ["nightly"]
        keyboard.button("Delete nightly")
        keyboard.confirm("nightly")
        until(lambda: there() == [])
    keyboard.tab("Audit trail")
    trail = page.get_by_role("table", name="Audit trail").get_by_role("row")
    expect(trail.filter(has_text="service-user.deleted")).to_have_count(1)
    keyboard.label("By or to", "nobody@example.org")
    keyboard.press("Enter")
    keyboard.button("Clear the filters")
    expect(trail.filter(has_text="service-user.created")).to_have_count(1)


def test_job_is_found_by_its_state_read_and_forgotten(
    page: Page, keyboard: Keyboard, worked_on: Filled, site: Server
) -> None:
    with client_of(site.url) as client:
        export = {"filters": {}, "request": {"project_id": worked_on.project}}
        job = client.post("/api/object_set/export/general", json=export).json()["job_id"]
        until(lambda: client.get(f"/ui/api/jobs/{job}").json()["state"] == "finished")
        keyboard.jump("jobs", "Jobs")
        keyboard.pick(page.get_by_label("State", exact=True), "finished")
        keyboard.use(page.get_by_role("link", name=re.compile(rf"\(job {job}\)$")))
        expect(page.get_by_role("link", name="Download the file")).to_be_visible()
        keyboard.button("Forget")
        page.get_by_role("heading", name="Jobs", level=1).wait_for()
        assert client.get(f"/ui/api/jobs/{job}").status_code == 404


def test_administrator_makes_a_user_keeps_it_out_and_reads_of_it(page: Page, keyboard: Keyboard, site: Server) -> None:
    email = unique_email()
    keyboard.jump("administration", "Administration")
    keyboard.tab("Users")
    keyboard.button("New user")
    keyboard.label("Name", "Someone New")
    keyboard.label("E-mail address", email)
    keyboard.label("Password", PASSWORD)
    keyboard.press("Enter")
    with client_of(site.url) as client:

        def status() -> int:
            found: int = next((one["status"] for one in client.get("/api/users").json() if one["email"] == email), 0)
            return found

        until(lambda: status() == 1)
        keyboard.label("Filter users", email)
        keyboard.button(f"Block {email}")
        until(lambda: status() == -1)
        keyboard.button(f"Let in {email}")
        until(lambda: status() == 1)
    keyboard.tab("Audit trail")
    keyboard.label("By or to", email)
    keyboard.press("Enter")
    told = page.get_by_role("table", name="Audit trail").get_by_role("row").filter(has_text="user.")
    expect(told).to_have_count(3)
