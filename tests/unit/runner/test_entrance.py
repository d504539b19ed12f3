"""What is started in the place of an environment's own Python."""

import dataclasses
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.runner.conftest import Workbench

from quadrat.runner import shim as shim_module
from quadrat.runner.accounts import Account, own_account
from quadrat.runner.base import InstanceSpec
from quadrat.runner.entrance import provide_entrance, script_of
from quadrat.runner.interpreters import NEWEST_MINOR, OLDEST_MINOR, Interpreter, Interpreters
from quadrat.runner.session import Session, open_session

pytestmark = pytest.mark.anyio
_STRANGER = 48_000


@pytest.fixture
def session(open_dir: Path) -> Iterator[Session]:
    session = open_session(open_dir / "run")
    yield session
    session.close()


@pytest.fixture
def shim(open_dir: Path) -> Path:
    folder = open_dir / "shim"
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)
    (folder / "s.py").write_text("print(1)\n")
    (folder / "s.py").chmod(0o644)
    return folder / "s.py"


def interpreter(path: Path, script: str) -> Interpreter:
    """A program in the place of one; the last of its arguments names what it shall write."""
    path.write_text("#!/bin/sh\nfor last; do :; done\n" + script)
    path.chmod(0o755)
    return Interpreter(path, (3, 11, 0))


# What a program may learn of the environment in which it runs.
FACTS = """
import json, site, sys, sysconfig
facts = [sys.prefix, sys.exec_prefix, sys.executable, sys.base_prefix, sys.path[1:], site.PREFIXES]
print(json.dumps([*facts, site.ENABLE_USER_SITE, sysconfig.get_paths(), sys.early]))
"""
ENTER = f"""
import sys
sys.path.insert(0, {str(Path(shim_module.__file__).parent)!r})
import shim
del sys.path[0]
shim.enter(sys.argv[1], {{}})
"""


@pytest.mark.parametrize("minor", range(OLDEST_MINOR, NEWEST_MINOR + 1))
async def test_process_that_entered_an_environment_is_like_one_of_its_own_python(
    open_dir: Path, session: Session, shim: Path, minor: int
) -> None:
    real = await Interpreters(own_account()).find(f"python3.{minor}")
    if real is None or real.version[1] != minor:
        pytest.skip("this Python is not installed")
    environment = open_dir / f"environment-{minor}"
    subprocess.run([real.path, "-m", "venv", "--without-pip", environment], check=True)
    (packages,) = environment.glob("lib/python*/site-packages")
    (packages / "more").mkdir()
    (packages / "early.pth").write_text("more\nimport sys; sys.early = True\n")
    entrance = await provide_entrance(real, shim, session, own_account())
    inside = subprocess.check_output([entrance, "-B", "-c", ENTER + FACTS, environment])
    assert json.loads(inside) == json.loads(subprocess.check_output([environment / "bin" / "python", "-c", FACTS]))


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="all files have one owner")


@pytest.mark.parametrize("link", ["ln -s", pytest.param("ln", marks=needs_root)])
async def test_link_in_the_place_of_the_compiled_script_is_not_followed(
    open_dir: Path, session: Session, shim: Path, link: str
) -> None:
    foreign = open_dir / "foreign"
    foreign.write_text("of the server")
    foreign.chmod(0o666)  # to what they may write users may make hard links
    strange = interpreter(open_dir / f"linking{len(link)}", f'{link} {foreign} "$last"\n')
    account = Account(_STRANGER, _STRANGER) if os.geteuid() == 0 else own_account()
    program = await provide_entrance(strange, shim, session, account)
    assert script_of(program, shim) == shim


async def test_script_that_could_not_be_compiled_is_compiled_the_next_time(
    open_dir: Path, session: Session, shim: Path
) -> None:
    real = await Interpreters(own_account()).find("python3.8")
    assert real is not None
    slow = interpreter(open_dir / "slow", f'[ -e {open_dir}/ready ] && exec {real.path} "$@"\nexit 1\n')
    program = await provide_entrance(slow, shim, session, own_account())
    assert script_of(program, shim) == shim
    (open_dir / "ready").touch()
    assert await provide_entrance(slow, shim, session, own_account()) == program
    assert script_of(program, shim).name == "shim.pyc"


async def test_values_of_declared_variables_are_no_arguments_which_all_users_can_see(
    bench: Workbench, open_dir: Path
) -> None:
    tells = "import os\nclass Model:\n    def request(self, data): return [os.environ.get(name) for name in data]\n"
    prepared = await bench.prepare({"model_package/model.py": tells})
    entrance = open_dir / "telling" / "bin" / "python"
    entrance.parent.mkdir(parents=True)
    interpreter(entrance, f'echo "$@"\nexec {prepared.entrance} "$@"\n')
    telling = dataclasses.replace(prepared, entrance=entrance)
    declared = {"PYTHON_KEY": "hush", "OTHER_KEY": "hush-hush"}
    instance = await bench.runner.start(InstanceSpec(telling, {}, declared), bench.lines.append)
    bench.instances.append(instance)
    found = await instance.send("r", b'["PYTHON_KEY", "OTHER_KEY", "QUADRAT_LATER_PYTHON_KEY"]', 20.0)
    assert found.result == b'["hush","hush-hush",null]'
    said = " ".join(bench.texts())
    assert str(prepared.python) in said, "the instance was started by the program that tells"
    assert "hush" not in said
