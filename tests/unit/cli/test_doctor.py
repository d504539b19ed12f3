import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from quadrat.cli.main import main

NAMES = ["Python", "data directory", "database", "store", "port", "uv", "bubblewrap", "Landlock", "Chromium"]


@pytest.fixture
def port() -> Iterator[int]:
    """A port that somebody else uses."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield taken.getsockname()[1]


@pytest.fixture
def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return str(probe.getsockname()[1])


def _doctor(data_dir: Path, **settings: str) -> Result:
    unset = {name: None for name in os.environ if name.startswith("QUADRAT_")}
    return CliRunner().invoke(main, ["--data-dir", str(data_dir), "doctor"], env={**unset, **settings})


def _line(result: Result, name: str) -> tuple[str, str]:
    """What the check found, and the advice below it."""
    lines = result.output.splitlines()
    [at] = [number for number, line in enumerate(lines) if line[9:].startswith(f"{name} ")]
    below = lines[at + 1] if at + 1 < len(lines) else ""
    return lines[at], below.strip().removeprefix("-> ") if "-> " in below else ""


def test_doctor_on_an_empty_directory_checks_everything_and_changes_nothing(tmp_path: Path, free_port: str) -> None:
    result = _doctor(tmp_path / "none", QUADRAT_PORT=free_port)
    assert result.exit_code == 0, result.output
    for name in NAMES:
        found, _ = _line(result, name)
        assert found.startswith(("ok ", "warning "))
    assert "made at the first start" in _line(result, "database")[0]
    assert not (tmp_path / "none").exists()


def test_doctor_every_warning_says_how_to_mend_it(tmp_path: Path, free_port: str) -> None:
    result = _doctor(tmp_path / "none", QUADRAT_PORT=free_port, PATH="/nowhere")
    assert _line(result, "bubblewrap")[1] == "apt-get install bubblewrap"
    assert "apt-get install chromium" in _line(result, "Chromium")[1]
    assert result.exit_code == 0


def test_doctor_port_in_use_is_a_problem(tmp_path: Path, port: int) -> None:
    result = _doctor(tmp_path / "none", QUADRAT_PORT=str(port))
    found, mend = _line(result, "port")
    assert found.startswith("problem")
    assert "--port" in mend
    assert result.exit_code == 1


def test_doctor_external_database_that_does_not_answer_is_a_problem(tmp_path: Path, free_port: str, port: int) -> None:
    address = f"postgresql://nobody:hunter2@127.0.0.1:{free_port}/none"
    result = _doctor(tmp_path / "none", QUADRAT_DATABASE_URL=address)
    found, mend = _line(result, "database")
    assert found.startswith("problem")
    assert "QUADRAT_DATABASE_URL" in mend
    assert "hunter2" not in result.output
    assert result.exit_code == 1


def test_doctor_external_database_without_the_tables_says_what_to_run(
    tmp_path: Path, free_port: str, postgres_url: str
) -> None:
    result = _doctor(tmp_path / "none", QUADRAT_PORT=free_port, QUADRAT_DATABASE_URL=postgres_url)
    found, mend = _line(result, "database")
    assert "upgrades to apply" in found
    assert (mend, result.exit_code) == ("quadrat db upgrade", 0)


def test_doctor_bucket_that_does_not_answer_is_a_problem(tmp_path: Path, free_port: str) -> None:
    result = _doctor(
        tmp_path / "none",
        QUADRAT_PORT=free_port,
        QUADRAT_STORE_URL="s3://nothing",
        QUADRAT_STORE_ENDPOINT="nonsense://127.0.0.1:1",
        AWS_ACCESS_KEY_ID="a",
        AWS_SECRET_ACCESS_KEY="hunter2",
    )
    found, mend = _line(result, "store")
    assert found.startswith("problem")
    assert "QUADRAT_STORE_URL" in mend
    assert "hunter2" not in result.output
    assert result.exit_code == 1


def test_doctor_directory_below_a_file_is_a_problem(tmp_path: Path, free_port: str) -> None:
    (tmp_path / "file").write_text("")
    result = _doctor(tmp_path / "file" / "data", QUADRAT_PORT=free_port)
    found, mend = _line(result, "data directory")
    assert found.startswith("problem")
    assert "--data-dir" in mend
    assert result.exit_code == 1
