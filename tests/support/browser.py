"""What the browser tests hold pages to."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
from playwright.sync_api import ConsoleMessage, Page, Request, Route, expect

from support.people import unique_email
from support.server import ADMIN_TOKEN

AXE = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
EMAIL, PASSWORD = "admin@example.org", "Correct-horse-1"
LOGS = "**/v2.1/projects/*/logs"
WIDE, LAPTOP = {"width": 1920, "height": 1080}, {"width": 1280, "height": 800}


class Watch:
    """What a page must not do. A test that provokes an answer like 404 says so first."""

    def __init__(self, origin: str) -> None:
        self._origin = origin
        self.allowed: set[int] = set()
        self.offline = False
        self.problems: list[str] = []

    def allow(self, *statuses: int) -> None:
        self.allowed |= set(statuses)

    def on_console(self, message: ConsoleMessage) -> None:
        if message.type not in ("error", "warning"):
            return
        if any(f"status of {status}" in message.text for status in self.allowed):
            return
        if self.offline and "ERR_" in message.text:
            return
        self.problems.append(f"console: {message.text}")

    def on_request(self, request: Request) -> None:
        if not request.url.startswith((self._origin, "data:", "blob:")):
            self.problems.append(f"another origin was asked: {request.url}")


def sign_in(page: Page, email: str = EMAIL, password: str = PASSWORD) -> None:
    """Through the form, as a person does."""
    page.goto("/ui/")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill(password)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Good to see you").wait_for()


def open_project(page: Page, name: str) -> None:
    """A new project, open at its front page."""
    page.goto("/ui/#/projects?new=1")
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Create").click()
    page.get_by_role("heading", name=name, level=1).wait_for()


@contextmanager
def held(page: Page, url: str) -> Iterator[None]:
    """What is asked there meanwhile, at least once, is answered only at the end, and taken in before this ends."""
    routes: list[Route] = []

    def hold(route: Route) -> None:
        routes.append(route)

    page.route(url, hold)
    with page.expect_request(url):
        yield
    for route in routes:
        route.fulfill(response=route.fetch())
    page.unroute(url)
    page.evaluate("new Promise((drawn) => requestAnimationFrame(() => setTimeout(drawn)))")


def client_of(url: str) -> httpx2.Client:
    """The administrator, without a browser."""
    return httpx2.Client(base_url=url, headers={"Authorization": f"Bearer {ADMIN_TOKEN}"}, timeout=60)


def make_person(url: str, name: str = "Some One") -> str:
    """Someone new who is no administrator; the address to sign in with."""
    email = unique_email()
    with client_of(url) as client:
        body = {"id": 0, "name": name, "email": email, "password": PASSWORD}
        assert client.post("/api/users/create", json=body).status_code == 200
    return email


def invite_viewer(url: str, project: str) -> str:
    """Someone new who may look at the project and change nothing; the address to sign in with."""
    email = make_person(url, "Only Looking")
    with client_of(url) as client:
        organization = client.get(f"/v2.1/projects/{project}").json()["organization_name"]
        made = client.post(f"/v2.1/organizations/{organization}/users", json={"email": email, "admin": False}).json()
        role = {"user_id": made["id"], "role": "project-viewer"}
        assert client.post(f"/v2.1/projects/{project}/role-assignments", json=role).status_code == 201
    return email


def assert_accessible(page: Page) -> None:
    """No finding of axe at WCAG 2.2 A and AA and its best practices, once nothing is being loaded any more."""
    expect(page.locator("[aria-busy=true], [aria-label=Loading]")).to_have_count(0)
    # The script comes through the protocol, not through the page, which would not let it in.
    page.evaluate(AXE.read_text())
    found: dict[str, Any] = page.evaluate(
        "axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})"
    )
    told = [(rule["id"], [node["html"][:200] for node in rule["nodes"]]) for rule in found["violations"]]
    assert told == [], told
