"""ubiops-cli 1.1.0, the command line program, against the live server."""

import json
import os
import re
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
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
        print("asked with", data["param1"])
        return "got " + str(data["param1"])
"""
PIPELINE_YAML = """
pipeline_name: {name}
input_type: structured
input_fields:
  - name: number
    data_type: int
objects:
  - name: {object}
    reference_type: model
    reference_name: {model}
    reference_version: v1
attachments:
  - source_name: pipeline_start
    destination_name: {object}
    mapping:
      - source_field_name: number
        destination_field_name: param1
"""
SHELL = Path(__file__).parent / "clients" / "ubiops-cli" / "shell.py"
BUILD_S = 60


@pytest.fixture(scope="module")
def cli(server: Any, client_python: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cli]:
    """The program as it was released, started once for all commands.

    It keeps its configuration, the token included, inside its own package; a copy of the package in front of the
    installed one keeps the environment clean and this session apart from others.
    """
    folder = tmp_path_factory.mktemp("ubiops-cli")
    python = client_python("ubiops-cli")
    installed = next(python.parents[1].glob("lib/python3.*/site-packages/pkg"))
    shutil.copytree(installed, folder / "pkg", ignore=shutil.ignore_patterns(".config", "__pycache__"))
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("QUADRAT_", "PYTHON"))}
    process = subprocess.Popen(
        [python, SHELL],
        env=inherited | {"PYTHONPATH": str(folder)},
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None

    def run(*arguments: str, fails: bool = False) -> str:
        process.stdin.write(json.dumps(arguments) + "\n")
        process.stdin.flush()
        said: str = json.loads(process.stdout.readline())
        # Its exit code is 0 even when it fails: what it says counts.
        assert ("Error" in said) is fails, (arguments, said)
        return said

    greeting = run("signin", "--token", "--api", f"{server.url}/v2.1/", "-p", f"Token {server.token}")
    assert "Welcome" in greeting
    yield run
    process.stdin.close()
    process.wait(60)
    process.stdout.close()


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


@pytest.fixture(scope="module")
def model(cli: Cli, project: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A deployed one, in the program's current project."""
    folder, name = tmp_path_factory.mktemp("package"), f"model-{secrets.token_hex(4)}"
    (folder / "model.yaml").write_text(MODEL_YAML.format(name=name))
    (folder / "version.yaml").write_text(VERSION_YAML)
    package = folder / "package"
    package.mkdir()
    (package / "model.py").write_text(MODEL)
    cli("current_project", "set", project)
    cli("models", "create", "-f", str(folder / "model.yaml"))
    cli("models", "deploy", name, "-d", str(package), "-f", str(folder / "version.yaml"), "-y")
    deadline = time.monotonic() + BUILD_S
    while (status := shown(cli, "model_versions", "get", "v1", "-m", name)["status"]) != "available":
        assert "failed" not in status, status
        assert time.monotonic() < deadline, status
        time.sleep(0.2)
    return name


def shown(cli: Cli, *arguments: str) -> Any:
    return json.loads(cli(*arguments, "-fmt", "json"))


def test_model_is_deployed_and_answers(cli: Cli, model: str):
    assert model in {item["name"] for item in shown(cli, "models", "list")}
    assert "v1" in {item["version"] for item in shown(cli, "model_versions", "list", "-m", model)}
    answer = shown(cli, "models", "request", model, "-v", "v1", "-d", '{"param1": 7}')
    assert (answer["success"], answer["result"]) == (True, "got 7")
    assert "400" not in cli("models", "request", model, "-v", "v1", "-d", '{"param1": "x"}', fails=True)
    made = shown(cli, "models", "batch_requests", "create", model, "-v", "v1", "-d", '{"param1": 8}')
    request_id = made[0]["id"]

    def ended() -> Any:
        (found,) = shown(cli, "models", "batch_requests", "get", model, "-v", "v1", "-id", request_id)
        return found if found["status"] in {"completed", "failed"} else None

    assert until(ended)["result"] == "got 8"
    assert request_id in cli("models", "batch_requests", "list", model, "-v", "v1")


