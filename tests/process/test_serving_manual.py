"""The commands of docs/serving.md do what it says."""

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from support.server import ADMIN_TOKEN, Server

MANUAL = Path(__file__).parents[2] / "docs" / "serving.md"


def test_commands_of_the_manual_lead_from_a_folder_to_an_answer(serve: Callable[..., Server], tmp_path: Path):
    server = serve()
    (block,) = re.findall(r"```sh\n(.*?)```", MANUAL.read_text(), re.DOTALL)
    given, _, commands = block.partition("\n")
    assert given.startswith("export QUADRAT=")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "QUADRAT": f"{server.url}/v2.1", "TOKEN": ADMIN_TOKEN},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    assert (answer.pop("request_id") != "", answer) == (
        True,
        {"success": True, "result": "COPEPOD", "error_message": None},
    )
