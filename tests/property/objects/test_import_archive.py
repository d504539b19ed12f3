"""Whatever is packed comes back, and however an archive is damaged it is refused or its members are."""

import io
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from quadrat.errors import QuadratError
from quadrat.objects.archive.reading import DamagedMemberError, open_archive, read_member

NAMES = st.lists(
    st.text("abcäö .-_", min_size=1, max_size=6).filter(lambda part: part.strip(".")), min_size=1, max_size=3
)
FILES = st.dictionaries(NAMES.map("/".join), st.binary(max_size=400), min_size=1, max_size=6)


def packed(files: dict[str, bytes], compression: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


# How fast a busy machine draws files is no property of the archive.
@given(FILES, st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))
def test_what_is_packed_comes_back(files: dict[str, bytes], compression: int):
    with TemporaryDirectory() as folder:
        path = Path(folder, "a.zip")
        path.write_bytes(packed(files, compression))
        archive = open_archive(path)
        found = {}
        for name in archive.names():
            place = archive.find(name)
            assert place is not None
            found[name] = read_member(place)
    assert found == {name: content for name, content in files.items() if not name.rpartition("/")[2].startswith("._")}


@given(FILES, st.data())
def test_damage_is_refused_or_found_or_harmless(files: dict[str, bytes], data: st.DataObject):
    content = bytearray(packed(files, zipfile.ZIP_DEFLATED))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with TemporaryDirectory() as folder:
        path = Path(folder, "a.zip")
        path.write_bytes(content)
        try:
            archive = open_archive(path)
        except QuadratError:
            return
        for name in archive.names():
            assert not name.startswith("/")
            assert ".." not in name.split("/")
            place = archive.find(name)
            assert place is not None
            try:
                read_member(place)
            except DamagedMemberError:
                continue
