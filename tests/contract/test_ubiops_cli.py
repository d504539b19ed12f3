"""ubiops-cli 1.1.0, the command line program, against the live server."""

import json
import os
import secrets
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.clients, pytest.mark.timeout(300)]

Cli = Callable[..., str]
MODEL_YAML = """
model_name: {name}
model_description: made by the program
input_type: structured
input_fields:
  - name: param1
    data_type: int
output_type: plain
"""
VERSION_YAML = """
version_name: v1
language: python3.8
memory_allocation: 256
minimum_instances: 0
maximum_instances: 1
maximum_idle_time: 300
"""
MODEL = """
class Model:
    def __init__(self, base_directory, context):
        pass

    def request(self, data):
        return "got " + str(data["param1"])
"""


@pytest.fixture(scope="module")
def cli(server: Any, client_python: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """Run the program as it was released.

    It keeps its configuration, the token included, inside its own package; a copy of the package in front of the
    installed one keeps the environment clean and this session apart from others.
    """
    folder = tmp_path_factory.mktemp("ubiops-cli")
    python = client_python("ubiops-cli")
    installed = next(python.parents[1].glob("lib/python3.*/site-packages/pkg"))
    shutil.copytree(installed, folder / "pkg", ignore=shutil.ignore_patterns(".config", "__pycache__"))
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("QUADRAT_", "PYTHON"))}

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [python.with_name("ubiops"), *arguments],
            env=environment | {"PYTHONPATH": str(folder)},
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        # Its exit code is 0 even when it fails: what it says counts.
        assert "Error" not in done.stdout + done.stderr, (arguments, done.stdout, done.stderr)
        assert done.returncode == 0, (arguments, done.stderr)
        return done.stdout

    greeting = run("signin", "--token", "--api", f"{server.url}/v2.1/", "-p", f"Token {server.token}")
    assert "Welcome" in greeting
    return run


@pytest.fixture(scope="module")
def project(cli: Cli, http: Any, server: Any) -> str:
    name = f"cli-{secrets.token_hex(5)}"
    answer = http.post(
        "/v2.1/organizations",
        headers={"Authorization": f"Token {server.token}"},
        json={"name": name, "subscription": "free", "subscription_agreed": True},
    )
    assert answer.status_code == 201, answer.text
    cli("projects", "create", name, "--organization_name", name)
    return name


def test_signin_with_a_token_remembers_the_callers_address(cli: Cli, http: Any, server: Any):
    user = http.get("/v2.1/user", headers={"Authorization": f"Token {server.token}"}).json()
    assert cli("user", "get").strip() == user["email"]
    assert "Authorized" in cli("status")


def test_projects_list_shows_a_created_project(cli: Cli, project: str):
    assert project in {item["name"] for item in json.loads(cli("projects", "list", "-fmt", "json"))}


def test_model_is_deployed_and_answers(cli: Cli, project: str, tmp_path: Path):
    name = f"model-{secrets.token_hex(4)}"
    (tmp_path / "model.yaml").write_text(MODEL_YAML.format(name=name))
    (tmp_path / "version.yaml").write_text(VERSION_YAML)
    package = tmp_path / "package"
    package.mkdir()
    (package / "model.py").write_text(MODEL)
    cli("current_project", "set", project)

    cli("models", "create", "-f", str(tmp_path / "model.yaml"))
    assert name in {item["name"] for item in json.loads(cli("models", "list", "-fmt", "json"))}

    cli("models", "deploy", name, "-d", str(package), "-f", str(tmp_path / "version.yaml"), "-y")
    versions = json.loads(cli("model_versions", "list", "-m", name, "-fmt", "json"))
    assert [item["version"] for item in versions] == ["v1"]
    wait_until_built(cli, name)

    answer = json.loads(cli("models", "request", name, "-v", "v1", "-d", '{"param1": 7}', "-fmt", "json"))
    assert answer["success"] is True
    assert answer["result"] == "got 7"


def wait_until_built(cli: Cli, model: str) -> None:
    """Ask until the version is available: each question is a program start, so it takes its time by itself."""
    for _ in range(100):
        status = json.loads(cli("model_versions", "get", "v1", "-m", model, "-fmt", "json"))["status"]
        if status == "available":
            return
        assert "failed" not in status, status
    pytest.fail("the version was not built after 100 questions")
