"""Debian's Chromium against a real server with real data. A page that logs an error, or asks another origin, fails."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from support.browser import EMAIL, LAPTOP, Watch, sign_in
from support.filled_project import Filled, fill
from support.keyboard import Keyboard
from support.server import Server, launch

# A busy machine is no reason to fail.
expect.set_options(timeout=20_000)
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_MAC = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep all tests of this folder in one worker, so that they share one server and one browser."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("browser"))


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The browser, found on the machine; none is downloaded.

    It ends with the module: while it runs, no other test of this process could run an event loop.
    """
    named = os.environ.get("QUADRAT_TEST_BROWSER")
    found = named or next((path for name in _BROWSERS if (path := shutil.which(name))), None)
    if found is None and _MAC.exists():
        found = str(_MAC)
    assert found, "the browser tests need Chromium: run `make browser`"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of these tests' own."""
    server = launch(tmp_path_factory.mktemp("browser") / "data")
    yield server
    assert server.stop() == 0


@pytest.fixture(scope="session")
def worked_on(site: Server) -> Filled:
    """One project for all who change something in it: each leaves the rest of it as it was."""
    return fill(site.url)


OpenPage = Callable[..., Page]


@pytest.fixture
def open_page(chromium: Browser, site: Server) -> Iterator[OpenPage]:
    """Opens pages in contexts of their own; `page.watch` holds what they did wrong."""
    opened: list[tuple[BrowserContext, Watch]] = []

    def open_(
        *, theme: str = "light", size: dict[str, int] | None = None, signed_in: bool = True, email: str = EMAIL
    ) -> Page:
        context = chromium.new_context(
            base_url=site.url, color_scheme=theme, viewport=size or LAPTOP, reduced_motion="reduce"
        )
        watch = Watch(site.url)
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.on("console", watch.on_console)
        page.on("pageerror", lambda error: watch.problems.append(f"error: {error}"))
        page.on("request", watch.on_request)
        page.watch = watch
        opened.append((context, watch))
        if signed_in:
            sign_in(page, email)
        return page

    yield open_
    for context, watch in opened:
        context.close()
        assert watch.problems == []


@pytest.fixture
def page(open_page: OpenPage) -> Page:
    """A page of the administrator, signed in."""
    return open_page()


@pytest.fixture
def keyboard(page: Page) -> Keyboard:
    """The keys of the page."""
    return Keyboard(page)
