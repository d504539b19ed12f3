"""Writes datasets for programs that train: COCO, YOLO, Pascal VOC, CSV. Blocks the thread: for commands and jobs."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from labelformat.formats import COCOObjectDetectionOutput, PascalVOCObjectDetectionOutput, YOLOv8ObjectDetectionOutput
from labelformat.model.bounding_box import BoundingBox
from labelformat.model.category import Category
from labelformat.model.image import Image
from labelformat.model.object_detection import (
    ImageObjectDetection,
    ObjectDetectionInput,
    SingleObjectDetection,
)

from quadrat.errors import ErrorKind, QuadratError
from quadrat.samples.labelled import Labelled
from quadrat.samples.rules.samples import shown_metadata

_CSV_COLUMNS = ("id", "index", "fileName", "width", "height", "sizeInBytes", "sharpness", "snr", "customMetaData")


def write_export(target: Path, form: str, found: Sequence[Labelled]) -> tuple[int, int]:
    """Write everything into a folder; how many samples and boxes that were.

    Raises:
        QuadratError: invalid, for a folder that is not empty or a dataset without what the format needs.
    """
    if target.exists() and any(target.iterdir()):
        raise QuadratError(ErrorKind.INVALID, f"{target} is not empty.")
    if form != "csv" and (unmeasured := sum(not one.width_px for one in found)):
        raise QuadratError(
            ErrorKind.WRONG_STATE,
            f"{unmeasured} samples have no size yet: wait until they have been measured, or export as csv.",
        )
    if form in {"yolo", "pascalvoc"}:
        _check_names(found)
    target.mkdir(parents=True, exist_ok=True)
    if form == "csv":
        _write_csv(target / "samples.csv", found)
    elif form == "coco":
        COCOObjectDetectionOutput(output_file=target / "coco.json").save(_Input(found))
    elif form == "yolo":
        YOLOv8ObjectDetectionOutput(output_file=target / "data.yaml", output_split="train").save(_Input(found))
    else:
        for one in found:
            (target / "annotations" / one.sample.file_name).parent.mkdir(parents=True, exist_ok=True)
        PascalVOCObjectDetectionOutput(output_folder=target / "annotations").save(_Input(found))
    return len(found), sum(len(one.boxes) for one in found)


def _check_names(found: Sequence[Labelled]) -> None:
    """These formats write a file for each name, and names are opaque: none may lead out of the folder."""
    for one in found:
        name = PurePosixPath(one.sample.file_name)
        if name.is_absolute() or ".." in name.parts:
            raise QuadratError(
                ErrorKind.INVALID, f"{one.sample.file_name!r} would be written outside of the folder; export as coco."
            )


class _Input(ObjectDetectionInput):
    """Our samples as labelformat reads any dataset."""

    def __init__(self, found: Sequence[Labelled]) -> None:
        self._found = found
        names = sorted({box[0] for one in found for box in one.boxes})
        self._categories = {name: Category(id=number, name=name) for number, name in enumerate(names)}

    @staticmethod
    def add_cli_arguments(parser: Any) -> None:
        """Asked for by the library's own command only."""

    def get_categories(self) -> Iterator[Category]:
        """Those that occur, by name."""
        yield from self._categories.values()

    def get_images(self) -> Iterator[Image]:
        """All samples."""
        yield from map(self._image, self._found)

    def get_labels(self) -> Iterator[ImageObjectDetection]:
        """All samples with their boxes."""
        for one in self._found:
            objects = [
                SingleObjectDetection(
                    category=self._categories[category],
                    box=BoundingBox(xmin=left, ymin=top, xmax=left + width, ymax=top + height),
                )
                for category, left, top, width, height in one.boxes
            ]
            yield ImageObjectDetection(image=self._image(one), objects=objects)

    @staticmethod
    def _image(one: Labelled) -> Image:
        return Image(
            id=one.sample.index,
            filename=one.sample.file_name,
            width=one.width_px,
            height=one.height_px,
        )


def _write_csv(path: Path, found: Sequence[Labelled]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(_CSV_COLUMNS)
        for one in found:
            sample = one.sample
            meta = shown_metadata(sample.documents.metadata, sample.measured.metadata)
            numbers = [meta.get(key, "") for key in ("sizeInBytes", "sharpness", "snr")]
            size = (one.width_px or "", one.height_px or "")
            writer.writerow(
                [sample.id, sample.index, sample.file_name, *size, *numbers, sample.documents.custom_metadata or ""]
            )
