import os
import shutil
import signal
import tempfile
from pathlib import Path

import psutil
import psycopg
import pytest
from sqlalchemy import make_url

from quadrat.db.embedded import MAJOR_VERSION, EmbeddedPostgres, EmbeddedPostgresError

pytestmark = pytest.mark.xdist_group("embedded")


def _postmaster(data_dir: Path) -> psutil.Process:
    return psutil.Process(int((data_dir / "postgres" / "postmaster.pid").read_text().split("\n")[0]))


def test_start_on_empty_directory_makes_a_database_that_survives_a_stop(data_dir: Path) -> None:
    server = EmbeddedPostgres(data_dir)
    server.start()
    try:
        with psycopg.connect(server.url, autocommit=True) as conn:
            conn.execute("CREATE TABLE kept (number int)")
            conn.execute("INSERT INTO kept VALUES (7)")
    finally:
        server.stop()
    assert not server.is_running()
    again = EmbeddedPostgres(data_dir)
    again.start()
    try:
        with psycopg.connect(again.url) as conn:
            assert conn.execute("SELECT number FROM kept").fetchone() == (7,)
    finally:
        again.stop()


def test_start_lets_nobody_in_without_the_password_and_listens_on_no_port(data_dir: Path) -> None:
    server = EmbeddedPostgres(data_dir)
    server.start()
    try:
        assert (data_dir / "postgres.password").stat().st_mode & 0o777 == 0o600
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(server.url.replace(server.url.split(":")[2].split("@")[0], "wrong"))
        with psycopg.connect(server.url) as conn:
            assert conn.execute("SHOW listen_addresses").fetchone() == ("",)
    finally:
        server.stop()


def test_start_while_a_survivor_runs_takes_it_over(data_dir: Path) -> None:
    EmbeddedPostgres(data_dir).start()
    pid = _postmaster(data_dir).pid
    second = EmbeddedPostgres(data_dir)
    second.start()
    try:
        assert _postmaster(data_dir).pid == pid
    finally:
        second.stop()


def test_start_after_kill_9_recovers_what_was_committed(data_dir: Path) -> None:
    server = EmbeddedPostgres(data_dir)
    server.start()
    with psycopg.connect(server.url, autocommit=True) as conn:
        conn.execute("CREATE TABLE kept (number int)")
        conn.execute("INSERT INTO kept VALUES (7)")
    postmaster = _postmaster(data_dir)
    os.kill(postmaster.pid, signal.SIGKILL)
    postmaster.wait(10)
    assert not server.is_running()
    server.start()
    try:
        with psycopg.connect(server.url) as conn:
            assert conn.execute("SELECT number FROM kept").fetchone() == (7,)
    finally:
        server.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_start_on_a_directory_from_another_machine_takes_its_files_over(data_dir: Path) -> None:
    server = EmbeddedPostgres(data_dir)
    server.start()
    with psycopg.connect(server.url, autocommit=True) as conn:
        conn.execute("CREATE TABLE kept (number int)")
    server.stop()
    own = (data_dir / "postgres").stat().st_uid
    for path in (data_dir / "postgres.log", data_dir / "postgres", *(data_dir / "postgres").rglob("*")):
        os.chown(path, 23456, 23456)
    server.start()
    try:
        with psycopg.connect(server.url) as conn:
            assert conn.execute("SELECT count(*) FROM kept").fetchone() == (0,)
        assert {path.stat().st_uid for path in (data_dir / "postgres").rglob("*")} == {own}
    finally:
        server.stop()


def test_start_after_an_unfinished_creation_begins_anew(data_dir: Path) -> None:
    (data_dir / "postgres" / "new" / "base").mkdir(parents=True)
    (data_dir / "postgres" / "global").mkdir()
    server = EmbeddedPostgres(data_dir)
    server.start()
    try:
        psycopg.connect(server.url).close()
    finally:
        server.stop()


def test_start_on_another_major_version_is_refused_with_the_way_out(data_dir: Path) -> None:
    (data_dir / "postgres").mkdir(parents=True)
    (data_dir / "postgres" / "PG_VERSION").write_text(f"{MAJOR_VERSION - 1}\n")
    with pytest.raises(EmbeddedPostgresError, match="pg_dump"):
        EmbeddedPostgres(data_dir).start()


@pytest.mark.parametrize("scratch", ["", "s" * 90])
def test_start_with_a_very_long_path_puts_the_socket_elsewhere(
    tmp_path: Path, scratch: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / scratch).mkdir(exist_ok=True)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / scratch))
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    server = EmbeddedPostgres(deep)
    server.start()
    try:
        psycopg.connect(server.url).close()
        socket_dir = Path(str(make_url(server.url).query["host"]))
        assert socket_dir.is_dir()
    finally:
        server.stop()
        shutil.rmtree(tmp_path / ("d" * 60))
    assert not socket_dir.exists()


@pytest.mark.parametrize("foreign", ["link", "folder"])
def test_start_with_a_very_long_path_refuses_a_socket_folder_of_somebody_else(tmp_path: Path, foreign: str) -> None:
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    server = EmbeddedPostgres(deep)
    server.start()
    socket_dir = Path(str(make_url(server.url).query["host"]))
    server.stop()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    if foreign == "link":
        socket_dir.symlink_to(elsewhere)
    elif os.geteuid() == 0:
        socket_dir.mkdir()
        os.chown(socket_dir, 12345, 12345)
    else:
        pytest.skip("only root makes folders of somebody else")
    try:
        with pytest.raises(EmbeddedPostgresError, match="somebody else"):
            server.start()
        assert elsewhere.stat().st_uid == os.geteuid()
    finally:
        socket_dir.unlink() if foreign == "link" else socket_dir.rmdir()
        shutil.rmtree(tmp_path / ("d" * 60))