def test_logs_are_listed_and_one_is_shown_whole(cli: Cli, model: str):
    shown(cli, "models", "request", model, "-v", "v1", "-d", '{"param1": 1234}')

    def written() -> str | None:
        lines = cli("logs", "list", "-m", model, "-v", "v1", "--system", "False", "--limit", "500")
        return lines if "asked with 1234" in lines else None

    assert until(written)
    first = id_of_a_line(cli, model)
    one = shown(cli, "logs", "get", first)
    assert (one["id"], one["model_name"], one["model_version"]) == (first, model, "v1")
    assert "No logs found" in cli("logs", "list", "-m", "no-such-model")
    cli("logs", "list", "--start_date", "soon", fails=True)


def id_of_a_line(cli: Cli, model: str) -> str:
    """The id of a line, as the program shows it."""
    found = re.search(r"[0-9a-f]{24}", cli("logs", "list", "-m", model))
    assert found
    return found[0]


@pytest.mark.parametrize("level", [(), ("-m",), ("-m", "-v")])
def test_environment_variables_live_on_every_level(cli: Cli, model: str, level: tuple[str, ...]):
    at = [word for option in level for word in (option, {"-m": model, "-v": "v1"}[option])]
    name = "LEVEL_" + "ABC"[len(level)]
    cli("environment_variables", "create", name, "--value", "one", *at)
    (made,) = [item for item in shown(cli, "environment_variables", "list", *at) if item["name"] == name]
    assert shown(cli, "environment_variables", "get", made["id"], *at)["value"] == "one"
    cli("environment_variables", "update", made["id"], "--value", "two", "--secret", *at)
    (hidden,) = [item for item in shown(cli, "environment_variables", "list", *at) if item["name"] == name]
    assert (hidden.get("value"), hidden["secret"]) == (None, True)
    cli("environment_variables", "create", name, "--value", "again", *at, fails=True)
    cli("environment_variables", "delete", made["id"], "-y", *at)
    cli("environment_variables", "get", made["id"], *at, fails=True)


def test_pipeline_is_made_asked_changed_and_scheduled(cli: Cli, model: str, tmp_path: Path):
    name, path = f"pipe-{secrets.token_hex(4)}", tmp_path / "pipeline.yaml"
    path.write_text(PIPELINE_YAML.format(name=name, model=model, object="first"))
    cli("pipelines", "create", "-f", str(path))
    assert name in {item["name"] for item in shown(cli, "pipelines", "list")}
    answer = shown(cli, "pipelines", "request", name, "-d", '{"number": 5}')
    assert [item["result"] for item in answer["model_requests"]] == ["got 5"]
    cli("pipelines", "request", name, "-d", '{"number": "five"}', fails=True)
    path.write_text(PIPELINE_YAML.format(name=name, model=model, object="other"))
    assert "successfully updated" in cli("pipelines", "update", name, "-f", str(path))
    saved = tmp_path / "saved.yaml"
    cli("pipelines", "get", name, "-o", str(saved))
    assert "destination_name: other" in saved.read_text()
    made = shown(cli, "pipelines", "batch_requests", "create", name, "-d", '{"number": 6}', "-d", '{"number": 7}')
    ids = [item["id"] for item in made]
    assert len(ids) == 2

    options = [word for id_ in ids for word in ("-id", id_)]

    def ended() -> str | None:
        # As JSON the program itself cannot show these.
        said = cli("pipelines", "batch_requests", "get", name, *options)
        return said if "got 6" in said and "got 7" in said else None

    assert until(ended)
    at = ["-ot", "pipeline", "-on", name, "-d", '{"number": 1}', "-s", "0 3 * * *"]
    cli("schedules", "create", f"{name}-nightly", *at)
    cli("schedules", "create", f"{name}-nightly", *at, fails=True)
    assert f"{name}-nightly" in {item["name"] for item in shown(cli, "schedules", "list")}
    cli("pipelines", "update", name, "-n", f"{name}-new")
    cli("pipelines", "get", name, fails=True)
    cli("pipelines", "delete", f"{name}-new", "-y")
    assert f"{name}-nightly" not in cli("schedules", "list")


