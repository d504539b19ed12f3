"""Exports of real servers: a worker that is killed, a disk that is full, and the shell."""

import contextlib
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest
from PIL import Image

from quadrat.db.embedded import EmbeddedPostgres
from quadrat.db.engine import psycopg_dsn
from support.archives import archive, row, table
from support.server import ADMIN_TOKEN, Server, quadrat, wait_for

# Each starts processes that load the whole program.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
Serve = Callable[..., Server]
EMAIL = "admin@example.org"
OBJECTS = 120
COPIES = 8
SMALL_DISK_MIB = 40


def api(server: Server, method: str, path: str, body: Any = None) -> httpx2.Response:
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    answer = httpx2.request(method, f"{server.url}/api{path}", headers=headers, json=body, timeout=60)
    assert answer.status_code == 200, answer.text
    return answer


def noise() -> bytes:
    """A picture that no compression makes smaller: 270 KB."""
    encoded = BytesIO()
    bands = [Image.effect_noise((300, 300), sigma) for sigma in (60, 80, 100)]
    Image.merge("RGB", bands).save(encoded, "PNG", compress_level=1)
    return encoded.getvalue()


def fill(server: Server, folder: Path, copies: int) -> int:
    """A project with pictures, each of several objects."""
    picture = noise()
    rows = [
        row(
            number,
            img_file_name=f"i{number}.png",
            object_area=number / 7,
            sample_id=f"s{number % 3}",
            acq_id=f"a{number % 3}",
        )
        for number in range(OBJECTS * copies)
    ]
    images = {str(cells["img_file_name"]): picture for cells in rows}
    path = archive(folder / "in.zip", {"ecotaxa.tsv": table(rows), **images})
    project = int(api(server, "POST", "/projects/create", {"title": "Exported"}).json())
    done = quadrat(server.data_dir, "objects", "import", str(path), "--project", str(project), "--user", EMAIL)
    assert done.returncode == 0, done.stderr
    return project


def ask(server: Server, project: int, kind: str = "backup") -> int:
    body = {"filters": {}, "request": {"project_id": project}}
    return int(api(server, "POST", f"/object_set/export/{kind}", body).json()["job_id"])


def table_of(server: Server, job: int) -> bytes:
    """What an export says, without its log."""
    content = api(server, "GET", f"/jobs/{job}/file").content
    if not content.startswith(b"PK"):
        return content
    with zipfile.ZipFile(BytesIO(content)) as packed:
        (name,) = [name for name in packed.namelist() if name.endswith(".tsv")]
        return packed.read(name)


def until_ended(server: Server, job: int) -> dict[str, Any]:
    def ended() -> Any:
        found = api(server, "GET", f"/jobs/{job}/").json()
        return found if found["state"] in "FE" else None

    return dict(wait_for(ended, timeout_s=300))


def unfinished(server: Server) -> list[Path]:
    return list((server.data_dir / "store" / "objects" / "exports").glob("*#*"))


def test_export_whose_worker_is_killed_is_made_again_and_leaves_no_part(serve: Serve, tmp_path: Path):
    server = serve()
    project = fill(server, tmp_path, COPIES)
    job = ask(server, project)
    wait_for(lambda: unfinished(server))
    worker = server.worker()
    worker.suspend()
    assert api(server, "GET", f"/jobs/{job}/").json()["state"] == "R"
    worker.kill()
    done = until_ended(server, job)
    assert (done["state"], done["errors"]) == ("F", [])
    assert done["result"]["rowcount"] == OBJECTS * COPIES
    assert unfinished(server) == []
    content = api(server, "GET", f"/jobs/{job}/file").content
    with zipfile.ZipFile(BytesIO(content)) as packed:
        assert packed.testzip() is None
        # Beside the images three index files, what they have no columns for, and the log.
        assert len(packed.namelist()) == OBJECTS * COPIES + 3 + 1 + 1


@pytest.mark.parametrize("kind", ["general", "summary"])
def test_table_whose_worker_is_killed_half_way_is_made_again(kind: str, serve: Serve, tmp_path: Path):
    server = serve()
    project = fill(server, tmp_path, 1)
    whole = ask(server, project, kind)
    assert until_ended(server, whole)["state"] == "F"
    address = psycopg_dsn(EmbeddedPostgres(server.data_dir.resolve()).url)
    with psycopg.connect(address) as holder, psycopg.connect(address, autocommit=True) as watcher:
        # The export has begun, and waits for the objects until its worker is gone.
        holder.execute("LOCK TABLE objects.object IN ACCESS EXCLUSIVE MODE")
        job = ask(server, project, kind)
        waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%objects.object%'"
        wait_for(lambda: watcher.execute(waiting).fetchone())
        assert api(server, "GET", f"/jobs/{job}/").json()["state"] == "R"
        server.worker().kill()
    done = until_ended(server, job)
    assert (done["state"], done["errors"]) == ("F", [])
    asked_at = datetime.fromisoformat(done["creation_date"])
    assert done["result"]["out_file"].partition(".")[0].endswith(f"_{project}_{asked_at:%Y%m%d_%H%M}")
    assert table_of(server, job) == table_of(server, whole)
    assert unfinished(server) == []


