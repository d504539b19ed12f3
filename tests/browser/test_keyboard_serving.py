"""What a model owner does, with nothing but the keyboard."""

import csv
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from support.browser import client_of, open_project
from support.filled_project import Filled, package
from support.keyboard import Keyboard
from support.people import unique
from support.server import Server
from support.server import wait_for as until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
PLACE = '{"username": "a", "password": "b", "host": "localhost", "port": "1"}'


def _field(page: Page, keyboard: Keyboard, group: str, name: str) -> None:
    fields = page.get_by_role("group", name=group)
    keyboard.button("Add a field", within=fields)
    keyboard.write(fields.get_by_label("name of field 1"), name)
    keyboard.pick(fields.get_by_label("type of field 1"), "double")


def test_model_is_made_served_asked_described_and_removed(page: Page, keyboard: Keyboard, site: Server) -> None:
    project = unique("served")
    open_project(page, project)
    keyboard.use(page.get_by_role("navigation", name="Main").get_by_role("link", name="Models"))
    keyboard.button("New model")
    keyboard.label("Name", "doubler")
    _field(page, keyboard, "Input fields", "number")
    _field(page, keyboard, "Output fields", "twice")
    keyboard.button("Create")
    keyboard.use(page.get_by_role("link", name="doubler"))
    keyboard.button("New version")
    keyboard.label("Version", "v1")
    keyboard.button("Create")
    page.get_by_role("heading", name="doubler v1").wait_for()
    file = {"name": "package.zip", "mimeType": "application/zip", "buffer": package()}
    keyboard.file(page.get_by_label("Package file"), file)
    keyboard.button(re.compile("^Upload"))
    expect(page.locator(".page header").first).to_contain_text("available", timeout=90_000)
    keyboard.tab("Test")
    keyboard.label("number", "21")
    keyboard.press("Enter")
    expect(page.get_by_text('"twice": 42')).to_be_visible(timeout=30_000)
    keyboard.tab("Builds", 2)
    log = page.get_by_role("region", name="Build 1").get_by_role("log")
    expect(log).to_contain_text("The version is available.")
    at = f"/v2.1/projects/{project}/models/doubler/versions/v1"
    with client_of(site.url) as client:
        keyboard.tab("Settings", 4)
        for words in ("Doubles a number.", ""):
            keyboard.label(re.compile("^Description"), words)
            keyboard.button("Save")
            until(lambda words=words: client.get(at).json()["description"] == words)
        keyboard.button("Delete the version")
        keyboard.confirm("v1")
        page.get_by_role("heading", name="doubler", level=1, exact=True).wait_for()
        assert client.get(at).status_code == 404


def test_pipeline_is_wired_run_taken_apart_and_deleted(
    page: Page, keyboard: Keyboard, worked_on: Filled, site: Server
) -> None:
    name = unique("line")
    at = f"/v2.1/projects/{worked_on.name}/pipelines/{name}"
    page.goto(f"/ui/{worked_on.addresses['pipelines']}")
    keyboard.button("New pipeline")
    keyboard.label("Name", name)
    _field(page, keyboard, "Input fields", "number")
    keyboard.button("Create")
    keyboard.use(page.get_by_role("link", name=name))
    keyboard.button("Add an object")
    dialog = page.get_by_role("dialog")
    model = dialog.get_by_role("combobox", name="Model")
    expect(model.locator("option")).to_have_count(1)
    keyboard.to(model)
    keyboard.press("ArrowDown")
    expect(dialog.get_by_role("combobox", name="Version")).to_have_value("v1")
    keyboard.button("Add", within=dialog)
    with client_of(site.url) as client:
        until(lambda: len(client.get(f"{at}/objects").json()) == 1)
        keyboard.tab("Table", 3)
        keyboard.to(page.get_by_label("Connect doubler to a source"))
        keyboard.type("p")
        keyboard.button("Connect", within=dialog)
        until(lambda: [one["source_name"] for one in client.get(f"{at}/attachments").json()] == ["pipeline_start"])
        keyboard.tab("Run", 2)
        keyboard.label("number", "21")
        keyboard.press("Enter")
        ran = page.get_by_role("main").locator("summary").filter(has_text="doubler")
        ran.wait_for(timeout=60_000)
        keyboard.use(ran)
        expect(page.get_by_text('"twice": 42')).to_be_visible()
        keyboard.tab("Table", 2)
        keyboard.button("Remove doubler")
        until(lambda: client.get(f"{at}/objects").json() == [])
        page.goto(f"/ui/{worked_on.addresses['pipelines']}")
        keyboard.button(f"Delete {name}")
        keyboard.confirm(name)
        until(lambda: client.get(at).status_code == 404)


def _credentials(page: Page, keyboard: Keyboard) -> None:
    keyboard.pick(page.get_by_label("Type", exact=True), "postgresql")
    keyboard.label("Configuration", PLACE)


