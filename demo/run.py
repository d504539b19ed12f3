"""`make demo`: start a server on a temporary data directory, run the main job through the real clients, stop.

The job itself stands in `drive.py`; it runs in an environment of its own with the two unchanged client programs. A
second act, `look.py`, measures where somebody looked; the last one, `review.py`, predicts, reviews and exports objects.
"""

import argparse
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from quadrat.db.embedded import EmbeddedPostgres

HERE = Path(__file__).parent
DRIVER_PYTHON = HERE.parent / ".venvs" / "demo" / "bin" / "python"
STOP_TIMEOUT_S = 60
ACTS = (
    ("drive.py", "--results", HERE / "results.csv"),
    ("look.py", "--heatmap", HERE / "heatmap.png"),
    ("review.py",),
)


def start_server(data_dir: Path, token: str) -> tuple[subprocess.Popen[str], str]:
    """A real `quadrat serve` on a free port; returns it with its address once it answers."""
    log = (data_dir / "server.log").open("w")
    process = subprocess.Popen(
        [sys.executable, "-m", "quadrat.cli.main", "--data-dir", str(data_dir), "serve", "--port", "0"],
        env={
            **os.environ,
            "QUADRAT_ADMIN_EMAIL": "demo@example.org",
            "QUADRAT_ADMIN_PASSWORD": secrets.token_urlsafe(12),
            "QUADRAT_ADMIN_TOKEN": token,
        },
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        found = re.search(r"http://\S+", line)
        if found:
            return process, found.group()
    process.wait()
    sys.exit(f"The server did not start:\n{(data_dir / 'server.log').read_text()[-4000:]}")


def make_table(data_dir: Path) -> dict[str, str]:
    """A table for a connector, in a database of its own on the embedded server; returns what opens it."""
    server = make_url(EmbeddedPostgres(data_dir.resolve()).url)
    password = secrets.token_urlsafe(16)
    with psycopg.connect(server.render_as_string(hide_password=False), autocommit=True) as conn:
        conn.execute(sql.SQL("CREATE ROLE demo LOGIN PASSWORD {}").format(sql.Literal(password)))
        conn.execute("CREATE DATABASE demo OWNER demo")
    target = server.set(username="demo", password=password, database="demo")
    with psycopg.connect(target.render_as_string(hide_password=False), autocommit=True) as conn:
        # With the message's id each row arrives exactly once.
        conn.execute("CREATE TABLE predictions (label bigint, margin float8, quadrat_message_id uuid UNIQUE)")
    host, port = str(target.query["host"]), str(target.port or 5432)
    return {"username": "demo", "password": password, "host": host, "port": port}


def count_rows(target: dict[str, str]) -> int:
    """How many rows the connector has written."""
    account = {"user": target["username"], "password": target["password"], "host": target["host"]}
    with psycopg.connect(**account, port=target["port"], dbname="demo") as conn:
        found = conn.execute("SELECT count(*) FROM predictions").fetchone()
    assert found is not None
    return int(found[0])


def run_act(act: str, *options: str | Path, address: str, token: str, target: dict[str, str]) -> int:
    """One part of the demo as a program of its own; its exit code."""
    environment = {
        **os.environ,
        "QUADRAT_DEMO_TOKEN": token,
        "QUADRAT_DEMO_TARGET": json.dumps(target),
        "LIGHTLY_DID_VERSION_CHECK": "True",
    }
    command = [DRIVER_PYTHON, HERE / act, "--url", address, *options]
    return subprocess.run(command, env=environment, check=False).returncode


def page_of(address: str, token: str) -> str:
    """Where the demo's objects are ready to be sorted; sign in with the token."""
    request = urllib.request.Request(f"{address}/ui/api/projects", headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request) as answer:
        projects = {project["name"]: project["id"] for project in json.load(answer)}
    return f"{address}/ui/#/p/{projects['handwritten-digits']}/sort?statusfilter=P"


def stop_server(process: subprocess.Popen[str]) -> None:
    """As Ctrl-C does."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        sys.exit("The server did not stop in time and was killed.")


def main() -> None:
    """Run the demo; with --keep leave the server running."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave the server running and print its address")
    keep = parser.parse_args().keep
    data_dir = Path(tempfile.mkdtemp(prefix="quadrat-demo-"))
    token = secrets.token_hex(20)
    process, address = start_server(data_dir, token)
    code: int | str = 0
    try:
        target = make_table(data_dir)
        for act, *options in ACTS:
            code = code or run_act(act, *options, address=address, token=token, target=target)
        rows = count_rows(target)
        print(f"Rows that the connector has written into the embedded database: {rows}.")
        code = code or (0 if rows else "The connector has written nothing.")
    except KeyboardInterrupt:
        code = 130
    if keep and code == 0:
        print(f"""
The server goes on running.
  address    {address}
  pages      {page_of(address, token)}
  token      {token}
  data       {data_dir}
  log        {data_dir / "server.log"}
  stop it    kill -INT {process.pid}""")
        return
    stop_server(process)
    if code == 0:
        shutil.rmtree(data_dir)
    else:
        print(f"The server's log and data are kept in {data_dir}.", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