@pytest.fixture
def small_store(data_dir: Path) -> Iterator[Path]:
    """A file system of its own for the store of a data directory."""
    if os.geteuid() != 0 or sys.platform != "linux":
        pytest.skip("mounting a small disk needs root on Linux")
    store = data_dir / "store"
    store.mkdir(parents=True)
    options = f"size={SMALL_DISK_MIB}m,mode=0700"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(store)], check=True)
    yield store
    subprocess.run(["umount", "-l", str(store)], check=True)


def test_export_to_a_full_disk_says_so_leaves_nothing_and_can_be_started_again(
    serve: Serve, small_store: Path, tmp_path: Path
):
    server = serve(small_store.parent)
    project = fill(server, tmp_path, 1)  # 32 MB, for which there is no space twice
    job = ask(server, project)
    failed = until_ended(server, job)
    assert (failed["state"], failed["result"]) == ("E", {})
    assert failed["errors"] == ["The disk is full: nothing can be stored until there is space."]
    assert list((small_store / "objects" / "exports").glob("*")) == []
    subprocess.run(["mount", "-o", "remount,size=200m", str(small_store)], check=True)
    api(server, "GET", f"/jobs/{job}/restart")
    done = until_ended(server, job)
    assert (done["state"], done["result"]["rowcount"]) == ("F", OBJECTS)


@pytest.mark.parametrize("kind", ["general", "summary"])
def test_table_for_which_there_is_no_space_says_so_and_can_be_started_again(
    kind: str, serve: Serve, small_store: Path, tmp_path: Path
):
    server = serve(small_store.parent)
    project = fill(server, tmp_path, 1)
    filler = small_store / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    job = ask(server, project, kind)
    failed = until_ended(server, job)
    assert (failed["state"], failed["result"]) == ("E", {})
    assert failed["errors"] == ["The disk is full: nothing can be stored until there is space."]
    assert list((small_store / "objects" / "exports").glob("*")) == []
    filler.unlink()
    api(server, "GET", f"/jobs/{job}/restart")
    assert until_ended(server, job)["state"] == "F"
    assert len(table_of(server, job).splitlines()) == {"general": OBJECTS + 1, "summary": 4}[kind]


def test_shell_exports_what_it_imports(serve: Serve, tmp_path: Path):
    server = serve()
    project = fill(server, tmp_path, 1)
    of = ("--project", str(project))

    def run(*arguments: str) -> str:
        done = quadrat(server.data_dir, "objects", *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()[-1]

    backup = tmp_path / "backup.zip"
    assert run("export", str(backup), *of, "--backup") == f"{OBJECTS} lines in {backup}."
    copy = int(api(server, "POST", "/projects/create", {"title": "Copy"}).json())
    assert run("import", str(backup), "--project", str(copy), "--user", EMAIL).startswith(f"{OBJECTS} objects")
    tables = []
    for number in (project, copy):
        path = tmp_path / f"{number}.zip"
        run("export", str(path), "--project", str(number), "--filter", "samples=", "--by", "sample", "--types")
        with zipfile.ZipFile(path) as packed:
            tables.append({name: packed.read(name) for name in packed.namelist() if name.endswith(".tsv")})
    assert tables[0] == tables[1]
    assert sorted(tables[0]) == ["ecotaxa_s0.tsv", "ecotaxa_s1.tsv", "ecotaxa_s2.tsv"]
    (tmp_path / "out").mkdir()
    assert run("export", str(tmp_path / "out"), *of, "--summary", "abundance").startswith("3 lines in ")
    (summary,) = (tmp_path / "out").iterdir()
    assert summary.read_text().splitlines()[1] == f"s0\t\t\t{OBJECTS // 3}"
    refused = quadrat(server.data_dir, "objects", "export", str(tmp_path / "no" / "file.zip"), *of)
    assert refused.returncode == 1
    assert "cannot be written" in refused.stderr
    refused = quadrat(server.data_dir, "objects", "export", str(backup), *of, "--summary", "concentration")
    assert refused.returncode == 1
    assert "total_water_volume" in refused.stderr
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".part")] == []
