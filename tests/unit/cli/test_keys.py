import stat
import subprocess
import sys
from pathlib import Path

from quadrat.cli.keys import KeyFile, installation_keys
from quadrat.settings import Settings


def test_keys_without_a_file_make_one_that_only_its_owner_reads(tmp_path: Path) -> None:
    data_dir = tmp_path / "new" / "data"
    first = KeyFile(data_dir).keys()
    assert len(first) == 1
    assert len(first[0]) == 64
    assert KeyFile(data_dir).keys() == first
    assert stat.S_IMODE((data_dir / "secret.key").stat().st_mode) == 0o600
    assert [path.name for path in data_dir.iterdir()] == ["secret.key"]


def test_keys_renewed_elsewhere_are_noticed(tmp_path: Path) -> None:
    running, command = KeyFile(tmp_path), KeyFile(tmp_path)
    (first,) = running.keys()
    command.renew()
    second, kept = running.keys()
    assert kept == first != second
    command.renew()
    third, kept = running.keys()
    assert kept == second
    assert third not in (first, second)
    assert stat.S_IMODE((tmp_path / "secret.key").stat().st_mode) == 0o600


def test_renew_in_many_processes_leaves_two_keys(tmp_path: Path) -> None:
    program = (
        f"from pathlib import Path; from quadrat.cli.keys import KeyFile; KeyFile(Path({str(tmp_path)!r})).renew()"
    )
    processes = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(4)]
    assert [process.wait(60) for process in processes] == [0] * 4
    assert len(KeyFile(tmp_path).keys()) == 2


def test_installation_keys_named_in_the_settings_win(tmp_path: Path) -> None:
    settings = Settings.load(data_dir=tmp_path, secret_key="n" * 32, previous_secret_key="o" * 32)
    assert installation_keys(settings)() == (b"n" * 32, b"o" * 32)
    assert not (tmp_path / "secret.key").exists()
