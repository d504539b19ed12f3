import io
import os
import struct
import zipfile
from pathlib import Path

import pytest

from quadrat.errors import QuadratError
from quadrat.objects.archive.directory import ZipArchive
from quadrat.objects.archive.reading import DamagedMemberError, open_archive, read_blocks, read_member
from quadrat.objects.archive.types import ArchiveLimits


def packed(path: Path, files: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


FILES = {"ecotaxa.tsv": b"object_id\n", "img/a.png": b"\x89PNG" * 100_000, "img/empty.png": b"", "tiefsee-ä.txt": b"x"}


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_zip_gives_back_what_was_packed(tmp_path: Path, compression: int):
    archive = open_archive(packed(tmp_path / "a.zip", FILES, compression))
    assert list(archive.names()) == list(FILES)
    for name, content in FILES.items():
        place = archive.find(name)
        assert place is not None
        assert read_member(place) == content
    assert archive.find("nothing") is None


def test_folder_gives_back_what_lies_in_it(tmp_path: Path):
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    archive = open_archive(tmp_path)
    assert set(archive.names()) == set(FILES)
    place = archive.find("img/a.png")
    assert place is not None
    assert read_member(place) == FILES["img/a.png"]


def test_zip64_and_bytes_before_the_archive_are_understood(tmp_path: Path):
    plain = packed(tmp_path / "plain.zip", {f"f{number}.txt": str(number).encode() for number in range(70_000)})
    shifted = tmp_path / "shifted.zip"
    shifted.write_bytes(b"#!/bin/sh\n" + plain.read_bytes())
    for path in (plain, shifted):
        archive = open_archive(path)
        assert len(archive) == 70_000
        place = archive.find("f69999.txt")
        assert place is not None
        assert read_member(place) == b"69999"


def test_zip_read_in_pieces_holds_little(tmp_path: Path):
    archive = open_archive(packed(tmp_path / "a.zip", {"big.tsv": os.urandom(1000) * 3000}))
    place = archive.find("big.tsv")
    assert place is not None
    pieces = [len(piece) for piece in read_blocks(place)]
    assert sum(pieces) == 3_000_000
    assert max(pieces) <= 256 * 1024


@pytest.mark.parametrize("name", ["../x.png", "a/../../x.png", "/etc/passwd", "C:/x.png", "..\\x.png", "\\\\host\\x"])
def test_zip_with_a_name_that_leads_out_is_refused(tmp_path: Path, name: str):
    with pytest.raises(QuadratError, match="unsafe name"):
        open_archive(packed(tmp_path / "a.zip", {name: b"x"}))


def test_zip_with_a_link_is_refused(tmp_path: Path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        link = zipfile.ZipInfo("a.png")
        link.create_system = 3
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(QuadratError, match="a link"):
        open_archive(path)


def test_folder_with_a_link_is_refused(tmp_path: Path):
    (tmp_path / "a.png").symlink_to("/etc/passwd")
    with pytest.raises(QuadratError, match="a link"):
        open_archive(tmp_path)


def test_file_that_became_a_link_is_not_followed(tmp_path: Path):
    (tmp_path / "a.png").write_bytes(b"x")
    place = open_archive(tmp_path).find("a.png")
    (tmp_path / "a.png").unlink()
    (tmp_path / "a.png").symlink_to("/etc/passwd")
    assert place is not None
    with pytest.raises(DamagedMemberError):
        read_member(place)


def test_bomb_is_refused(tmp_path: Path):
    path = packed(tmp_path / "a.zip", {"a.tsv": bytes(20_000_000)})
    with pytest.raises(QuadratError, match="grow too much"):
        ZipArchive(path, ArchiveLimits(free_bytes=1_000_000))


def test_bomb_of_members_that_share_bytes_is_refused(tmp_path: Path):
    content = packed(tmp_path / "a.zip", {"a.tsv": b"x" * 1000, "b.tsv": b"x" * 1000}).read_bytes()
    directory = content.index(b"PK\x01\x02")
    second = content.index(b"PK\x01\x02", directory + 4)
    overlapping = content[: second + 42] + struct.pack("<L", 0) + content[second + 46 :]
    (tmp_path / "b.zip").write_bytes(overlapping)
    with pytest.raises(QuadratError, match="overlap"):
        open_archive(tmp_path / "b.zip")


def test_member_that_is_larger_than_it_says_is_cut_off(tmp_path: Path):
    content = packed(tmp_path / "a.zip", {"a.tsv": b"x" * 5_000_000}).read_bytes()
    directory = content.index(b"PK\x01\x02")
    lying = content[: directory + 24] + struct.pack("<L", 10) + content[directory + 28 :]
    (tmp_path / "b.zip").write_bytes(lying)
    place = open_archive(tmp_path / "b.zip").find("a.tsv")
    assert place is not None
    with pytest.raises(DamagedMemberError):
        read_member(place)


def test_damaged_member_is_found(tmp_path: Path):
    content = bytearray(packed(tmp_path / "a.zip", {"a.tsv": b"x" * 100}, zipfile.ZIP_STORED).read_bytes())
    content[content.index(b"xxxx")] = ord("y")
    (tmp_path / "b.zip").write_bytes(content)
    place = open_archive(tmp_path / "b.zip").find("a.tsv")
    assert place is not None
    with pytest.raises(DamagedMemberError, match="damaged"):
        read_member(place)


def test_encrypted_or_uncommon_or_repeated_members_are_refused(tmp_path: Path):
    content = packed(tmp_path / "a.zip", {"a.tsv": b"x"}).read_bytes()
    directory = content.index(b"PK\x01\x02")
    (tmp_path / "b.zip").write_bytes(content[: directory + 8] + b"\x01\x00" + content[directory + 10 :])
    with pytest.raises(QuadratError, match="encrypted"):
        open_archive(tmp_path / "b.zip")
    with pytest.raises(QuadratError, match="uncommon"):
        open_archive(packed(tmp_path / "c.zip", {"a.tsv": b"x" * 1000}, zipfile.ZIP_BZIP2))
    with zipfile.ZipFile(tmp_path / "d.zip", "w") as archive:
        archive.writestr("a.tsv", "1")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.tsv", "2")
    with pytest.raises(QuadratError, match="twice"):
        open_archive(tmp_path / "d.zip")


@pytest.mark.parametrize("content", [b"", b"PK", b"not a zip" * 100, b"PK\x05\x06" + b"\xff" * 18])
def test_what_is_no_zip_is_refused(tmp_path: Path, content: bytes):
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(QuadratError):
        open_archive(tmp_path / "a.zip")


def test_every_truncation_of_a_zip_is_refused_or_found_damaged(tmp_path: Path):
    content = packed(tmp_path / "a.zip", {"a.tsv": b"abc" * 10, "b.png": b"x"}).read_bytes()
    for length in range(len(content)):
        (tmp_path / "b.zip").write_bytes(content[:length])
        with pytest.raises(QuadratError):
            open_archive(tmp_path / "b.zip")


def test_clutter_of_desktops_is_left_out(tmp_path: Path):
    archive = open_archive(packed(tmp_path / "a.zip", {"__MACOSX/._a.png": b"x", "x/.DS_Store": b"x", "a.png": b"x"}))
    assert list(archive.names()) == ["a.png"]


def test_archive_made_in_memory_with_unknown_sizes_is_read(tmp_path: Path):
    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            self.content = b""

        def writable(self) -> bool:
            return True

        def write(self, data) -> int:  # type: ignore[no-untyped-def]
            self.content += bytes(data)
            return len(data)

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:  # streams: sizes stand behind the bytes
        archive.writestr("a.tsv", b"abc")
    (tmp_path / "a.zip").write_bytes(pipe.content)
    place = open_archive(tmp_path / "a.zip").find("a.tsv")
    assert place is not None
    assert read_member(place) == b"abc"
