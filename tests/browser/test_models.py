import io
import zipfile

from playwright.sync_api import expect

from support.browser import assert_accessible, open_project
from support.people import unique

GOOD = """
class Model:
    def __init__(self, base_directory, context):
        pass

    def request(self, data):
        return {"twice": data["number"] * 2}
"""
BAD = "raise RuntimeError('the weights are missing')\n"


def _package(source: str) -> dict[str, object]:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("model_package/model.py", source)
    return {"name": "package.zip", "mimeType": "application/zip", "buffer": content.getvalue()}


def test_model_owner_uploads_a_failing_package_mends_it_and_asks_it(page) -> None:
    model = unique("m")
    open_project(page, unique("p"))
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Models").click()
    page.get_by_role("button", name="New model").click()
    page.get_by_label("Name", exact=True).fill(model)
    for label, field in (("Input fields", "number"), ("Output fields", "twice")):
        group = page.get_by_role("group", name=label)
        group.get_by_role("button", name="Add a field").click()
        group.get_by_label("name of field 1").fill(field)
        group.get_by_label("type of field 1").select_option("double")
    assert_accessible(page)
    page.get_by_role("button", name="Create").click()
    page.get_by_role("link", name=model).click()
    page.get_by_role("button", name="New version").click()
    page.get_by_label("Version", exact=True).fill("v1")
    page.get_by_role("button", name="Create").click()
    page.get_by_role("heading", name=f"{model} v1").wait_for()
    assert_accessible(page)

    page.get_by_label("Package file").set_input_files(_package(BAD))
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_role("alert")).to_contain_text("the weights are missing", timeout=60_000)
    page.get_by_label("Package file").set_input_files(_package(GOOD))
    page.get_by_role("button", name="Upload").click()
    expect(page.locator(".page header")).to_contain_text("available", timeout=60_000)

    page.get_by_role("tab", name="Test").click()
    page.get_by_label("number").fill("21")
    page.keyboard.press("Enter")
    expect(page.get_by_text('"twice": 42')).to_be_visible(timeout=30_000)
    assert_accessible(page)


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
