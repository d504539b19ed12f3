import pytest

from quadrat.objects.rules.header import ColumnBook, Header, Part, read_header


def header(names: str, types: str | None = None, book: ColumnBook | None = None, **options: bool):
    columns = names.split()
    kinds = types.split() if types else ["[t]"] * len(columns)
    return read_header(columns, kinds, book if book is not None else ColumnBook(), **options)


def test_header_knows_predefined_and_free_columns():
    book = ColumnBook()
    found, problems = header(
        "object_id img_file_name Object_AREA object_note sample_id sample_ship", "[t] [t] [f] [t] [t] [t]", book
    )
    assert problems == []
    assert found.fixed == {"object_id": 0, "img_file_name": 1, "sample_id": 4}
    assert [(column.part, column.name, column.is_number, column.position) for column in found.free] == [
        (Part.OBJECT, "area", True, 0),
        (Part.OBJECT, "note", False, 0),
        (Part.SAMPLE, "ship", False, 0),
    ]
    assert (book.numbers, book.texts[Part.OBJECT], book.texts[Part.SAMPLE]) == (["area"], ["note"], ["ship"])


def test_header_uses_the_places_that_the_project_has():
    book = ColumnBook(numbers=["major", "area"])
    found, _ = header("object_id img_file_name object_minor object_area", "[t] [t] [f] [f]", book)
    assert [column.position for column in found.free] == [2, 1]
    assert book.numbers == ["major", "area", "minor"]


@pytest.mark.parametrize(
    ("names", "types", "phrase"),
    [
        ("object_id img_file_name foo_bar", None, "Invalid Header 'foo_bar'"),
        ("object_id img_file_name object_x", "o1 o1.png 12", "the second line has no types"),
        ("object_id img_file_name object_", None, "Invalid Header 'object_'"),
        ("object_id img_file_name img_size", None, "Invalid Header 'img_size'"),
        ("object_id object_id img_file_name", None, "it is there twice"),
        ("object_id img_file_name object_x", "[t] [t] [n]", "Invalid Type '[n]'"),
        ("object_id img_file_name object_x", "[t] [t]", "Invalid Type ''"),
        ("object_id img_file_name sample_ship", None, "'sample_id' is mandatory as there are some sample columns"),
        ("object_id img_file_name acq_instrument", None, "'acq_id' is mandatory as there are some acq columns"),
        ("object_id img_file_name process_x", None, "'process_id' is mandatory as there are some process columns"),
        ("img_file_name", None, "Missing object_id"),
        ("object_id", None, "Missing img_file_name"),
    ],
)
def test_header_with_a_mistake_is_refused(names: str, types: str | None, phrase: str):
    _, problems = header(names, types)
    assert len(problems) == 1
    assert phrase in problems[0]


def test_what_exports_write_of_their_own_is_passed_over():
    book = ColumnBook()
    found, problems = header(
        "object_id img_file_name object_area object_annotation_hierarchy sample_id objid processid_internal "
        "acq_id_internal sample_id_internal classif_id classif_who classif_auto_id classif_auto_name "
        "classif_auto_score classif_auto_when object_random_value object_sunpos sample_lat sample_long",
        book=book,
    )
    assert problems == []
    assert [column.name for column in found.free] == ["area"]
    # Without our numbers they are columns of a lab.
    found, problems = header("object_id img_file_name object_sunpos sample_id sample_lat sample_long", book=book)
    assert problems == []
    assert [column.name for column in found.free] == ["sunpos", "lat", "long"]


def test_header_of_an_update_needs_no_image():
    assert header("object_id", needs_image=False)[1] == []


def test_header_ignores_the_hierarchy_and_a_tab_at_the_end():
    found, problems = read_header(
        ["object_id", "img_file_name", "object_annotation_hierarchy", ""], ["[t]"] * 3, ColumnBook()
    )
    assert problems == []
    assert found == Header(4, {"object_id": 0, "img_file_name": 1}, [])


def test_text_column_of_a_sample_is_text_whatever_the_file_says():
    found, problems = header("object_id img_file_name sample_id sample_depth", "[t] [t] [t] [f]")
    assert problems == []
    assert not found.free[0].is_number


def test_column_cannot_change_its_type():
    _, problems = header("object_id img_file_name object_area", "[t] [t] [t]", ColumnBook(numbers=["area"]))
    assert "Invalid Type '[t]'" in problems[0]


@pytest.mark.parametrize(
    ("prefix", "type_", "limit"),
    [("object", "[f]", 500), ("object", "[t]", 20), ("sample", "[t]", 60), ("acq", "[t]", 30), ("process", "[t]", 30)],
)
def test_one_column_too_many_cannot_be_mapped(prefix: str, type_: str, limit: int):
    ids = ["object_id", "img_file_name", "sample_id", "acq_id", "process_id"]
    names = ids + [f"{prefix}_free{number}" for number in range(limit + 1)]
    _, problems = read_header(names, ["[t]"] * 5 + [type_] * (limit + 1), ColumnBook())
    assert len(problems) == 1
    assert f"{prefix}_free{limit}' cannot be mapped. Too many custom fields" in problems[0]
