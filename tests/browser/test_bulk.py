"""Many objects at once, looked at before anything is done; and the taxa that they belong to."""

import re
import zipfile

import httpx2
import pytest
from playwright.sync_api import Page, expect

from support.archives import archive, picture, table
from support.browser import assert_accessible, open_project
from support.filled_project import package
from support.keyboard import Keyboard
from support.people import unique
from support.server import ADMIN_TOKEN, Server
from support.server import wait_for as until

N = 40
pytestmark = pytest.mark.timeout(180)


def _objects(page: Page, site: Server, folder) -> int:
    """A project of objects, half of them validated; the page is signed in, the objects come through the API."""
    open_project(page, unique("bulk"))
    project = int(page.url.split("/p/")[1])
    rows = [
        {
            "object_id": f"o{number}",
            "img_file_name": f"o{number}.png",
            "object_lat": "43.5",
            "object_lon": "7.2",
            "object_date": "20240501",
            "object_time": "1200",
            "object_depth_min": "1",
            "object_depth_max": "5",
            "object_area": str(100 * (number % 2) + number),
            "object_annotation_status": "predicted",
            "object_annotation_category": ("Copepoda", "Chaetognatha")[number % 2],
            "sample_id": "haul",
            "acq_id": "a",
            "process_id": "p",
        }
        for number in range(N)
    ]
    images = {f"o{number}.png": picture(20, shade=40 + number) for number in range(N)}
    file = archive(folder / "bulk.zip", {"ecotaxa_bulk.tsv": table(rows), **images})
    with _client(site) as client:
        name = file.name
        sent = client.post("/api/my_files/", files={"file": (name, file.read_bytes())}, data={"path": name})
        assert sent.status_code == 200, sent.text
        asked = client.post(f"/api/file_import/{project}", json={"source_path": sent.json()})
        job = asked.json()["job_id"]
        until(lambda: client.get(f"/api/jobs/{job}/").json()["state"] in {"F", "E"})
        ids = client.post(f"/api/object_set/{project}/query", json={}).json()["object_ids"]
        assert len(ids) == N
        decided = {"target_ids": ids[: N // 2], "classifications": [-1] * (N // 2), "wanted_qualification": "V"}
        assert client.post("/api/object_set/classify", json=decided).json() == N // 2
    return project


def _client(site: Server) -> httpx2.Client:
    return httpx2.Client(base_url=site.url, headers={"Authorization": f"Bearer {ADMIN_TOKEN}"}, timeout=30)


def _states(site: Server, project: int) -> tuple[int, int]:
    with _client(site) as client:
        found = client.post(f"/api/object_set/{project}/summary?only_total=false", json={}).json()
    return found["validated_objects"], found["predicted_objects"]


def _do(page: Page, number: int) -> None:
    page.get_by_label(f"Type {number} to do it").focus()
    page.keyboard.type(str(number))
    page.keyboard.press("Enter")


def test_bulk_tools_tell_what_they_would_do_and_then_do_it(page: Page, site: Server, tmp_path) -> None:
    project = _objects(page, site, tmp_path)
    page.goto(f"/ui/#/p/{project}/bulk?tool=reset")
    page.get_by_role("button", name="Dry run").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=f"{N // 2} objects would change")).to_be_visible()
    assert _states(site, project) == (N // 2, N // 2), "a dry run changes nothing"
    assert_accessible(page)
    _do(page, N // 2)
    expect(page.get_by_text(f"Reset to predicted: {N // 2} objects.")).to_be_visible()
    assert _states(site, project) == (0, N)

    page.get_by_role("button", name="Edit values").click()
    page.get_by_label("Field 1", exact=True).select_option("depth_max")
    page.get_by_label("Value 1", exact=True).fill("99")
    page.get_by_role("button", name="Dry run").click()
    _do(page, N)
    expect(page.get_by_text(f"Values set: {N} objects.")).to_be_visible()
    with _client(site) as client:
        query = f"/api/object_set/{project}/query?fields=obj.depth_max"
        assert {row[0] for row in client.post(query, json={}).json()["details"]} == {99.0}

    page.get_by_role("button", name="Reclassify").click()
    box = page.get_by_role("combobox", name="New category")
    box.focus()
    page.keyboard.type("chaetog")
    expect(page.get_by_role("listbox", name="Taxa").get_by_role("option").first).to_be_visible()
    page.keyboard.press("Enter")
    expect(box).to_have_value(re.compile("Chaetognatha"))
    page.get_by_role("button", name="Dry run").click()
    expect(page.get_by_role("row").filter(has_text="Copepoda")).to_contain_text(str(N // 2))
    _do(page, N // 2)
    expect(page.get_by_text(f"Reclassified: {N // 2} objects.")).to_be_visible()

    page.get_by_role("button", name="Revert to history").click()
    page.get_by_role("button", name="Dry run").click()
    expect(page.get_by_role("heading", name=re.compile("would change"))).to_be_visible()
    assert_accessible(page)


@pytest.mark.slow
def test_objects_are_exported_and_predicted_with_a_report(page: Page, site: Server, tmp_path) -> None:
    project = _objects(page, site, tmp_path)
    page.goto(f"/ui/#/p/{project}/export?statusfilter=V")
    page.get_by_role("button", name=f"Export {N // 2} objects").focus()
    assert_accessible(page)
    page.keyboard.press("Enter")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click(timeout=60_000)
    assert zipfile.is_zipfile(download.value.path())
    page.get_by_role("radio", name="Summary").check()
    assert_accessible(page)
    page.get_by_role("button", name=f"Export {N // 2} objects").click()
    expect(page.get_by_role("link", name="Download")).to_be_visible(timeout=60_000)

    page.goto(f"/ui/#/p/{project}/predict")
    expect(page.get_by_role("checkbox", name="area")).to_be_checked()
    expect(page.get_by_role("group", name="Categories").get_by_role("checkbox")).to_have_count(2)
    assert_accessible(page)
    page.get_by_role("button", name="Predict", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("table", name="Categories")).to_contain_text("Chaetognatha", timeout=90_000)
    expect(page.get_by_role("region", name="Confusion matrix")).to_be_visible()
    assert_accessible(page)
    page.get_by_role("link", name="Review the predictions").click()
    expect(page.get_by_role("listbox", name="Objects").get_by_role("option")).to_have_count(N // 2)


JUDGE = """
class Model:
    def __init__(self, base_directory, context):
        pass

    def request(self, data):
        return {"label": "detritus", "score": 0.75}
"""


def _deploy(client: httpx2.Client, project: int) -> str:
    """A model that takes all for detritus; its name with that of its project and version."""
    name = client.get(f"/ui/api/projects/{project}").json()["name"]
    at = f"/v2.1/projects/{name}/models"
    fields = {
        "input_fields": [{"name": "image", "data_type": "string"}],
        "output_fields": [{"name": "label", "data_type": "string"}, {"name": "score", "data_type": "double"}],
    }
    model = {"name": "judge", "input_type": "structured", "output_type": "structured", **fields}
    assert client.post(at, json=model).status_code == 201
    assert client.post(f"{at}/judge/versions", json={"version": "v1"}).status_code == 201
    upload = {"file": ("judge.zip", package(JUDGE), "application/zip")}
    assert client.put(f"{at}/judge/versions/v1/upload", files=upload).status_code == 200
    until(lambda: client.get(f"{at}/judge/versions/v1").json()["status"] == "available", 120)
    return f"{name}/judge/v1"


@pytest.mark.slow
def test_deployed_model_is_asked_and_everything_is_backed_up(page: Page, site: Server, tmp_path) -> None:
    page.watch.allow(404)  # a deployed model learns nothing here, and so has no report
    project = _objects(page, site, tmp_path)
    with _client(site) as client:
        model = _deploy(client, project)
        page.goto(f"/ui/#/p/{project}/predict")
        keyboard = Keyboard(page)
        keyboard.to(page.get_by_role("radio", name="Learn from what is validated"))
        keyboard.press("ArrowDown")
        served = page.get_by_role("combobox", name="Model or pipeline")
        expect(served.locator("option", has_text=model)).to_have_count(1)
        keyboard.pick(served, model)
        assert_accessible(page)
        keyboard.button("Predict")
        page.get_by_role("link", name="Review the predictions").click(timeout=90_000)
        tiles = page.get_by_role("listbox", name="Objects").get_by_role("option")
        expect(tiles).to_have_count(N // 2)
        expect(tiles.filter(has_text="detritus")).to_have_count(N // 2)
        expect(tiles.filter(has_text="0.75")).to_have_count(N // 2)
        assert _states(site, project) == (N // 2, N // 2), "what people have decided on stays"

    page.goto(f"/ui/#/p/{project}/export")
    page.get_by_role("radio", name="Backup").focus()
    page.keyboard.press("Space")
    assert_accessible(page)
    page.get_by_role("button", name=f"Export {N} objects").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click(timeout=60_000)
    with zipfile.ZipFile(download.value.path()) as backup:
        names = backup.namelist()
    assert sum(name.endswith(".png") for name in names) == N
    assert any(name.endswith(".tsv") for name in names)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_taxonomy_is_browsed_searched_and_added_to(open_page, theme) -> None:
    page = open_page(theme=theme)
    name = unique("Copepod form ")
    page.get_by_role("link", name="Taxonomy").click()
    page.get_by_role("button", name=re.compile("^What is below")).first.click()
    expect(page.get_by_role("button", name=re.compile("^What is below")).nth(1)).to_be_visible()
    assert_accessible(page)
    page.get_by_label("Search a taxon").fill("copepoda")
    page.get_by_role("region", name="Found").get_by_role("button", name="Copepoda", exact=True).click()
    page.get_by_role("heading", name="Copepoda").wait_for()
    page.get_by_role("button", name="Add a taxon below").click()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Kind").select_option("M")
    page.get_by_role("button", name="Add the taxon").click()
    page.get_by_role("heading", name=name).wait_for()
    expect(page.get_by_text("No project that you can see has validated objects of it.")).to_be_visible()
    assert_accessible(page)
