from pathlib import Path

import pytest
from click.testing import CliRunner

from quadrat.cli.main import main

COMMANDS = [
    "",
    "serve",
    "worker",
    "db upgrade",
    "user create",
    "user activate",
    "token create",
    "token list",
    "token revoke",
    "doctor",
    "version",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_says_what_the_command_does_and_needs_no_data_directory(tmp_path: Path, command: str) -> None:
    shown = CliRunner().invoke(main, ["--data-dir", str(tmp_path / "none"), *command.split(), "--help"])
    assert shown.exit_code == 0, shown.output
    sentence = shown.output.split("\n\n")[1].strip()
    assert sentence.endswith(".")
    assert not (tmp_path / "none").exists()
