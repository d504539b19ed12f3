"""What is like something: objects by deep features of a deployed model, samples by an embedding, taxa by lineage."""

import io
import re
import zipfile

import httpx2
import pytest
from playwright.sync_api import Page, expect

from support.archives import row, table
from support.browser import assert_accessible, client_of, open_project
from support.filled_project import digit_pictures, import_objects
from support.image_models import digits, package, png
from support.people import unique
from support.server import ADMIN_TOKEN, Server
from support.server import wait_for as until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
N = 60
TAXA = ("Copepoda", "Chaetognatha", "detritus")


def _ok(answer: httpx2.Response) -> object:
    assert answer.is_success, answer.text
    return answer.json() if answer.content else None


def _objects(client: httpx2.Client, project: int) -> list[int]:
    """Digits as three taxa, the last twenty of them predicted."""
    grey, labels = digits(N)
    rows, packed = [], io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for place, label in enumerate(labels):
            status = "validated" if place < N - 20 else "predicted"
            known = {"object_annotation_status": status, "object_annotation_category": TAXA[label % 3]}
            rows.append(row(place, object_area=float(grey[place].sum()), **known))
            archive.writestr(f"o{place}.png", png(grey[place]))
        archive.writestr("ecotaxa_digits.tsv", table(rows))
    return import_objects(client, project, packed.getvalue())


def _deep_features(client: httpx2.Client, project: int) -> None:
    """Of all objects, by a model that returns the grey values of a picture."""
    [card] = [one for one in client.get("/ui/api/projects").json() if one["id"] == project]
    base = f"/v2.1/projects/{card['name']}/models"
    model = {
        "name": "eyes",
        "input_type": "structured",
        "input_fields": [{"name": "image", "data_type": "string"}],
        "output_type": "structured",
        "output_fields": [{"name": "vector", "data_type": "array_double"}],
    }
    _ok(client.post(base, json=model))
    _ok(client.post(f"{base}/eyes/versions", json={"version": "v1"}))
    _ok(client.put(f"{base}/eyes/versions/v1/upload", files={"file": ("p.zip", package(makes_vectors=True))}))
    until(lambda: client.get(f"{base}/eyes/versions/v1").json()["status"] == "available", 60)
    settings = client.get(f"/api/projects/{project}?for_managing=true").json()
    _ok(client.put(f"/api/projects/{project}", json={**settings, "cnn_network_id": "eyes/v1"}))
    query = client.post(f"/api/object_set/{project}/query?fields=obj.classif_id", json={"statusfilter": "V"}).json()
    learn = {
        "project_id": project,
        "source_project_ids": [project],
        "features": ["fre.area"],
        "categories": sorted({row[0] for row in query["details"]}),
        "pre_mapping": {},
        "use_scn": True,
    }
    job = client.post("/api/object_set/predict", json={"filters": {}, "request": learn}).json()
    assert job["errors"] == []
    until(lambda: client.get(f"/api/jobs/{job['job_id']}/").json()["state"] in "FE", 120)
    assert client.get(f"/api/jobs/{job['job_id']}/").json()["state"] == "F"


def test_objects_come_by_likeness_with_a_key_and_a_view_of_them_is_kept(page: Page, site: Server) -> None:
    page.watch.allow(422)
    open_project(page, unique("like"))
    project = int(page.url.split("/p/")[1])
    with client_of(site.url) as client:
        ids = _objects(client, project)
        page.goto(f"/ui/#/p/{project}/sort?order=obj.objid")
        tiles = page.get_by_role("listbox", name="Objects").get_by_role("option")
        expect(tiles).to_have_count(N)
        page.keyboard.press("s")
        expect(page.get_by_role("alert")).to_contain_text("no deep features yet")
        assert_accessible(page)
        page.get_by_role("button", name="Back to the usual order").click()
        expect(page.get_by_role("alert")).to_have_count(0)
        _deep_features(client, project)

        page.goto(f"/ui/#/p/{project}/sort?order=obj.objid&size=50")
        expect(tiles).to_have_count(50)
        for key in ("ArrowRight", "ArrowRight", "s"):
            page.keyboard.press(key)
        expect(page.get_by_text("What is like object o2 comes first.")).to_be_visible()
        assert_accessible(page)
        query = f"/api/object_set/{project}/query?order_field=ss-I{ids[2]}&fields=obj.orig_id"
        told = [row[0] for row in client.post(query, json={}).json()["details"]]
        assert told[0] == "o2"
        for place in (0, 1, 2, 49):
            expect(tiles.nth(place)).to_contain_text(re.compile(rf"\b{told[place]},"))
        page.get_by_role("button", name="Views").press("Enter")
        page.get_by_label("Keep what is shown now as").fill("like o2")
        page.keyboard.press("Enter")
        view = page.get_by_role("dialog").get_by_role("button", name="like o2", exact=True)
        expect(view).to_be_visible()
        assert_accessible(page)
        page.keyboard.press("Escape")
    # Somewhere else, without anything that this browser keeps.
    page.evaluate("localStorage.clear()")
    page.goto("about:blank")
    page.goto(f"/ui/#/p/{project}/sort")
    expect(page.get_by_label("Objects a page")).to_have_value("50")
    page.get_by_role("button", name="Views").click()
    page.get_by_role("dialog").get_by_role("button", name="like o2", exact=True).press("Enter")
    expect(page.get_by_text("What is like object o2 comes first.")).to_be_visible()
    page.get_by_role("button", name="Views").click()
    page.get_by_role("button", name="Forget like o2").press("Enter")
    expect(page.get_by_text("A view keeps filters")).to_be_visible()


