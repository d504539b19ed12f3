"""Images without any table, imported over the API by a worker, and shown again."""

import io
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from quadrat.db.engine import Database
from support.archives import archive, picture
from support.exports import ExportBench, members, open_bench, run_worker
from support.house import open_house
from support.people import unique

pytestmark = pytest.mark.anyio


@pytest.fixture
async def bench(database_url: str, tmp_path: Path, anyio_backend: str) -> AsyncIterator[ExportBench]:
    db = Database(database_url, pool_size=5)
    async with AsyncExitStack() as cleanup:
        cleanup.push_async_callback(db.close)
        made = await open_bench(await open_house(db, cleanup), tmp_path)
        await cleanup.enter_async_context(run_worker(made.house, made.resources))
        yield made


async def asked(bench: ExportBench, path: Path, values: dict[str, str], *, dry_run: bool = False) -> dict[str, Any]:
    sent = await bench.http.post("/my_files/", files={"file": (path.name, path.read_bytes())})
    answer = await bench.http.post(
        f"/simple_import/{bench.project_id}",
        params={"dry_run": dry_run},
        json={"source_path": sent.json(), "values": values},
    )
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def imported(bench: ExportBench, path: Path, values: dict[str, str]) -> dict[str, Any]:
    answer = await asked(bench, path, values)
    assert answer["errors"] == []
    return await bench.until_ended(answer["job_id"])


async def test_each_kind_of_image_becomes_an_object_that_browsers_show(bench: ExportBench, tmp_path: Path):
    files = {"a.TIF": picture(500, "TIFF"), "sub/ö.tiff": picture(9, "TIFF"), "sub/b.jpg": picture(9, "JPEG")}
    packed = archive(tmp_path / "images.zip", {**files, "c.png": picture(), "notes.txt": "none of these"})
    job = await imported(bench, packed, {"latitude": "0", "imgdate": "20140420"})
    assert (job["state"], job["type"], job["result"]) == ("F", "SimpleImport", {"nb_images": 4})
    fields = "img.orig_file_name,img.file_name,img.thumb_file_name,obj.latitude,obj.objdate,obj.classif_qual"
    found = await bench.http.post(f"/object_set/{bench.project_id}/query", params={"fields": fields}, json={})
    rows = {row[0]: row[1:] for row in found.json()["details"]}
    assert {name: row[0].partition(".")[2] for name, row in rows.items()} == {
        "a.TIF": "png", "c.png": "png", "sub/b.jpg": "jpg", "sub/ö.tiff": "png",
    }  # fmt: skip
    assert [name for name, row in rows.items() if row[1] is not None] == ["a.TIF"]
    assert {tuple(row[2:]) for row in rows.values()} == {(0.0, "2014-04-20", None)}
    shown = await bench.http.get(f"/vault/{rows['sub/ö.tiff'][0]}")
    assert shown.headers["content-type"] == "image/png"
    with Image.open(io.BytesIO(shown.content)) as kept, Image.open(io.BytesIO(files["sub/ö.tiff"])) as given:
        assert (kept.format, kept.mode, kept.tobytes()) == ("PNG", given.mode, given.tobytes())
    exported = members(await bench.file("/general", with_images="all"))
    assert {name.rpartition("/")[2] for name in exported} >= {"a.TIF.png", "b.jpg", "c.png", "ö.tiff.png"}
    again = await imported(bench, packed, {})
    assert (again["state"], again["result"]) == ("F", {"nb_images": 0})


async def test_taxon_and_person_are_named_by_number_or_by_name(bench: ExportBench, tmp_path: Path):
    taxon = await bench.make_taxon(unique("Copepoda"))
    other = await bench.house.make_person()
    people = {"by_number": str(other.caller.user_id), "by_address": other.caller.email}
    for name, person in people.items():
        packed = archive(tmp_path / f"{name}.zip", {f"{name}.png": picture()})
        job = await imported(bench, packed, {"taxolb": str(taxon), "userlb": person, "status": "V"})
        assert (job["state"], job["errors"]) == ("F", [])
    found = await bench.http.post(
        f"/object_set/{bench.project_id}/query",
        params={"fields": "obj.classif_id,obj.classif_qual,obj.classif_who"},
        json={},
    )
    assert found.json()["details"] == [[taxon, "V", other.caller.user_id]] * 2


@pytest.mark.parametrize("number", ["999999999", "9" * 30, "-1", "\N{ARABIC-INDIC DIGIT FIVE}"])
@pytest.mark.parametrize("name", ["taxolb", "userlb"])
async def test_number_that_is_nobody_is_named(name: str, number: str, bench: ExportBench, tmp_path: Path):
    taxon = await bench.make_taxon(unique("Copepoda"))
    packed = archive(tmp_path / "a.zip", {"a.png": picture()})
    values = {"taxolb": str(taxon), "status": "V", "userlb": "", name: number}
    assert await asked(bench, packed, values, dry_run=True) == {
        "job_id": 0, "errors": [f"'{number}' is not a valid value for {name}"],
    }  # fmt: skip
