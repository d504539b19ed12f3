"""Datasets as training programs read them."""

import csv
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from quadrat.errors import QuadratError
from quadrat.samples.exporting import write_export
from quadrat.samples.labelled import Labelled
from quadrat.samples.types import DatasetId, Documents, ImageSample, JsonText, SampleId, SampleKind

BOX = {"objects": [{"category": "copepod", "bbox": [4, 8, 16, 24]}, {"no": "box"}, {"bbox": [1, 2, "x", 3]}]}


def labelled(index: int, name: str, custom: object = None, *, measured: bool = True) -> Labelled:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    metadata = JsonText('{"shape": [48, 64, 3], "sizeInBytes": 5}') if measured else None
    documents = Documents(custom_metadata=None if custom is None else JsonText(json.dumps(custom)))
    sample = ImageSample(
        SampleId(f"{index:024x}"), DatasetId("0" * 24), index, SampleKind.IMAGE, name, None, at, at, documents,
        Documents(metadata=metadata),
    )  # fmt: skip
    return Labelled.of(sample, "objects")


FOUND = [labelled(0, "a.png", BOX), labelled(1, "b/ü c.png", {"objects": "none"})]


def test_coco_holds_images_and_boxes(tmp_path: Path):
    assert write_export(tmp_path / "out", "coco", FOUND) == (2, 1)
    coco = json.loads((tmp_path / "out" / "coco.json").read_text())
    assert [(image["file_name"], image["width"], image["height"]) for image in coco["images"]] == [
        ("a.png", 64, 48),
        ("b/ü c.png", 64, 48),
    ]
    assert [annotation["bbox"] for annotation in coco["annotations"]] == [[4, 8, 16, 24]]
    assert [category["name"] for category in coco["categories"]] == ["copepod"]


def test_yolo_holds_centres_relative_to_the_image(tmp_path: Path):
    write_export(tmp_path / "out", "yolo", FOUND)
    numbers = [float(word) for word in (tmp_path / "out" / "labels" / "a.txt").read_text().split()]
    assert numbers == pytest.approx([0, 12 / 64, 20 / 48, 16 / 64, 24 / 48])
    assert (tmp_path / "out" / "labels" / "b" / "ü c.txt").read_text() == ""


def test_pascal_voc_holds_a_file_for_each_image(tmp_path: Path):
    write_export(tmp_path / "out", "pascalvoc", FOUND)
    assert "<name>copepod</name>" in (tmp_path / "out" / "annotations" / "a.xml").read_text()
    assert (tmp_path / "out" / "annotations" / "b" / "ü c.xml").exists()


def test_csv_holds_numbers_and_the_custom_metadata(tmp_path: Path):
    write_export(tmp_path / "out", "csv", [*FOUND, labelled(2, "new.png", measured=False)])
    with (tmp_path / "out" / "samples.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["fileName"] for row in rows] == ["a.png", "b/ü c.png", "new.png"]
    assert (rows[0]["width"], rows[0]["height"], rows[0]["sizeInBytes"]) == ("64", "48", "5")
    assert json.loads(rows[0]["customMetaData"]) == BOX
    assert rows[2]["width"] == ""


def test_export_is_refused_before_anything_is_written(tmp_path: Path):
    with pytest.raises(QuadratError, match="no size yet"):
        write_export(tmp_path / "a", "coco", [labelled(0, "a.png", measured=False)])
    for name in ("../../etc/passwd", "/etc/passwd", "a/../../b.png"):
        with pytest.raises(QuadratError, match="outside"):
            write_export(tmp_path / "a", "yolo", [labelled(0, name)])
    assert not (tmp_path / "a").exists()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(QuadratError, match="not empty"):
        write_export(tmp_path / "full", "csv", FOUND)
