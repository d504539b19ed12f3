"""`make demo`: start a server on a temporary data directory, run the main job through the real clients, stop.

The job itself stands in `drive.py`; it runs in an environment of its own with the two unchanged client programs. A
second act, `look.py`, measures where somebody looked.
"""

import argparse
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
DRIVER_PYTHON = HERE.parent / ".venvs" / "demo" / "bin" / "python"
STOP_TIMEOUT_S = 60


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
    acts = (["drive.py", "--results", HERE / "results.csv"], ["look.py", "--heatmap", HERE / "heatmap.png"])
    code = 0
    try:
        for program, *options in acts:
            code = (
                code
                or subprocess.run(
                    [DRIVER_PYTHON, HERE / program, "--url", address, *options],
                    env={**os.environ, "QUADRAT_DEMO_TOKEN": token, "LIGHTLY_DID_VERSION_CHECK": "True"},
                    check=False,
                ).returncode
            )
    except KeyboardInterrupt:
        code = 130
    if keep and code == 0:
        print(f"""
The server goes on running.
  address    {address}
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
