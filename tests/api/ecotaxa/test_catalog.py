"""Files, images and jobs of the object-set API, in process."""

from pathlib import Path

import httpx2
import pytest
from sqlalchemy import text

from quadrat.api.ecotaxa.app import PREFIX, create_app
from quadrat.base.clock import now
from quadrat.identity.types import ProjectId
from quadrat.jobs.actions import enqueue
from quadrat.objects.importing.run import run_import
from quadrat.objects.importing.types import ImportPlace, Order, Workshop
from quadrat.storage.blobs import BlobStore
from quadrat.storage.types import SignedMethod
from support.archives import archive, picture, row, table
from support.house import LIMITS, House, Person
from support.object_sets import make_object_set

pytestmark = pytest.mark.anyio


@pytest.fixture
def blobs(house: House, tmp_path: Path) -> BlobStore:
    store = BlobStore.on_disk(tmp_path / "store", b"key")
    house.state["blobs"] = store
    return store


def client_of(house: House, person: Person | None) -> httpx2.AsyncClient:
    return house.client_for(create_app, PREFIX, person)


async def test_file_is_sent_listed_and_removed_by_its_owner_alone(house: House, blobs: BlobStore):
    owner, other = await house.make_person(), await house.make_person()
    mine, theirs = client_of(house, owner), client_of(house, other)
    content = b"x" * 900_000
    sent = await mine.post(
        "/my_files/", files={"file": ("a.tsv", content)}, data={"tag": "cruise", "path": "/cruise-1/me/dir/a.tsv"}
    )
    assert sent.json() == "my_files/cruise/cruise-1/me/dir/a.tsv"
    single = (await mine.post("/user_files/", files={"file": ("b.zip", b"PK")})).json()
    assert single.startswith("my_files/")
    listed = (await mine.get("/my_files/cruise/cruise-1/me/dir")).json()
    assert listed["path"] == "my_files/cruise/cruise-1/me/dir"
    assert [(entry["name"], entry["type"], entry["size"]) for entry in listed["entries"]] == [("a.tsv", "F", 900_000)]
    assert [entry["type"] for entry in (await mine.get("/my_files/cruise")).json()["entries"]] == ["D"]
    assert (await theirs.get("/my_files/cruise")).status_code == 404
    assert (await theirs.delete("/user_files/cruise")).status_code == 404
    assert (await mine.delete("/user_files/cruise/cruise-1")).json() == 1
    assert (await mine.get("/my_files/cruise")).status_code == 404


async def test_file_sent_again_replaces_the_one_before(house: House, blobs: BlobStore):
    client = client_of(house, await house.make_person())
    for content in (b"one", b"three"):
        assert (await client.post("/my_files/", files={"file": ("a", content)}, data={"tag": "t"})).status_code == 200
    entries = (await client.get("/my_files/t")).json()["entries"]
    assert [(entry["name"], entry["size"]) for entry in entries] == [("a", 5)]


@pytest.mark.parametrize(
    ("name", "fields", "field"),
    [
        ("../a.zip", {}, "file"),
        ("a.zip", {"path": "../../a.zip"}, "path"),
        ("a.zip", {"path": "/elsewhere/b.zip"}, "path"),
        ("a.zip", {"tag": "../x"}, "tag"),
        ("a.zip", {"path": "x" * 9000 + "/a.zip"}, "file"),
    ],
)
async def test_file_with_a_bad_name_is_refused_and_not_kept(
    house: House, blobs: BlobStore, name: str, fields: dict[str, str], field: str
):
    person = await house.make_person()
    answer = await client_of(house, person).post("/my_files/", files={"file": (name, b"x")}, data=fields)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", field]
    assert blobs.local_root is not None
    assert not [path for path in (blobs.local_root / "objects").rglob("*") if path.is_file()]


async def test_file_that_is_too_large_or_no_multipart_is_refused(house: House, blobs: BlobStore):
    client = client_of(house, await house.make_person())
    assert (await client.post("/my_files/", content=b"x")).status_code == 422
    assert (await client.post("/my_files/", data={"tag": "x"})).status_code == 422
    broken = await client.post(
        "/my_files/", content=b"--b\r\nbroken", headers={"Content-Type": "multipart/form-data; boundary=b"}
    )
    assert broken.status_code == 422
    house.state["limits"] = type(
        "Small", (), {**{n: getattr(LIMITS, n) for n in LIMITS.__slots__}, "max_archive_bytes": 9}
    )
    assert (await client.post("/my_files/", files={"file": ("a", b"x" * 100_000)})).status_code == 413


