"""What a taxonomist does besides sorting, with nothing but the keyboard."""

import re

import pytest
from playwright.sync_api import Page, expect

from support.browser import client_of, open_project
from support.filled_project import Filled, digits_archive, import_objects
from support.keyboard import Keyboard
from support.people import unique
from support.server import Server
from support.server import wait_for as until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
N = 6


def _number(page: Page) -> int:
    return int(page.url.split("/p/")[1].split("/")[0])


def test_archive_is_imported_and_its_question_answered(page: Page, keyboard: Keyboard, site: Server) -> None:
    open_project(page, unique("import"))
    keyboard.use(page.get_by_role("navigation", name="Main").get_by_role("link", name="Sort"))
    page.get_by_text("no objects yet").wait_for()
    keyboard.use(page.get_by_role("link", name="Import objects"))
    archive = digits_archive(N, ["Copepoda", "no such animal"])
    file = {"name": "digits.zip", "mimeType": "application/zip", "buffer": archive}
    keyboard.file(page.get_by_label("File", exact=True), file)
    keyboard.button("Upload and import")
    search = page.get_by_label("Search a taxon for no such animal")
    search.wait_for(timeout=60_000)
    keyboard.write(search, "detritus")
    keyboard.press("Tab")
    choices = page.get_by_label("Taxon for no such animal", exact=True)
    expect(choices.locator("option", has_text="detritus")).not_to_have_count(0)
    keyboard.pick(choices, "detritus")
    keyboard.button("Go on with the import")
    sort = page.get_by_role("link", name="Sort them")
    sort.wait_for(timeout=60_000)
    keyboard.use(sort)
    expect(page.get_by_role("listbox", name="Objects").get_by_role("option")).to_have_count(N)
    with client_of(site.url) as client:
        query = f"/api/object_set/{_number(page)}/query?fields=txo.display_name"
        names = [name for [name] in client.post(query, json={}).json()["details"]]
    assert sorted({name.partition("<")[0] for name in names}) == ["Copepoda", "detritus"]


def test_object_is_decided_on_renamed_and_commented(
    page: Page, keyboard: Keyboard, worked_on: Filled, site: Server
) -> None:
    page.goto(f"/ui/{worked_on.addresses['object']}")
    page.get_by_role("heading", name="Above it").wait_for()
    number = worked_on.addresses["object"].rpartition("/")[2]
    with client_of(site.url) as client:

        def fact(name: str) -> object:
            return client.get(f"/api/object/{number}").json()[name]

        before = fact("classif_id")
        # One on the heels of the other: both count, in this order.
        keyboard.press("d")
        keyboard.press("v")
        history = page.get_by_role("listitem").filter(has_text=re.compile(r"^\? dubious "))
        expect(history).to_have_count(1)
        until(lambda: fact("classif_qual") == "V")
        keyboard.press("t")
        expect(page.get_by_role("combobox", name="Assign a taxon")).to_be_focused()
        keyboard.type("chaeto")
        expect(page.get_by_role("listbox", name="Taxa").get_by_role("option").first).to_contain_text("Chaetognatha")
        keyboard.press("Enter")
        until(lambda: fact("classif_id") != before)
        keyboard.label("Comment", "seen twice")
        keyboard.button("Save the comment")
        until(lambda: fact("complement_info") == "seen twice")


def test_values_of_what_a_filter_chooses_are_edited(page: Page, keyboard: Keyboard, site: Server) -> None:
    open_project(page, unique("bulk"))
    project = _number(page)
    with client_of(site.url) as client:
        import_objects(client, project, digits_archive(N, ["Copepoda", "detritus"]))
        page.reload()
        keyboard.use(page.get_by_role("link", name="Bulk tools"))
        keyboard.button("Edit values")
        keyboard.label("Depth, m from", "3")
        keyboard.press("Enter")
        field = page.get_by_label("Field 1", exact=True)
        expect(field.locator("option", has_text="depth to, m")).to_have_count(1)
        keyboard.pick(field, "depth to, m")
        keyboard.label("Value 1", "99")
        keyboard.button("Dry run")
        page.get_by_role("heading", name="3 objects would change").wait_for()
        keyboard.label(re.compile("^Type 3 to do it"), "3")
        keyboard.press("Enter")
        expect(page.get_by_text("Values set: 3 objects.")).to_be_visible()
        query = f"/api/object_set/{project}/query?fields=obj.depth_min,obj.depth_max&order_field=obj.depth_min"
        depths = client.post(query, json={}).json()["details"]
    assert depths == [[0, 5], [1, 6], [2, 7], [3, 99], [4, 99], [5, 99]]


def test_taxon_is_found_and_one_added_below_it(page: Page, keyboard: Keyboard, site: Server) -> None:
    name = unique("Copepod form ")
    keyboard.jump("taxonomy", "Taxonomy")
    keyboard.label("Search a taxon", "copepoda")
    keyboard.button("Copepoda", within=page.get_by_role("region", name="Found"))
    page.get_by_role("heading", name="Copepoda").wait_for()
    keyboard.button("Add a taxon below")
    keyboard.label("Name", name)
    keyboard.pick(page.get_by_label("Kind"), "morphological")
    keyboard.button("Add the taxon")
    page.get_by_role("heading", name=name).wait_for()
    with client_of(site.url) as client:
        [found] = client.get("/api/taxon_set/search", params={"query": name}).json()
        assert client.get(f"/api/taxon/{found['id']}").json()["lineage"][1] == "Copepoda"
