"""Which places lie in an opened one, and names of files as locations."""

from pathlib import Path

import pytest

from quadrat.storage.references import is_within, location_of, path_of


@pytest.mark.parametrize("name", ["a.png", "ü #1 100%.png", "a b/?x=1&y.png", "..hidden", "back\\slash"])
def test_location_leads_back_to_its_file(name: str):
    path = Path("/data") / name
    assert path_of(location_of(path)) == path


def test_location_of_a_name_that_is_no_text_leads_back_to_it():
    path = Path("/data/\udcff.png")
    assert location_of(path).isascii()
    assert path_of(location_of(path)) == path


@pytest.mark.parametrize(
    ("place", "inside"),
    [
        ("/data/images", True),
        ("/data/images/", True),
        ("/data/images/a/b", True),
        ("/data/images2", False),
        ("/data/images/../other", False),
        ("/data", False),
        ("s3://open/a", True),
        ("s3://open/a/b/", True),
        ("s3://open/ab", False),
        ("s3://open", False),
        ("s3://open/a/../b", False),
        ("s3://open/a/%2e%2e/b", False),
        ("gs://open/a", False),
    ],
)
def test_place_is_within_the_opened_ones_only_by_whole_parts(place: str, inside: bool):
    assert is_within(place, ["/data/images", "s3://open/a"]) is inside
