from datetime import UTC, date, datetime, time
from typing import Any

import pytest

from quadrat.objects.rules.header import ColumnBook, Part, read_header
from quadrat.objects.rules.lines import Annotation, Line, LineReader, image_member, is_index


def read(mappings: dict[str, str] | None = None, **cells: str) -> tuple[Line | None, list[str], LineReader]:
    row = {"object_id": "o1", "img_file_name": "o1.png", **cells}
    types = ["[f]" if name.startswith("object_n") else "[t]" for name in row]
    header, problems = read_header(list(row), types, ColumnBook())
    assert problems == []
    reader = LineReader(header, mappings)
    line = reader.read(list(row.values()), problems)
    return line, problems, reader


def test_line_with_everything_is_read():
    line, problems, reader = read(
        object_lat="43.5",
        object_lon="7°30 00",
        object_date="20140420",
        object_time="0930",
        object_link="https://example.org/o1",
        object_depth_min="0",
        object_depth_max="nan",
        object_n1="1.5",
        object_n2="",
        object_t1="hello",
        img_rank="3",
    )
    assert problems == []
    assert line == Line(
        "o1",
        "o1.png",
        3,
        {
            "latitude": 43.5,
            "longitude": 7.5,
            "date": date(2014, 4, 20),
            "time": time(9, 30),
            "link": "https://example.org/o1",
            "depth_min": 0.0,
            "depth_max": None,
        },
        None,
        [1.5, None],
        ["hello"],
    )
    assert (reader.number_positions, reader.text_positions) == ([0, 1], [0])


@pytest.mark.parametrize(
    ("name", "text", "phrase"),
    [
        ("object_id", "", "Missing object_id"),
        ("object_id", "x" * 256, "Invalid object_id"),
        ("img_file_name", "", "Missing Image"),
        ("object_lat", "91", "Invalid Lat. value '91'"),
        ("object_lon", "abc", "Invalid Long. value 'abc'"),
        ("object_n", "1,5", "Invalid float value '1,5' for Field 'object_n'"),
        ("object_n", "-inf", "Invalid float value '-inf'"),
        ("object_depth_min", "deep", "Invalid float value 'deep'"),
        ("object_date", "20141332", "Invalid Date value '20141332'"),
        ("object_time", "2561", "Invalid Time value '2561'"),
        ("object_annotation_date", "x", "Invalid Date value"),
        ("object_annotation_time", "x", "Invalid Time value"),
        ("object_annotation_status", "sure", "Invalid Annotation Status 'sure'"),
        ("object_annotation_status", "validated", "there has to be a category"),
        ("object_annotation_category", "Copepoda", "has to be with a status"),
        ("object_annotation_category_id", "45", "has to be with a status"),
        ("img_rank", "x", "Invalid Rank value"),
        ("img_rank", "-1", "Invalid Rank value"),
    ],
)
def test_line_with_a_mistake_is_refused_in_known_words(name: str, text: str, phrase: str):
    line, problems, _ = read(**{name: text})
    assert line is None
    assert len(problems) == 1
    assert phrase in problems[0]


@pytest.mark.parametrize(
    ("name", "text", "takes"),
    [
        ("object_lat", "43,5", "decimal degrees from -90 to 90"),
        ("object_date", "20.04.2014", "a day as 2014-04-20 or 20140420"),
        ("object_time", "9h30", "a time as 12:30:00, 123000 or 1230"),
        ("object_n", "7.94E10104", "a finite number with a decimal point"),
        ("object_annotation_status", "valid", "one of validated, predicted, dubious, noid"),
    ],
)
def test_mistake_says_what_the_field_takes(name: str, text: str, takes: str):
    _, problems, _ = read(**{name: text})
    assert f"for Field '{name}' (it takes {takes}" in problems[0]


def test_line_names_all_of_its_mistakes():
    _, problems, _ = read(object_lat="91", object_n="x", object_time="99")
    assert len(problems) == 3


@pytest.mark.parametrize(
    ("cells", "annotation"),
    [
        ({"status": "", "category": ""}, None),
        ({"status": "noid", "category": ""}, None),
        ({"status": "Validated", "category": "Copepoda"}, Annotation("V", None, "copepoda", None, None, None)),
        ({"status": "dubious", "category_id": "45.0"}, Annotation("D", 45, None, None, None, None)),
        ({"status": "predicted", "category": "Other", "category_id": "4"}, Annotation("P", 4, None, None, None, None)),
        (
            {"status": "validated", "category": "X", "date": "20200102", "time": "030405", "person_name": "Ada L."},
            Annotation("V", None, "x", datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC), "ada l.", None),
        ),
        (
            {"status": "validated", "category": "X", "date": "20200102", "person_email": "Ada@x.org"},
            Annotation("V", None, "x", datetime(2020, 1, 2, tzinfo=UTC), None, "ada@x.org"),
        ),
    ],
)
def test_annotation_is_read(cells: dict[str, Any], annotation: Annotation | None):
    line, problems, _ = read(**{f"object_annotation_{name}": text for name, text in cells.items()})
    assert problems == []
    assert line is not None
    assert line.annotation == annotation


def test_category_is_mapped_to_another_text():
    line, _, _ = read({"cop": "Copepoda"}, object_annotation_status="validated", object_annotation_category="Cop")
    assert line is not None
    assert line.annotation is not None
    assert line.annotation.taxon == "copepoda"


def test_parents_come_with_their_columns():
    _, _, reader = read(
        sample_id="s1", sample_ship="Tara", sample_dataportal_descriptor="d", acq_id="a1", acq_instrument=""
    )
    cells = ["o1", "o1.png", "s1", "Tara", "d", "a1", ""]
    sample = reader.parent(cells, Part.SAMPLE)
    assert (sample.orig_id, sample.fixed, sample.free) == ("s1", {"sample_dataportal_descriptor": "d"}, {0: "Tara"})
    assert reader.parent(cells, Part.ACQUISITION).orig_id == "a1"
    assert reader.parent(cells, Part.PROCESS).orig_id == ""


@pytest.mark.parametrize(
    ("tsv", "image", "member"),
    [
        ("ecotaxa.tsv", "a.png", "a.png"),
        ("s1/ecotaxa.tsv", "a.png", "s1/a.png"),
        ("s1/ecotaxa.tsv", "img\\a.png", "s1/img/a.png"),
        ("s1/ecotaxa.tsv", "../img/a.png", "img/a.png"),
        ("s1/ecotaxa.tsv", "../../etc/passwd", None),
        ("s1/ecotaxa.tsv", "/etc/passwd", None),
        ("ecotaxa.tsv", "..", None),
    ],
)
def test_image_is_looked_for_beside_its_file_and_nowhere_outside(tsv: str, image: str, member: str | None):
    assert image_member(tsv, image) == member


@pytest.mark.parametrize("name", ["ecotaxa.tsv", "a/b/ecotaxa_x.txt", "Ecotaxa_1.TSV", "ECOTAXA.txt"])
def test_index_file_is_known_by_its_name(name: str):
    assert is_index(name)


@pytest.mark.parametrize("name", ["ecotaxa.csv", "a/my_ecotaxa.tsv", "ecotaxa/images.tsv.png", "taxa.tsv"])
def test_other_file_is_no_index(name: str):
    assert not is_index(name)
