"""What training formats hold of a sample. Pure."""

import json
from dataclasses import dataclass
from typing import Any

from quadrat.samples.rules.samples import shown_metadata
from quadrat.samples.types import ImageSample

FORMATS = ("coco", "yolo", "pascalvoc", "csv")


@dataclass(frozen=True, slots=True)
class Labelled:
    """A sample with what the formats hold of it.

    Args:
        sample: The sample.
        width_px: 0 while nobody has measured it.
        height_px: 0 while nobody has measured it.
        boxes: Category, then left, top, width and height in px.
    """

    sample: ImageSample
    width_px: int
    height_px: int
    boxes: tuple[tuple[str, float, float, float, float], ...]

    @classmethod
    def of(cls, sample: ImageSample, key: str) -> "Labelled":
        """The sample with the boxes under one key of its custom metadata; what is no box is left out."""
        height, width = _size(sample)
        custom = json.loads(sample.documents.custom_metadata or "{}")
        found = custom.get(key)
        boxes = [box for entry in found if (box := _box(entry)) is not None] if isinstance(found, list) else []
        return cls(sample, width, height, tuple(boxes))


def _size(sample: ImageSample) -> tuple[int, int]:
    shape = shown_metadata(sample.documents.metadata, sample.measured.metadata).get("shape")
    return (0, 0) if shape is None else (shape[0], shape[1])


def _box(entry: Any) -> tuple[str, float, float, float, float] | None:
    if not isinstance(entry, dict) or not isinstance(entry.get("bbox"), list) or len(entry["bbox"]) != 4:
        return None
    if not all(isinstance(number, int | float) for number in entry["bbox"]):
        return None
    left, top, width, height = entry["bbox"]
    return str(entry.get("category", "object")), float(left), float(top), float(width), float(height)