async def load(house: House, blobs: BlobStore, person: Person, project: int, path: Path) -> None:
    async def progress(_percent: float, _message: str) -> None:
        return

    place = ImportPlace(ProjectId(project), person.caller.user_id, now())
    await run_import(Workshop(house.db, blobs, 1, progress), Order(place, path))


async def test_image_is_shown_to_readers_and_to_whoever_has_a_signed_address(
    house: House, blobs: BlobStore, tmp_path: Path
):
    owner, other = await house.make_person(), await house.make_person()
    mine, theirs, stranger = (client_of(house, person) for person in (owner, other, None))
    project = (await mine.post("/projects/create", json={"title": "Images", "visible": False})).json()
    path = archive(tmp_path / "a.zip", {"ecotaxa.tsv": table([row(1)]), "o1.png": picture(500)})
    await load(house, blobs, owner, project, path)
    async with house.db.begin() as tx:
        query = text("SELECT id FROM objects.image WHERE project_id = :p")
        number = (await tx.execute(query, {"p": project})).scalar_one()
    name = f"/vault/{number // 10000:04d}/{number % 10000:04d}"
    full = await mine.get(f"{name}.png")
    assert (full.status_code, full.headers["content-type"], full.content) == (200, "image/png", picture(500))
    small = await mine.get(f"{name}_mini.jpg")
    assert small.content[:3] == b"\xff\xd8\xff"
    part = await mine.get(f"{name}.png", headers={"Range": "bytes=1-3"})
    assert (part.status_code, part.content) == (206, b"PNG")
    known = await mine.get(f"{name}.png", headers={"If-None-Match": full.headers["etag"]})
    assert known.status_code == 304
    assert (await theirs.get(f"{name}.png")).status_code == 403
    assert (await stranger.get(f"{name}.png")).status_code == 403
    for wrong in (f"{name}.jpg", "/vault/9999/9999.png", "/vault/x/y.png"):
        assert (await mine.get(wrong)).status_code == 404
    address = await blobs.sign(
        SignedMethod.GET, f"objects/{project}/images/{number}.png", LIMITS.read_url_life, base_url="http://x"
    )
    assert (await stranger.get(f"{name}.png?{address.partition('?')[2]}")).status_code == 200
    assert (await stranger.get(f"{name}.png?signature=0&expires=1&method=GET")).status_code == 403
    made = (await mine.get(f"/projects/{project}")).json()
    assert (await mine.put(f"/projects/{project}", json={**made, "visible": True})).status_code == 200
    assert (await stranger.get(f"{name}.png")).status_code == 200
    assert (await stranger.get(f"/projects/{project}")).json()["highest_right"] == ""


async def test_project_lists_are_for_those_who_are_in_them(house: House, blobs: BlobStore):
    owner, other = await house.make_person(), await house.make_person()
    mine, theirs, stranger = (client_of(house, person) for person in (owner, other, None))
    hidden = (await mine.post("/projects/create", json={"title": "Hidden one", "visible": False})).json()
    shown = (await mine.post("/projects/create", json={"title": "Shown one", "visible": True})).json()

    async def found(client: httpx2.AsyncClient, **query: object) -> set[int]:
        answer = await client.get("/projects/search", params={"title_filter": " one", **query})
        return {project["projid"] for project in answer.json()} & {hidden, shown}

    assert await found(mine) == {hidden, shown}
    assert await found(theirs) == set()
    assert await found(theirs, not_granted=True) == {shown}
    assert await found(theirs, also_others=True) == {shown}
    assert await found(stranger) == {shown}
    assert await found(mine, for_managing=True, window_start=1) <= {hidden, shown}
    assert await found(mine, title_filter=str(hidden)) == {hidden}