def test_lineage_filters_and_classifies_by_what_stands_above(page: Page, site: Server) -> None:
    open_project(page, unique("lineage"))
    project = int(page.url.split("/p/")[1])
    with client_of(site.url) as client:
        _objects(client, project)
        page.goto(f"/ui/#/p/{project}/sort?order=obj.objid&statusfilter=P")
        tiles = page.get_by_role("listbox", name="Objects").get_by_role("option")
        expect(tiles).to_have_count(20)
        animal = tiles.filter(has_text=re.compile("Copepoda|Chaetognatha")).first
        place = int(animal.get_attribute("data-place") or 0)
        for _ in range(place):
            page.keyboard.press("ArrowRight")
        page.keyboard.press("l")
        menu = page.get_by_role("dialog", name="Lineage")
        above = menu.get_by_role("button", name=re.compile("^Show only Metazoa"))
        expect(above).to_be_visible()
        assert_accessible(page)
        page.keyboard.press("Escape")
        expect(page.get_by_role("listbox", name="Objects")).to_be_focused()
        animal.click(button="right")
        above.press("Enter")
        expect(page.get_by_text("Only Metazoa and what is below it.")).to_be_visible()
        animals = page.get_by_role("listbox", name="Objects").get_by_role("option")
        expect(animals.filter(has_text="detritus")).to_have_count(0)
        assert animals.count() > 0
        page.get_by_role("button", name="All taxa", exact=True).last.click()
        expect(tiles).to_have_count(20)
        animal.click(button="right")
        menu.get_by_role("button", name="Classify 1 as Metazoa").press("Enter")

        def metazoa() -> int:
            query = f"/api/object_set/{project}/query?fields=txo.display_name"
            found = client.post(query, json={"statusfilter": "V"}).json()["details"]
            return sum(name.startswith("Metazoa") for [name] in found)

        until(lambda: metazoa() == 1)


def _embedded(client: httpx2.Client) -> str:
    """A dataset of thirty digits with their grey values as vectors."""
    dataset = client.post("/v1/datasets", json={"name": unique("map"), "type": "Images"}).json()["id"]
    lines = []
    for place, (_, picture, _) in enumerate(digit_pictures(30)):
        path = f"/v1/datasets/{dataset}/samples"
        sample = client.post(path, json={"fileName": f"d{place}.png"}).json()["id"]
        address = client.get(f"{path}/{sample}/writeurl", params={"isThumbnail": False}).json()
        assert httpx2.put(address, content=picture).is_success
        grey = digits(30)[0][place]
        lines.append(",".join([f"d{place}.png", *map(str, grey), "0"]))
    head = ",".join(["filenames", *(f"embedding_{at}" for at in range(64)), "labels"])
    made = client.get(f"/v1/datasets/{dataset}/embeddings/writeCSVUrl", params={"name": "grey"}).json()
    assert httpx2.put(made["signedWriteUrl"], content="\n".join([head, *lines])).is_success
    listed = f"/v1/datasets/{dataset}/embeddings"
    until(lambda: client.get(listed).json()[0]["isProcessed"], 60)
    return str(dataset)


def test_samples_are_chosen_on_a_map_and_shown_with_what_is_like_them(page: Page, site: Server) -> None:
    with httpx2.Client(base_url=site.url, params={"token": ADMIN_TOKEN}, timeout=60) as client:
        dataset = _embedded(client)
        listed = f"/v1/datasets/{dataset}/embeddings"
        page.goto(f"/ui/#/datasets/{dataset}")
        page.get_by_role("button", name="Map").press("Enter")
        expect(page.get_by_text("not been laid out")).to_be_visible()
        assert_accessible(page)
        page.get_by_role("button", name="Lay out").press("Enter")
        plane = page.get_by_role("img", name=re.compile("^30 samples as points"))
        expect(plane).to_be_visible(timeout=60_000)
        assert_accessible(page)
        box = plane.bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + 2, box["y"] + 2)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] - 2, box["y"] + box["height"] - 2, steps=5)
        page.mouse.up()
        expect(page.get_by_role("button", name="Tag 30 chosen")).to_be_visible()
        expect(page.get_by_role("img", name="30 samples as points, 30 of them chosen")).to_be_visible()

        page.get_by_role("option", name="d3.png", exact=True).click()
        like = page.get_by_role("region", name="Like it")
        embedding = client.get(listed).json()[0]["id"]
        sample = re.search(r"sample=(\w+)", page.url)
        assert sample is not None
        query = {"sampleId": sample[1], "pageSize": 24}
        told = client.get(f"{listed}/{embedding}/similar", params=query).json()
        expect(like.get_by_role("button")).to_have_count(24)
        expect(like.get_by_role("button").first).to_have_attribute("title", re.compile(f"^{told[0]['fileName']},"))
        assert_accessible(page)
        like.get_by_role("button").first.press("Enter")
        expect(page.get_by_role("dialog").get_by_role("img", name=told[0]["fileName"])).to_be_visible()
