"""Streamed zips, read by the standard library and by our own reader; names in them."""

import io
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from quadrat.objects.archive.reading import open_archive, read_member
from quadrat.objects.exporting.zip import ZipStream
from quadrat.objects.rules.export_names import FileNames, distinct, safe_folder, safe_path, taxon_folder

AT = datetime(2026, 11, 26, 12, 34, 56, tzinfo=UTC)


def small() -> bytes:
    stream = ZipStream(AT)
    parts = [stream.begin("a/ä.tsv", deflate=True), stream.write(b"text " * 1000), stream.write(b"end"), stream.end()]
    parts += [stream.store("i.png", b"\x89PNG"), stream.begin("large.bin", deflate=False), stream.write(bytes(3000))]
    parts += [stream.end(), *stream.finish()]
    return b"".join(parts)


def test_members_come_back_as_they_were_written():
    with zipfile.ZipFile(io.BytesIO(small())) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["a/ä.tsv", "i.png", "large.bin"]
        assert archive.read("a/ä.tsv") == b"text " * 1000 + b"end"
        assert archive.read("large.bin") == bytes(3000)
        info = archive.getinfo("i.png")
        assert (info.compress_type, info.file_size, info.date_time) == (
            zipfile.ZIP_STORED,
            4,
            (2026, 11, 26, 12, 34, 56),
        )


def test_our_importer_reads_it(tmp_path: Path):
    path = tmp_path / "a.zip"
    path.write_bytes(small())
    archive = open_archive(path)
    contents = {name: read_member(place) for name in archive.names() if (place := archive.find(name))}
    assert contents == {"a/ä.tsv": b"text " * 1000 + b"end", "i.png": b"\x89PNG", "large.bin": bytes(3000)}


def test_more_members_than_a_plain_zip_can_count(tmp_path: Path):
    n = 70_000
    stream = ZipStream(AT)
    path = tmp_path / "many.zip"
    with path.open("wb") as file:
        for number in range(n):
            file.write(stream.store(str(number), b"x"))
        for piece in stream.finish():
            file.write(piece)
    with zipfile.ZipFile(path) as archive:
        assert len(archive.namelist()) == n
        assert archive.read(str(n - 1)) == b"x"
    assert len(list(open_archive(path).names())) == n


def test_more_bytes_than_a_plain_zip_can_count(tmp_path: Path):
    stream = ZipStream(AT)
    path = tmp_path / "large.zip"
    block = bytes(64 * 1024 * 1024)
    with path.open("wb") as file:
        file.write(stream.begin("large", deflate=False))
        for _ in range(65):
            # Holes in the file instead of 4 GiB of zeros.
            file.seek(len(stream.write(block)), io.SEEK_CUR)
        file.write(stream.end())
        file.write(stream.store("behind", b"it"))
        for piece in stream.finish():
            file.write(piece)
    with zipfile.ZipFile(path) as archive:
        assert archive.getinfo("large").file_size == 65 * len(block)
        assert archive.read("behind") == b"it"
    place = open_archive(path).find("behind")
    assert place is not None
    assert read_member(place) == b"it"


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("Copepoda<Maxillopoda", "Copepoda_Maxillopoda"), ("é/..", "_"), ("  ", "_"), ("a" * 400, "a" * 150)],
)
def test_taxa_become_plain_names(name: str, wanted: str):
    assert taxon_folder(name).strip("_.") == wanted.strip("_.")
    assert "/" not in taxon_folder(name)


def test_names_are_safe_and_keep_their_letters():
    assert safe_folder("été/2\\3:\n") == "été_2_3__"
    assert safe_folder("..") == "_"
    assert safe_path("../a/./b\\..\\c.png") == "a/b/c.png"
    assert safe_path("/") == "_"


def test_no_two_names_are_the_same_in_any_case():
    found = distinct([(1, "A_b"), (2, "a_B"), (3, "A_b_2"), (4, "A_b")])
    assert found[1] == "A_b"
    assert len({name.casefold() for name in found.values()}) == 4


def test_images_of_one_name_move_to_their_rank_then_to_their_object():
    names = FileNames()
    names.begin("d/ecotaxa_d.tsv")
    assert [names.take("d", "i.png", 0, object_id) for object_id in (7, 8, 9)] == [
        "d/i.png",
        "d/0/i.png",
        "d/9/i.png",
    ]
    assert names.take("d", "ecotaxa_d.tsv", 1, 7) == "d/1/ecotaxa_d.tsv"
    names.begin()
    assert names.take("e", "i.png", 0, 7) == "e/i.png"