def _connector(page: Page, keyboard: Keyboard) -> None:
    keyboard.pick(page.get_by_label("Type", exact=True), "postgresql")
    keyboard.pick(page.get_by_label("Credentials", exact=True), "table")
    keyboard.label("Configuration", '{"database": "d", "table": "t"}')
    _field(page, keyboard, "Input fields", "number")


def _schedule(page: Page, keyboard: Keyboard) -> None:
    keyboard.pick(page.get_by_label("Object type", exact=True), "pipeline")
    keyboard.pick(page.get_by_label("Object name", exact=True), "twice")
    keyboard.label("Schedule", "0 4 1 1 *")
    keyboard.label(re.compile("^Request data"), '{"number": 1}')


FORMS = {
    "credentials": ("credentials", _credentials),
    "connectors": ("connector", _connector),
    "schedules": ("schedule", _schedule),
}


@pytest.mark.parametrize("part", FORMS)
def test_thing_is_made_from_its_form_and_deleted(
    page: Page, keyboard: Keyboard, worked_on: Filled, site: Server, part: str
) -> None:
    name, (singular, fill_in) = unique("keyed"), FORMS[part]
    page.goto(f"/ui/{worked_on.addresses[part]}")
    keyboard.button(f"New {singular}")
    keyboard.label("Name", name)
    fill_in(page, keyboard)
    keyboard.button("Create")
    row = page.get_by_role("row").filter(has_text=name)
    expect(row).to_have_count(1)
    at = f"/v2.1/projects/{worked_on.name}/{part}/{name}"
    with client_of(site.url) as client:
        made = client.get(at)
        assert made.status_code == 200
        assert made.json().get("enabled", True), "a schedule that nobody has switched off is on"
        keyboard.button(f"Delete {name}")
        keyboard.confirm(name)
        until(lambda: client.get(at).status_code == 404)
    expect(row).to_have_count(0)


def test_failures_are_monitored_kept_as_csv_and_traced_to_their_requests(
    page: Page, keyboard: Keyboard, worked_on: Filled, site: Server
) -> None:
    at = f"/v2.1/projects/{worked_on.name}/models/doubler/versions/v1"
    with client_of(site.url) as client:
        failed = client.post(f"{at}/request-batch", json=[{"number": 1e308}] * 2)
        assert failed.status_code == 200, failed.text
        ids = [one["id"] for one in failed.json()]
        until(lambda: {client.get(f"{at}/request-batch/{id_}").json()["status"] for id_ in ids} == {"failed"})

        def counts() -> dict[str, int]:
            hour = {"interval": "minute", "start_time": _hour_ago(), "end_time": _now()}
            [row] = client.get(f"/ui/api/projects/{worked_on.project}/requests", params=hour).json()
            return {"requests": row["requests"], "failed": row["failed"]}

        until(lambda: counts()["failed"] >= 2)
        page.goto(f"/ui/{worked_on.addresses['monitoring']}")
        keyboard.pick(page.get_by_label("Range", exact=True), "Last hour")
        keyboard.pick(page.get_by_label("Metric", exact=True), "Failed, %")
        row = page.get_by_role("table", name="What is measured").get_by_role("row").filter(has_text="doubler v1")
        known = counts()
        share = f"{known['failed']} ({100 * known['failed'] / known['requests']:.1f} %)"
        expect(row.get_by_role("cell").nth(5)).to_have_text(str(known["requests"]))
        expect(row.get_by_role("cell").nth(6)).to_have_text(share)
        expect(page.get_by_role("img", name="failed over time")).to_be_visible()
        with page.expect_download() as download:
            keyboard.button("CSV")
        with Path(download.value.path()).open() as file:
            shares = [line["doubler v1"] for line in csv.DictReader(file)]
        assert "" in shares, "no request, no share"
        assert max(float(one) for one in shares if one) > 0
        keyboard.use(page.get_by_role("link", name="Batch requests of doubler v1 since then"))
        expect(page.get_by_role("main").get_by_role("row").filter(has_text="failed")).to_have_count(2)
        for id_ in ids:
            assert client.delete(f"{at}/request-batch/{id_}").status_code == 204


def test_requests_are_narrowed_by_time(page: Page, keyboard: Keyboard, worked_on: Filled) -> None:
    page.goto(f"/ui/{worked_on.addresses['version requests']}")
    rows = page.get_by_role("main").get_by_role("row")
    expect(rows).to_have_count(3)
    until_field = page.get_by_label("Until", exact=True)
    keyboard.to(until_field)
    keyboard.type("01012020")
    keyboard.press("ArrowRight")
    keyboard.type("1200AM")
    expect(page.get_by_text("There are no batch requests of this time.")).to_be_visible()
    expect(page).to_have_url(re.compile("until=20(19|20)"))
    keyboard.button("Show all")
    expect(rows).to_have_count(3)
    expect(until_field).to_have_value("")


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _hour_ago() -> str:
    return (datetime.now(UTC) - timedelta(hours=1)).isoformat()
