import pytest
from hypothesis import given
from hypothesis import strategies as st

from quadrat.storage.ranges import UnsatisfiableError, parse_range
from quadrat.storage.types import ByteRange


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-0", ByteRange(0, 1)),
        ("bytes=2-5", ByteRange(2, 6)),
        ("bytes=2-", ByteRange(2, 10)),
        ("bytes=-3", ByteRange(7, 10)),
        ("bytes=-30", ByteRange(0, 10)),
        ("bytes=5-500", ByteRange(5, 10)),
    ],
)
def test_parse_range_of_ten_bytes_gives_the_part(header: str, expected: ByteRange) -> None:
    assert parse_range(header, 10) == expected


@pytest.mark.parametrize(
    "header", [None, "", "bytes=", "bytes=-", "items=0-1", "bytes=a-b", "bytes=5-2", "bytes=0-1,4-5"]
)
def test_parse_range_not_understood_means_the_whole(header: str | None) -> None:
    assert parse_range(header, 10) is None


@pytest.mark.parametrize(
    ("header", "size"), [("bytes=10-", 10), ("bytes=-0", 10), ("bytes=0-", 0), ("bytes=99-100", 10)]
)
def test_parse_range_outside_is_unsatisfiable(header: str, size: int) -> None:
    with pytest.raises(UnsatisfiableError):
        parse_range(header, size)


@given(first=st.integers(0, 50), last=st.integers(0, 50), size=st.integers(1, 40))
def test_parse_range_any_numbers_equals_slicing(first: int, last: int, size: int) -> None:
    data = bytes(range(size))
    expected = data[first : last + 1] if last >= first else None
    try:
        found = parse_range(f"bytes={first}-{last}", size)
    except UnsatisfiableError:
        assert expected == b""
        return
    assert (None if found is None else data[found.start : found.stop]) == expected
