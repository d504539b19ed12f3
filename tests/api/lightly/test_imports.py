"""Import by reference and export, as a user types them and over the API."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support.gallery import Gallery, picture

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("lightly_jobs")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Images with names of all kinds, and things that are none."""
    root = tmp_path / "images"
    for name in ("a.png", "sub dir/ü #1 100%.png", "sub dir/b.jpg"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(picture(kind="JPEG" if name.endswith("jpg") else "PNG"))
    (root / "notes.txt").write_text("no image")
    (root / "empty.png").write_bytes(b"")
    (root / "broken.png").write_bytes(b"no picture")
    (root / "nowhere.png").symlink_to(root / "missing")
    (root / "again").symlink_to(root / "sub dir")
    os.mkfifo(root / "pipe.png")
    return root


async def imported(gallery: Gallery, dataset: str, source: str) -> dict[str, Any]:
    """The import once it has ended."""
    made = await gallery.make(f"/datasets/{dataset}/imports", source=source)

    async def look() -> Any:
        found = await gallery.get(f"/datasets/{dataset}/imports/{made}")
        return found if found["state"] in {"finished", "failed"} else None

    found: dict[str, Any] = await gallery.until(look)
    return found


async def test_folder_is_imported_without_a_copy_and_again_takes_in_what_changed(
    working_gallery: Gallery, folder: Path
):
    gallery = working_gallery
    gallery.house.state["limits"] = replace(gallery.house.state["limits"], import_roots=(str(folder.parent),))
    dataset = await gallery.make_dataset()
    found = await imported(gallery, dataset, str(folder))
    assert found["state"] == "finished", found
    assert {key: found["result"][key] for key in ("new", "known", "changed", "n_skipped")} == {
        "new": 4, "known": 0, "changed": 0, "n_skipped": 5,
    }  # fmt: skip
    assert found["result"]["skipped"] == {
        "again": "a link to a folder; these are not followed",
        "empty.png": "empty",
        "notes.txt": "no image by its name",
        "nowhere.png": "a link to nothing",
        "pipe.png": "no ordinary file",
    }
    summary = await gallery.until_read(dataset)
    assert summary == {"missing": 0, "stored": 3, "undecodable": 1, "waiting": 0}
    samples = {one["fileName"]: one for one in await gallery.get(f"/datasets/{dataset}/samples")}
    assert set(samples) == {"a.png", "sub dir/ü #1 100%.png", "sub dir/b.jpg", "broken.png"}
    for name, sample in samples.items():
        url = await gallery.get(f"/datasets/{dataset}/samples/{sample['id']}/readurl")
        answer = await gallery.store.get(url, headers={"Range": "bytes=3-"})
        assert answer.content == (folder / name).read_bytes()[3:]
    assert samples["a.png"]["metaData"]["shape"] == [48, 64, 3]
    assert list(gallery.blobs.local_root.rglob("full")) == []

    again = await imported(gallery, dataset, str(folder))
    assert (again["result"]["new"], again["result"]["known"]) == (0, 4)
    (folder / "a.png").write_bytes(picture((80, 60)))
    os.utime(folder / "a.png", (1, 1))
    (folder / "new.png").write_bytes(picture())
    third = await imported(gallery, dataset, str(folder))
    assert (third["result"]["new"], third["result"]["changed"]) == (1, 1)
    await gallery.until_read(dataset)
    changed = await gallery.get(f"/datasets/{dataset}/samples/{samples['a.png']['id']}")
    assert changed["metaData"]["shape"] == [60, 80, 3]


async def test_folder_outside_of_the_opened_ones_is_refused(gallery: Gallery, folder: Path, tmp_path: Path):
    dataset = await gallery.make_dataset()
    inside = folder / "sub dir"
    gallery.house.state["limits"] = replace(gallery.house.state["limits"], import_roots=(str(inside), "s3://open/a"))
    (inside / "link").symlink_to(tmp_path)
    for source in (
        str(folder), "/etc", f"{inside}/../", f"{inside}/link", "s3://open/b", "s3://open/a/../b", "s3://other", "~",
        "file:///etc", "s3://open/ab",
    ):  # fmt: skip
        answer = await gallery.client.post(f"/datasets/{dataset}/imports", json={"source": source})
        assert answer.status_code == 403, source
    stranger = await gallery.stranger()
    answer = await stranger.post(f"/datasets/{dataset}/imports", json={"source": str(inside)})
    assert answer.status_code == 404
    assert (await gallery.client.get(f"/datasets/{dataset}/imports/99999999")).status_code == 404
