import io
import zipfile

import pytest
from playwright.sync_api import Page, expect

from support.browser import LOGS, assert_accessible, client_of, held, make_person, open_project
from support.people import unique
from support.server import Server
from support.server import wait_for as until

GOOD = """
class Model:
    def __init__(self, base_directory, context):
        pass

    def request(self, data):
        return {"twice": data["number"] * 2}
"""
TELLER = """
import os

class Model:
    def request(self, data):
        return os.environ["NET"] + " at " + os.environ["DEPTH"]
"""
BAD = "raise RuntimeError('the weights are missing')\n"


def _package(source: str) -> dict[str, object]:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("model_package/model.py", source)
    return {"name": "package.zip", "mimeType": "application/zip", "buffer": content.getvalue()}


def _make_model(page: Page, name: str) -> None:
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Models").click()
    page.get_by_role("button", name="New model").click()
    page.get_by_label("Name", exact=True).fill(name)
    for label, field in (("Input fields", "number"), ("Output fields", "twice")):
        group = page.get_by_role("group", name=label)
        group.get_by_role("button", name="Add a field").click()
        group.get_by_label("name of field 1").fill(field)
        group.get_by_label("type of field 1").select_option("double")
    assert_accessible(page)
    page.get_by_role("button", name="Create").click()
    page.get_by_role("link", name=name).click()


def test_model_owner_uploads_a_failing_package_mends_it_and_asks_it(open_page, site: Server) -> None:
    page = open_page(email=make_person(site.url))
    model = unique("m")
    open_project(page, unique("p"))
    _make_model(page, model)
    page.get_by_role("button", name="New version").click()
    page.get_by_label("Version", exact=True).fill("v1")
    page.get_by_role("button", name="Create").click()
    page.get_by_role("heading", name=f"{model} v1").wait_for()
    assert_accessible(page)

    page.get_by_label("Package file").set_input_files(_package(BAD))
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_role("alert")).to_contain_text("the weights are missing", timeout=60_000)
    page.get_by_role("button", name="See its log").click()
    log = page.get_by_role("region", name="Build 1").get_by_role("log")
    expect(log).to_contain_text("The build failed")
    assert_accessible(page)
    page.get_by_role("tab", name="Overview").click()
    page.get_by_label("Package file").set_input_files(_package(GOOD))
    page.get_by_role("button", name="Upload").click()
    expect(page.locator(".page header").first).to_contain_text("available", timeout=60_000)

    page.get_by_role("tab", name="Test").click()
    page.get_by_label("number").fill("21")
    page.keyboard.press("Enter")
    expect(page.get_by_text('"twice": 42')).to_be_visible(timeout=30_000)
    assert_accessible(page)

    page.get_by_role("tab", name="Builds").click()
    expect(page.get_by_role("row")).to_have_count(3)
    expect(page.get_by_role("region", name="Build 2").get_by_role("log")).to_contain_text("The version is available.")
    with held(page, LOGS):
        page.get_by_role("button", name="Build 1").click()
        page.get_by_role("tab", name="Overview").click()
        expect(page.get_by_role("heading", name="From a script")).to_be_visible()
    page.get_by_role("tab", name="Environment").click()
    expect(page.get_by_text("The package has none")).to_be_visible()
    expect(page.get_by_role("main")).to_contain_text("python3.")


@pytest.mark.slow
def test_variables_and_scaling_of_a_version_are_set_by_keyboard_and_reach_the_model(open_page, site: Server) -> None:
    page = open_page()
    open_project(page, unique("p"))
    project = page.get_by_role("heading", level=1).inner_text()
    with client_of(site.url) as client:
        base = f"/v2.1/projects/{project}"
        model = {"name": "teller", "input_type": "plain", "output_type": "plain"}
        assert client.post(f"{base}/models", json=model).status_code == 201
        assert client.post(f"{base}/models/teller/versions", json={"version": "v1"}).status_code == 201
        above = {"name": "DEPTH", "value": "200", "secret": False}
        assert client.post(f"{base}/environment-variables", json=above).status_code == 201
        package = {"file": ("p.zip", _package(TELLER)["buffer"])}
        assert client.put(f"{base}/models/teller/versions/v1/upload", files=package).status_code == 200
        until(lambda: client.get(f"{base}/models/teller/versions/v1").json()["status"] == "available", 60)
        page.goto(f"{page.url}/models/teller/v1?tab=variables")
        expect(page.get_by_role("row").filter(has_text="DEPTH")).to_contain_text("set for the project")
        assert_accessible(page)
        page.get_by_role("button", name="New variable").press("Enter")
        page.get_by_label("Name", exact=True).press_sequentially("NET")
        page.keyboard.press("Tab")
        page.keyboard.type("bongo")
        page.keyboard.press("Enter")
        expect(page.get_by_role("row").filter(has_text="NET")).to_contain_text("bongo")
        page.get_by_role("tab", name="Variables").press("ArrowRight")
        expect(page.get_by_role("tab", name="Scaling")).to_be_focused()
        page.get_by_label("Minimum instances").fill("1")
        page.keyboard.press("Enter")
        expect(page.get_by_text("Saved.")).to_be_visible()
        assert_accessible(page)
        assert client.get(f"{base}/models/teller/versions/v1").json()["minimum_instances"] == 1
        page.goto(page.url.replace("tab=scaling", "tab=test"))
        page.get_by_label("Data").fill("x")
        page.get_by_role("button", name="Send").press("Enter")
        expect(page.get_by_text("bongo at 200")).to_be_visible(timeout=30_000)


def test_model_name_that_cannot_be_is_said_at_the_form(page) -> None:
    page.watch.allow(400)
    open_project(page, unique("p"))
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Models").click()
    page.get_by_role("button", name="New model").click()
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_text("This is needed.")).to_be_visible()
    page.get_by_label("Name", exact=True).fill("No Spaces!")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_be_visible()
