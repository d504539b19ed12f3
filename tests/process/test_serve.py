import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from support.server import ADMIN_TOKEN, Server, environment, is_gone, quadrat, wait_for

Serve = Callable[..., Server]


def test_serve_on_empty_directory_answers_and_stops_with_everything(serve: Serve) -> None:
    server = serve(empty=True)
    assert httpx2.get(f"{server.url}/healthz").json() == {"status": "ok"}
    assert httpx2.get(f"{server.url}/readyz").json()["status"] == "ok"
    assert "quadrat_requests_total" in httpx2.get(f"{server.url}/metrics").text
    assert server.get("/v2.1/user").json()["email"] == "admin@example.org"
    worker, postmaster = server.worker(), server.postmaster()
    assert server.stop() == 0
    assert is_gone(worker)
    assert is_gone(postmaster)
    assert not (server.data_dir / "postgres" / "postmaster.pid").exists()


def test_serve_without_admin_settings_prints_the_token_once(serve: Serve) -> None:
    unset = {"QUADRAT_ADMIN_EMAIL": "", "QUADRAT_ADMIN_PASSWORD": "", "QUADRAT_ADMIN_TOKEN": ""}
    first = serve(empty=True, **unset)
    token = re.search(r"^\s+([0-9a-f]{40})$", "".join(first.stdout), re.MULTILINE)
    assert token is not None
    headers = {"Authorization": f"Token {token.group(1)}"}
    assert httpx2.get(f"{first.url}/v2.1/user", headers=headers).status_code == 200
    first.stop()
    second = serve(**unset)
    assert not re.search(r"[0-9a-f]{40}", "".join(second.stdout))
    assert httpx2.get(f"{second.url}/v2.1/user", headers=headers).status_code == 200
    assert token.group(1) not in second.log


def test_serve_second_on_the_same_directory_is_refused(serve: Serve) -> None:
    server = serve()
    refused = quadrat(server.data_dir, "serve", "--port", "0")
    assert refused.returncode == 1
    assert f"Another Quadrat (process {server.process.pid}) already runs on" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert httpx2.get(f"{server.url}/readyz").status_code == 200


def test_serve_port_in_use_says_so(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = quadrat(tmp_path / "data", "serve", "--port", str(port))
    assert refused.returncode == 1
    assert f"port {port}" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not (tmp_path / "data" / "postgres" / "postmaster.pid").exists()


def test_serve_unknown_setting_is_refused(tmp_path: Path) -> None:
    refused = quadrat(tmp_path / "data", "serve", QUADRAT_PROT="9000")
    assert refused.returncode == 1
    assert "QUADRAT_PROT is not a setting" in refused.stderr


def test_serve_terminated_stops_cleanly(serve: Serve) -> None:
    server = serve()
    assert server.stop(signal.SIGTERM) == 0
    assert not (server.data_dir / "postgres" / "postmaster.pid").exists()


def test_serve_terminated_while_it_starts_leaves_no_database_behind(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    command = [sys.executable, "-m", "quadrat.cli.main", "--data-dir", str(data_dir), "serve", "--port", "0"]
    process = subprocess.Popen(command, env=environment(), stderr=subprocess.DEVNULL, start_new_session=True)
    pid_file = data_dir / "postgres" / "postmaster.pid"
    wait_for(lambda: pid_file.exists() or None)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) != 0
    assert not pid_file.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGHUP, marks=pytest.mark.slow)])
def test_serve_whose_output_nobody_reads_any_more_stops_cleanly(tmp_path: Path, number: int) -> None:
    data_dir = tmp_path / "data"
    command = [sys.executable, "-m", "quadrat.cli.main", "--data-dir", str(data_dir), "serve", "--port", "0"]
    process = subprocess.Popen(
        command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    )
    assert process.stdout is not None
    with process.stdout as lines:
        assert any(b"http://" in line for line in lines)
    process.send_signal(number)
    assert process.wait(60) == 0
    assert not (data_dir / "postgres" / "postmaster.pid").exists()


def test_serve_killed_and_started_again_keeps_everything(serve: Serve) -> None:
    first = serve()
    organization = first.get("/v2.1/organizations").json()[0]["name"]
    made = first.post("/v2.1/projects", json={"name": "kept", "organization_name": organization})
    assert made.status_code == 201
    orphans = first.workers()
    first.kill()
    second = serve()
    assert [project["name"] for project in second.get("/v2.1/projects").json()] == ["kept"]
    wait_for(lambda: all(is_gone(orphan) for orphan in orphans))


def test_serve_worker_killed_is_started_again(serve: Serve) -> None:
    server = serve()
    killed = server.worker()
    killed.kill()
    assert wait_for(lambda: [worker for worker in server.workers() if worker.pid != killed.pid])
    assert "worker.died" in server.log


def test_serve_database_killed_answers_again_without_a_restart(serve: Serve) -> None:
    server = serve()
    killed = server.postmaster()
    killed.kill()
    wait_for(lambda: httpx2.get(f"{server.url}/readyz").status_code == 200 and is_gone(killed))
    assert server.get("/v2.1/user").status_code == 200
    assert server.process.poll() is None


def test_logs_never_hold_the_query_or_the_token(serve: Serve) -> None:
    server = serve()
    httpx2.get(f"{server.url}/v1/datasets", params={"token": ADMIN_TOKEN})
    httpx2.get(f"{server.url}/v1/nowhere", params={"token": ADMIN_TOKEN, "secret": "hush"})
    server.stop()
    lines = [json.loads(line) for line in server.log.splitlines() if line.startswith("{")]
    seen = [line for line in lines if line["event"] == "request.finished" and line["path"].startswith("/v1")]
    assert len(seen) == 2
    assert all(line["request_id"] for line in seen)
    assert ADMIN_TOKEN not in server.log
    assert "hush" not in server.log


def test_commands_make_users_and_tokens_with_and_without_a_running_server(serve: Serve, tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    made = quadrat(data_dir, "user", "create", "--email", "ada@example.org", "--password", "Correct-horse-2")
    assert made.returncode == 0, made.stderr
    cold = quadrat(data_dir, "token", "create", "--user", "ada@example.org", "--name", "cold")
    assert re.fullmatch(r"[0-9a-f]{40}\n", cold.stdout), cold.stderr
    server = serve(data_dir)
    warm = quadrat(data_dir, "token", "create", "--user", "ada@example.org", "--name", "warm")
    for token in (cold.stdout.strip(), warm.stdout.strip()):
        answer = httpx2.get(f"{server.url}/v2.1/user", headers={"Authorization": f"Token {token}"})
        assert answer.json()["email"] == "ada@example.org"
    listed = quadrat(data_dir, "token", "list", "--user", "ada@example.org")
    assert "cold" in listed.stdout
    assert cold.stdout.strip() not in listed.stdout
    assert quadrat(data_dir, "token", "revoke", "--user", "ada@example.org", "--name", "cold").returncode == 0
    headers = {"Authorization": f"Token {cold.stdout.strip()}"}
    wait_for(lambda: httpx2.get(f"{server.url}/v2.1/user", headers=headers).status_code == 401)


def test_version_needs_no_data_directory(tmp_path: Path) -> None:
    assert re.match(r"quadrat \d+\.\d+\.\d+", quadrat(tmp_path / "none", "version").stdout)
    assert not (tmp_path / "none").exists()


def test_db_upgrade_on_empty_directory_applies_all_and_then_nothing(tmp_path: Path) -> None:
    assert "Applied 0001" in quadrat(tmp_path / "data", "db", "upgrade").stdout
    assert "up to date" in quadrat(tmp_path / "data", "db", "upgrade").stdout
