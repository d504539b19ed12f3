"""What may be committed: no host, no path of one machine, named decisions, a README that starts with two commands."""

import re
from pathlib import Path

import pytest

PACKAGE_HOST = re.compile(
    r"https?://[^ \"'<>]+/(simple|packages|-)/[^ \"'<>]+\.(whl|tgz|tar\.gz)|https?://[^ \"'<>]+/simple(/|\b)"
)
HOME = re.compile(r"(?<![\w.])(/(root|home/[a-z][\w-]*|Users/\w+)/|[A-Z]:\\Users\\)")
#: Folders that many machines have: a path below them names none in particular.
SHARED_FOLDERS = {Path(name) for name in ("/", "/tmp", "/home", "/opt", "/srv", "/usr", "/var", "/mnt", "/builds")}


def lines(committed: list[Path]) -> list[tuple[Path, int, str]]:
    found = []
    for path in committed:
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            continue
        found += [(path, number, line) for number, line in enumerate(text.splitlines(), 1)]
    return found


def test_no_file_names_a_package_host(root: Path, committed: list[Path]):
    hits = [
        f"{path.relative_to(root)}:{number}" for path, number, line in lines(committed) if PACKAGE_HOST.search(line)
    ]
    assert hits == []


def test_no_file_names_a_path_of_one_machine(root: Path, committed: list[Path]):
    here = {f"{folder}/" for folder in (root, root.parent) if folder not in SHARED_FOLDERS}
    hits = [
        f"{path.relative_to(root)}:{number}"
        for path, number, line in lines(committed)
        if HOME.search(line) or any(folder in line for folder in here)
    ]
    assert hits == []


@pytest.mark.parametrize("path", ["simple", "simple/", "packages/ab/cd/name-1.0-py3-none-any.whl"])
def test_package_host_rule_sees_an_index_address(path: str):
    assert PACKAGE_HOST.search(f"--index-url https://pypi.example.org/{path}")


def test_locked_requirements_are_pinned_with_hashes_and_name_no_index(root: Path):
    for path in sorted((root / "requirements").rglob("*.txt")):
        text = path.read_text("utf-8")
        assert "://" not in text, path
        assert not re.search(r"^\s*(-i|-f|--(extra-)?index-url|--find-links)\b", text, re.MULTILINE), path
        for requirement in text.replace("\\\n", " ").splitlines():
            if requirement.strip() and not requirement.startswith("#"):
                assert re.match(r"[\w.-]+(\[[\w,-]+\])?==\S+ .*--hash=sha256:", requirement), (path, requirement)


def test_every_lock_has_its_wish_list(root: Path):
    folder = root / "requirements"
    locks = {path.relative_to(folder).with_suffix("") for path in folder.rglob("*.txt")}
    wishes = {path.relative_to(folder).with_suffix("") for path in folder.rglob("*.in")}
    # What the package itself needs stands in pyproject.toml.
    assert locks == wishes | {Path("base")}


def test_decisions_are_numbered_once_and_titled(root: Path):
    names = sorted(path.name for path in (root / "docs" / "decisions").iterdir())
    assert names
    assert [name for name in names if not re.fullmatch(r"\d{3}-[a-z0-9]+(-[a-z0-9]+)*\.md", name)] == []
    numbers = [name[:3] for name in names]
    assert len(set(numbers)) == len(numbers)
    for name in names:
        assert (root / "docs" / "decisions" / name).read_text("utf-8").startswith("# "), name


def test_readme_opens_with_two_commands(root: Path):
    opening = (root / "README.md").read_text("utf-8").partition("\n## ")[0]
    blocks = re.findall(r"```\w*\n(.*?)```", opening, re.DOTALL)
    assert blocks, "the part above the first heading shows no command"
    commands = [line for line in blocks[0].splitlines() if line and not line.startswith("#")]
    assert len(commands) == 2
    targets = set(re.findall(r"^([a-z-]+):", (root / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert {command.split()[1] for command in commands if command.startswith("make ")} <= targets