def test_signin_with_a_password_then_out(cli: Cli, server: Any, project: str):
    cli("signin", "--api", f"{server.url}/v2.1", "-e", server.email, "-p", "Wrong-pass-1", fails=True)
    welcome = cli("signin", "--bearer", "--api", f"{server.url}/v2.1", "-e", server.email, "-p", server.password)
    assert "Welcome" in welcome
    assert cli("user", "get").strip() == server.email
    assert "Authorized" in cli("status")
    cli("signout")
    cli("projects", "list", fails=True)
    # The others go on with the token.
    cli("signin", "--token", "--api", f"{server.url}/v2.1/", "-p", f"Token {server.token}")
    cli("current_project", "set", project)


def until(look: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + BUILD_S
    while not (found := look()):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return found


@pytest.mark.parametrize("name", ["image.png", "team name.tiff", "a.bin"])
def test_blob_goes_up_and_comes_down_under_its_name(cli: Cli, model: str, tmp_path: Path, name: str):
    content = os.urandom(100_000)
    (tmp_path / name).write_bytes(content)
    made = shown(cli, "blobs", "create", "-f", str(tmp_path / name), "-ttl", "1000")
    assert (made["filename"], int(made["size"]), int(made["ttl"])) == (name, len(content), 1000)
    assert made["id"] in {item["id"] for item in shown(cli, "blobs", "list")}
    (tmp_path / "down").mkdir()
    cli("blobs", "get", made["id"], "-o", str(tmp_path / "down"))
    assert (tmp_path / "down" / name).read_bytes() == content
    cli("blobs", "delete", made["id"], "-y")
    cli("blobs", "get", made["id"], "-o", str(tmp_path / "down"), fails=True)


def test_packaged_version_is_created_uploaded_asked_replaced_and_downloaded(cli: Cli, model: str, tmp_path: Path):
    (tmp_path / "version.yaml").write_text(VERSION_YAML.replace("v1", "v2"))
    (tmp_path / "code").mkdir()
    at = ("-v", "v2")

    def upload(answer: str, *options: str, fails: bool = False) -> Path:
        (tmp_path / "code" / "entry.py").write_text(
            f"class Model:\n    def request(self, data):\n        return {answer!r}\n"
        )
        target = tmp_path / f"{answer}.zip"
        cli("models", "package", "-m", model, *at, "-d", str(tmp_path / "code"), "-o", str(target), "-y")
        cli("models", "upload", model, *at, "-z", str(target), *options, fails=fails)
        return target

    def answers(wanted: str) -> bool:
        deadline = time.monotonic() + BUILD_S
        while (version := shown(cli, "model_versions", "get", "v2", "-m", model))["status"] != "available":
            assert "failed" not in version["status"], version
            assert time.monotonic() < deadline, version
            time.sleep(0.2)
        answer = shown(cli, "models", "request", model, *at, "-d", '{"param1": 7}')
        return (answer["success"], answer["result"]) == (True, wanted)

    yaml = str(tmp_path / "version.yaml")
    cli("model_versions", "create", "v2", "-m", model, "-f", yaml, "-model_py", "entry")
    cli("models", "request", model, *at, "-d", '{"param1": 7}', fails=True)
    upload("one")
    assert answers("one")
    upload("two", fails=True)
    second = upload("three", "--overwrite")
    assert answers("three")
    cli("models", "download", model, *at, "-o", str(tmp_path / "down.zip"))
    assert (tmp_path / "down.zip").read_bytes() == second.read_bytes()
    cli("model_versions", "delete", "v2", "-m", model, "-y")
    cli("models", "download", model, *at, "-o", str(tmp_path), fails=True)
