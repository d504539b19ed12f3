"""What every page owes: nothing that axe finds in either theme, nothing in the console, no other origin asked; it says
so when the server is away or something is missing or forbidden, and goes on when it is back."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg
import pytest
from playwright.sync_api import Page, TimeoutError, expect

from quadrat.db.embedded import EmbeddedPostgres
from quadrat.db.engine import psycopg_dsn
from support.browser import assert_accessible, invite_viewer, open_project
from support.filled_project import Filled, fill
from support.people import unique
from support.server import Server
from support.server import wait_for as until

pytestmark = pytest.mark.timeout(300)
# What a page shows only once its data has come.
SHOWS = {
    "home": "All jobs",
    "projects": "filled-",
    "project": "From a script",
    "sort": "of 120",
    "object": "Above it",
    "import": "The archive",
    "bulk": "Dry run",
    "export": "Export 120 objects",
    "predict": "3 of 3",
    "predict with a model": "Model or pipeline",
    "areas": "1 recording",
    "area editor": "100 %",
    "area metrics": "2025-10-17",
    "models": "doubler",
    "model": "number: double",
    "version": "From a script",
    "version test": "The model's answer appears here.",
    "version requests": "completed",
    "version builds": "Build 1",
    "version environment": "The package has none",
    "version variables": "set for the project",
    "version scaling": "Minimum instances",
    "version settings": "Delete the version",
    "pipelines": "twice",
    "pipeline": "pipeline_start",
    "pipeline run": "number",
    "pipeline requests": "no batch requests",
    "pipeline table": "model doubler v1",
    "connectors": "postgresql",
    "credentials": "postgresql",
    "schedules": "yearly",
    "variables": "LIMIT",
    "service-users": "service user",
    "logs": "The version is available.",
    "monitoring": "doubler v1",
    "members": "Members of",
    "roles": "project-admin",
    "audit trail": "project.created",
    "jobs": "Asked for",
    "job": "Log",
    "datasets": "digits-",
    "samples": "10 samples",
    "taxonomy": "living",
    "administration": "PostgreSQL",
    "profile": "Change the password",
}
QUICK = {"sort", "area editor", "pipeline", "version", "samples"}
# These show what they have without asking anybody.
SELF_CONTAINED = {"import", "home", "predict with a model", "pipeline run"}
EVERY = [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in SHOWS]
# All that pages read, as far as the server can live a moment without it: not what says who is signed in.
SCHEMAS = ("serving", "objects", "samples", "gaze")
TABLES = ("identity.project", "identity.role", "identity.audit", "jobs.job")
# Who is signed in is all that these show at once.
OF_THE_SESSION = {"profile"}
# In the order of the page; not what a list or a set of tabs leads to with its arrows.
REACHABLE = """() => [...document.querySelectorAll(
  'a[href], button, input, select, textarea, summary, [tabindex]'
)].filter(
  (one) => one.tabIndex >= 0 && !one.disabled && !one.closest('[inert], fieldset:disabled')
    && one.checkVisibility({ checkVisibilityCSS: true, checkOpacity: false })
    && !(one.type === 'radio' && !one.checked)
)"""
TRAIL = f"""() => {{
  const wanted = ({REACHABLE})();
  wanted.forEach((one, place) => (one.dataset.reach = place));
  return wanted.length;
}}"""
FOCUSED = """() => {
  const one = document.activeElement;
  const style = getComputedStyle(one);
  const seen = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0;
  return [one.dataset.reach ?? null, seen, one.outerHTML.slice(0, 120)];
}"""
MOST_TABS = 150
MISSING = {
    "object": "/object/999999999",
    "area editor": "/areas/00000000-0000-4000-8000-000000000000",
    "area metrics": "/areas/00000000-0000-4000-8000-000000000000/metrics",
    "model": "/models/nothing",
    "version": "/models/doubler/nothing",
    "pipeline": "/pipelines/nothing",
    "import": "/import?job=999999999",
}
FOR_MEMBERS = ["sort", "object", "import", "bulk", "export", "predict", "areas", "area editor", "models", "version"]
FOR_MEMBERS += ["version builds", "version environment", "version variables", "version scaling", "version settings"]
FOR_MEMBERS += ["version test", "pipelines", "pipeline", "pipeline run", "connectors", "credentials", "schedules"]
FOR_MEMBERS += ["variables", "service-users", "logs", "monitoring", "members", "project"]

CHANGES = ("New ", "Upload and import", "Predict", "Add an object", "Run", "Send", "Delete", "Invite someone")


@pytest.fixture(scope="module")
def filled(site: Server) -> Filled:
    """One project for all of these tests; none changes it."""
    return fill(site.url)


def _open(page: Page, filled: Filled, name: str) -> None:
    page.goto("about:blank")
    page.goto(f"/ui/{filled.addresses[name]}")
    _there(page, name)


def _there(page: Page, name: str) -> None:
    expect(page.get_by_role("main")).to_contain_text(SHOWS[name])
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    expect(page.get_by_role("main").get_by_role("alert")).to_have_count(0)


def _try_again(page: Page) -> None:
    """Press all there is to press until nothing is left of what went wrong; what is on its way may go by itself."""
    tries = page.get_by_role("main").get_by_role("button", name="Try again")

    def gone() -> bool:
        for button in tries.all():
            with suppress(TimeoutError):
                button.click(timeout=2000)
        return tries.count() == 0

    until(gone)


def test_every_page_has_a_test(filled: Filled) -> None:
    assert set(filled.addresses) == set(SHOWS)


@pytest.mark.parametrize("name", EVERY)
def test_page_is_accessible_in_both_themes_and_fits(open_page, filled: Filled, name: str) -> None:
    page = open_page()
    _open(page, filled, name)
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        assert_accessible(page)
        too_wide = page.evaluate(
            "[document.documentElement, document.querySelector('main')].map((one) => one.scrollWidth - one.clientWidth)"
        )
        assert max(too_wide) <= 0, "something reaches beyond the window"


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in SHOWS if name not in SELF_CONTAINED])
def test_page_says_that_the_server_is_away_and_goes_on_when_it_is_back(open_page, filled: Filled, name: str) -> None:
    page = open_page()
    page.goto(f"/ui/#/p/{filled.project}/import")
    page.get_by_role("heading", name="Import objects").wait_for()
    page.watch.offline = True
    page.context.set_offline(True)
    page.evaluate("address => (location.hash = address)", filled.addresses[name])
    alert = page.get_by_role("main").get_by_role("alert").first
    expect(alert).to_contain_text(re.compile("cannot be reached|could not be loaded"))
    page.context.set_offline(False)
    _try_again(page)
    _there(page, name)


@contextmanager
def _fault(site: Server) -> Iterator[None]:
    """The server finds nothing of what pages read, as after a migration that went wrong."""
    dsn = psycopg_dsn(EmbeddedPostgres(site.data_dir.resolve()).url)
    with psycopg.connect(dsn, autocommit=True) as conn:
        for name in SCHEMAS:
            conn.execute(f"ALTER SCHEMA {name} RENAME TO away_{name}")
        for name in TABLES:
            conn.execute(f"ALTER TABLE {name} RENAME TO away_{name.partition('.')[2]}")
        try:
            yield
        finally:
            for name in SCHEMAS:
                conn.execute(f"ALTER SCHEMA away_{name} RENAME TO {name}")
            for name in TABLES:
                schema, _, table = name.partition(".")
                conn.execute(f"ALTER TABLE {schema}.away_{table} RENAME TO {table}")


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in SHOWS if name not in SELF_CONTAINED | OF_THE_SESSION])
def test_page_shows_a_fault_of_the_server_with_its_request_and_goes_on(
    open_page, filled: Filled, site: Server, name: str
) -> None:
    page = open_page()
    page.watch.allow(500)
    page.goto(f"/ui/#/p/{filled.project}/import")
    page.get_by_role("heading", name="Import objects").wait_for()
    with _fault(site):
        page.evaluate("address => (location.hash = address)", filled.addresses[name])
        alert = page.get_by_role("main").get_by_role("alert").filter(has_text="Request").first
        expect(alert).to_be_visible()
        assert_accessible(page)
        request = alert.locator("code").inner_text()
    assert request in site.log
    _try_again(page)
    _there(page, name)


@pytest.mark.slow
@pytest.mark.parametrize("name", SHOWS)
def test_everything_on_a_page_is_reached_by_the_tab_key_and_seen_to_be(open_page, filled: Filled, name: str) -> None:
    page = open_page()
    _open(page, filled, name)
    expect(page.locator("[aria-busy=true], [aria-label=Loading]")).to_have_count(0)
    there = page.evaluate(TRAIL)
    page.evaluate("document.activeElement?.blur()")
    reached: set[str] = set()
    # A date has a stop for the day, the month, the year and its calendar.
    for _ in range(min(2 * there + 10, MOST_TABS)):
        page.keyboard.press("Tab")
        place, seen, html = page.evaluate(FOCUSED)
        if place is not None:
            reached.add(place)
            assert seen, f"nobody sees that this has the focus: {html}"
    assert len(reached) >= min(there, MOST_TABS - 10)


@pytest.mark.slow
@pytest.mark.parametrize("name", MISSING)
def test_page_of_what_does_not_exist_says_so(open_page, filled: Filled, name: str) -> None:
    page = open_page()
    page.watch.allow(404)
    page.goto(f"/ui/#/p/{filled.project}{MISSING[name]}")
    expect(page.get_by_role("main").get_by_role("alert").first).to_be_visible()
    assert_accessible(page)


@pytest.mark.slow
def test_pages_tell_a_reader_what_is_not_allowed(open_page, filled: Filled, site: Server) -> None:
    page = open_page(email=invite_viewer(site.url, filled.name))
    page.watch.allow(403)
    for name in FOR_MEMBERS:
        page.goto("about:blank")
        page.goto(f"/ui/{filled.addresses[name]}")
        page.get_by_role("heading", level=1).wait_for(state="attached")
        assert_accessible(page)
        for word in CHANGES:
            pattern = page.get_by_role("main").get_by_role("button", name=word, exact=not word.endswith(" "))
            for button in pattern.all():
                expect(button, f"{name}: {word}").to_be_disabled()


@pytest.mark.slow
def test_pages_of_an_empty_project_say_what_to_do_first(open_page) -> None:
    page = open_page()
    open_project(page, unique("empty"))
    address = page.url
    for part, words in {
        "sort": "no objects yet",
        "areas": "no reference image yet",
        "models": "A model is a name",
        "pipelines": "pipeline",
        "connectors": "A connector writes",
        "credentials": "sealed",
        "schedules": "A schedule asks",
        "monitoring": "nothing to measure yet",
        "logs": "No line of the last day",
        "predict": "Nothing is validated there yet",
    }.items():
        page.goto("about:blank")
        page.goto(f"{address}/{part}")
        expect(page.get_by_role("main")).to_contain_text(words)
        assert_accessible(page)
