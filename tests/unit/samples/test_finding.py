import pytest

from quadrat.errors import QuadratError
from quadrat.samples.rules.finding import fields_of, split_path


def test_fields_are_scalars_by_path_and_text_wherever_some_hold_text() -> None:
    documents = [
        {"metaData": {"width": 3, "mean": [1, 2]}, "customMetaData": {"net": {"depth": 5}, "who": "ä"}, "exif": None},
        {"metaData": {"width": 4.5}, "customMetaData": {"net": {"depth": "deep"}, "a.b": 1, "open": True}, "exif": {}},
    ]
    assert fields_of(documents) == {
        "customMetaData.net.depth": "text",
        "customMetaData.open": "text",
        "customMetaData.who": "text",
        "metaData.width": "number",
    }


def test_field_is_split_into_its_document_and_keys() -> None:
    assert split_path("customMetaData.net.depth") == ("customMetaData", ["net", "depth"])


@pytest.mark.parametrize("field", ["width", "metaData", "metaData.", "other.width", "metaData..x"])
def test_field_that_cannot_be_is_refused(field: str) -> None:
    with pytest.raises(QuadratError):
        split_path(field)