async def test_manager_cannot_leave_a_project_without_one(house: House, blobs: BlobStore):
    mine = client_of(house, await house.make_person())
    project = (await mine.post("/projects/create", json={"title": "One"})).json()
    made = (await mine.get(f"/projects/{project}")).json()
    for change, field in (
        ({"managers": []}, "managers"),
        ({"init_classif_list": [999999999]}, "init_classif_list"),
        ({"bodc_variables": {"nothing": "1"}}, "bodc_variables"),
        ({"bodc_variables": {"subsample_coef": "__import__('os')"}}, "bodc_variables"),
        ({"title": " "}, "title"),
        ({"status": "Nonsense"}, "status"),
        ({"viewers": [{"id": 999999999, "email": "x", "name": "x"}]}, "id"),
    ):
        answer = await mine.put(f"/projects/{project}", json={**made, **change})
        assert answer.status_code == 422, change
        assert answer.json()["detail"][0]["loc"] == ["body", field]
    assert (await mine.get(f"/projects/{project}")).json() == made


JOB_PATHS = [
    ("GET", ""), ("GET", "/"), ("GET", "/log"), ("GET", "/file"), ("GET", "/restart"), ("GET", "/report"),
    ("POST", "/answer"), ("DELETE", ""), ("DELETE", "/"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), JOB_PATHS)
async def test_job_of_somebody_else_is_forbidden_and_none_is_not_found(
    method: str, path: str, house: House, blobs: BlobStore
):
    owner, other = await house.make_person(), await house.make_person()
    async with house.db.begin() as tx:
        job_id = await enqueue(tx, "objects.nothing", {}, owner_id=owner.caller.user_id)
    for person, number, expected in (
        (other, job_id, (403, {"detail": "You can't do this."})),
        (owner, 999999999, (404, {"detail": "Not found."})),
    ):
        answer = await client_of(house, person).request(method, f"/jobs/{number}{path}", json={})
        assert (answer.status_code, answer.json()) == expected
    for form in ("", "/"):
        assert (await client_of(house, owner).get(f"/jobs/{job_id}{form}")).json()["state"] == "P"


async def test_refusals_are_in_the_words_of_this_api(house: House, blobs: BlobStore):
    stranger, user = client_of(house, None), client_of(house, await house.make_person())
    login = await stranger.post("/login", json={"username": "nobody@example.org", "password": "x"})
    assert (login.status_code, login.json()) == (403, {"detail": "You can't do this."})
    everyones = await user.get("/jobs/", params={"for_admin": True})
    assert (everyones.status_code, everyones.json()) == (403, {"detail": "You can't do this."})
    user.headers["Authorization"] = f"Bearer {'0' * 40}"
    expired = await user.get("/users/me")
    assert (expired.status_code, expired.json()) == (401, {"detail": "Could not validate credentials"})
    assert expired.headers["www-authenticate"] == "Bearer"


async def test_sample_or_acquisition_does_not_take_the_name_of_another(house: House, blobs: BlobStore):
    owner = await house.make_person()
    mine = client_of(house, owner)
    async with house.db.begin() as tx:
        made = await make_object_set(tx, owner.caller, 2)
    for kind, ids, taken in (("sample", made.samples, "haul 1"), ("acquisition", made.acquisitions, "acq haul 1")):
        for name, status in ((taken, 422), ("another", 200)):
            body = {"target_ids": ids[:1], "updates": [{"ucol": "orig_id", "uval": name}]}
            answer = await mine.post(f"/{kind}_set/update", json=body)
            assert (answer.status_code, name) == (status, name)
        assert (await mine.get(f"/{kind}/{ids[0]}")).json()["orig_id"] == "another"


@pytest.mark.parametrize(
    ("names", "status"), [([], 200), (["obj.depth_min", "fre.nothing"], 200), (["fre.x"] * 601, 422)]
)
async def test_column_statistics_of_none_some_and_too_many(
    names: list[str], status: int, house: House, blobs: BlobStore
):
    owner = await house.make_person()
    async with house.db.begin() as tx:
        made = await make_object_set(tx, owner.caller, 2)
    query = {"ids": str(made.project_id), "names": ",".join(names)}
    answer = await client_of(house, owner).get("/project_set/column_stats", params=query)
    assert answer.status_code == status
    if status == 200:
        found = answer.json()
        assert (found["total"], found["columns"], len(found["counts"])) == (2, names, len(names))
