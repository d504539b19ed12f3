"""Archives as people and attackers make them."""

import io
import stat
import zipfile
from pathlib import Path

import pytest
from tests.unit.runner.conftest import pack

from quadrat.runner import package
from quadrat.runner.base import BuildError, BuildStage
from quadrat.runner.package import find_package_dir, unpack

GOOD = {"model_package/model.py": "class Model: ...", "model_package/data/weights.bin": b"\0\1"}


def unpacked(tmp_path: Path, archive: bytes) -> Path:
    (tmp_path / "package.zip").write_bytes(archive)
    (tmp_path / "scratch").mkdir()
    return unpack(tmp_path / "package.zip", tmp_path / "scratch", tmp_path / "target")


def refusal(tmp_path: Path, archive: bytes) -> str:
    with pytest.raises(BuildError) as refused:
        unpacked(tmp_path, archive)
    assert refused.value.stage is BuildStage.PACKAGE
    assert not (tmp_path / "target").exists()
    return refused.value.message


def entry(name: str, mode: int, content: bytes = b"x") -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("model_package/model.py", "x")
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        archive.writestr(info, content)
    return target.getvalue()


def test_unpack_good_archive_puts_it_in_place(tmp_path: Path) -> None:
    found = unpacked(tmp_path, pack(GOOD))
    assert found == tmp_path / "target" / "model_package"
    assert (found / "data" / "weights.bin").read_bytes() == b"\0\1"
    assert not (tmp_path / "scratch").exists()


def test_unpack_under_strict_umask_is_readable_by_others(tmp_path: Path, strict_umask: None) -> None:
    found = unpacked(tmp_path, pack(GOOD))
    assert stat.S_IMODE(found.stat().st_mode) == 0o755
    assert stat.S_IMODE((found / "data").stat().st_mode) == 0o755
    assert stat.S_IMODE((found / "model.py").stat().st_mode) == 0o644


def test_unpack_executable_stays_executable(tmp_path: Path) -> None:
    found = unpacked(tmp_path, entry("model_package/tool", stat.S_IFREG | 0o4755))
    assert stat.S_IMODE((found / "tool").stat().st_mode) == 0o755


def test_unpack_windows_slashes_make_directories(tmp_path: Path) -> None:
    found = unpacked(tmp_path, entry("model_package\\deep\\x.txt", 0))
    assert (found / "deep" / "x.txt").read_text() == "x"


def test_unpack_already_there_keeps_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "target" / "model_package").mkdir(parents=True)
    (tmp_path / "target" / "model_package" / "first.txt").touch()
    assert unpacked(tmp_path, pack(GOOD)) == tmp_path / "target" / "model_package"
    assert (tmp_path / "target" / "model_package" / "first.txt").exists()
    assert not (tmp_path / "scratch").exists()


@pytest.mark.parametrize("archive", [b"", b"PK\x03\x04 not really", b"\x1f\x8b\x08" + b"x" * 100])
def test_unpack_bytes_that_are_no_zip_are_refused(tmp_path: Path, archive: bytes) -> None:
    assert "not a readable zip archive" in refusal(tmp_path, archive)


def test_unpack_truncated_content_is_refused(tmp_path: Path) -> None:
    archive = bytearray(pack({"model_package/model.py": bytes(range(256)) * 100}))
    archive[80:120] = b"\xff" * 40
    assert "not a readable zip archive" in refusal(tmp_path, bytes(archive))


@pytest.mark.parametrize(
    "name", ["../evil.py", "/etc/evil.py", "model_package/../../evil.py", "..\\evil.py", "C:\\x.py"]
)
def test_unpack_path_that_leaves_the_package_is_refused_by_name(tmp_path: Path, name: str) -> None:
    message = refusal(tmp_path, entry(name, 0))
    assert "points outside of the package" in message
    assert repr(name) in message
    assert list(tmp_path.rglob("evil.py")) == []


@pytest.mark.parametrize(
    ("kind", "text"), [(stat.S_IFLNK, "is a symbolic link"), (stat.S_IFIFO, "neither"), (stat.S_IFBLK, "neither")]
)
def test_unpack_special_file_is_refused_by_name(tmp_path: Path, kind: int, text: str) -> None:
    message = refusal(tmp_path, entry("model_package/shadow", kind | 0o777, b"/etc/shadow"))
    assert text in message
    assert "'model_package/shadow'" in message


def test_unpack_bomb_stops_early(tmp_path: Path) -> None:
    bomb = pack({"model_package/model.py": "x", "model_package/zeros": b"\0" * (100 * 1024 * 1024)})
    assert len(bomb) < 200_000
    assert "unpacks to far more bytes" in refusal(tmp_path, bomb)
    written = sum(path.stat().st_size for path in (tmp_path / "scratch").rglob("*"))
    assert written <= package.RATIO_FREE_BYTES


def test_unpack_too_many_entries_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "ENTRY_LIMIT", 5)
    message = refusal(tmp_path, pack({f"model_package/{number}.py": "" for number in range(6)}))
    assert message == "The archive has 6 entries; at most 5 are allowed."


def test_unpack_file_that_is_also_a_directory_is_refused(tmp_path: Path) -> None:
    archive = pack({"model_package/model.py": "x", "model_package/a": "file", "model_package/a/b": "below"})
    assert "'model_package/a/b' is both a file and a directory" in refusal(tmp_path, archive)


def test_unpack_encrypted_entry_is_refused(tmp_path: Path) -> None:
    archive = bytearray(entry("model_package/secret.txt", 0))
    position = archive.find(b"PK\x01\x02", archive.find(b"PK\x01\x02") + 1)
    archive[position + 8] |= 1
    local = archive.find(b"PK\x03\x04", 1)
    archive[local + 6] |= 1
    assert "cannot be unpacked" in refusal(tmp_path, bytes(archive))


def test_unpack_too_long_name_is_refused_and_shortened(tmp_path: Path) -> None:
    message = refusal(tmp_path, entry("model_package/" + "ä" * 200, 0))
    assert "too long a name" in message
    assert len(message) < 200


@pytest.mark.parametrize(
    ("files", "text"),
    [
        ({"model.py": "x"}, "no directory model_package"),
        ({"a/model.py": "x", "b/model.py": "x"}, "no directory model_package"),
        ({"model_package/readme.txt": "x"}, "main file model_package/model.py is missing"),
        ({"deployment_package/readme.txt": "x"}, "main file deployment_package/deployment.py is missing"),
    ],
)
def test_unpack_archive_without_a_package_is_refused(tmp_path: Path, files: dict[str, str], text: str) -> None:
    assert text in refusal(tmp_path, pack(files))


def test_find_package_dir_prefers_the_known_names(tmp_path: Path) -> None:
    for name in ("zzz", "deployment_package", "aaa"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "main.py").touch()
    assert find_package_dir(tmp_path) == tmp_path / "deployment_package"
