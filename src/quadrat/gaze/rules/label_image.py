"""The label image: each pixel names its combination of areas, so one look-up says all areas of a position. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from quadrat.gaze.rules.masks import Inside
from quadrat.gaze.types import Size

Ints = NDArray[np.int64]
_BLOCK = 1 << 16


@dataclass(frozen=True, slots=True)
class LabelImage:
    """Areas whose masks have one size, drawn into one image.

    Label 0 is outside of all areas. Every other label is the combination of another label (its parent) with one area.

    Args:
        size: Of the masks.
        n_areas: How many areas there are in all, also those of other sizes.
        pixels: Label of each pixel, flat, row by row.
        parents: By label.
        areas: By label: index of the area that it adds; -1 for label 0.
        digest: Equal for equal masks of equal areas.
    """

    size: Size
    n_areas: int
    pixels: NDArray[np.integer]
    parents: Ints
    areas: Ints
    digest: bytes

    @property
    def n_labels(self) -> int:
        """How many labels there are, 0 included."""
        return len(self.parents)

    def members(self, labels: Ints) -> NDArray[np.bool_]:
        """Which areas each of these labels belongs to: [label, area]."""
        rows = np.zeros((len(labels), self.n_areas), bool)
        places = np.flatnonzero(labels)
        current = labels[places]
        while len(places):
            rows[places, self.areas[current]] = True
            current = self.parents[current]
            more = current != 0
            places, current = places[more], current[more]
        return rows

    def at(self, x: NDArray[np.float64], y: NDArray[np.float64], plane: tuple[float, float]) -> Ints:
        """Labels of positions, 0 for those off the plane or missing.

        Args:
            x: NaN where missing.
            y: As x.
            plane: Width and height of the plane in the unit of the positions.
        """
        on = on_plane(x, y, plane)
        labels = np.zeros(len(x), np.int64)
        labels[on] = self.pixels.take(pixel_indexes(x[on], y[on], plane, self.size))
        return labels


def on_plane(x: NDArray[np.float64], y: NDArray[np.float64], plane: tuple[float, float]) -> NDArray[np.bool_]:
    """Which positions are on the plane; a missing one (NaN) is not."""
    inside: NDArray[np.bool_] = (x >= 0) & (x < plane[0]) & (y >= 0) & (y < plane[1])
    return inside


def pixel_indexes(
    x: NDArray[np.float64], y: NDArray[np.float64], plane: tuple[float, float], size: Size
) -> NDArray[np.int32]:
    """Flat index of the mask's pixel under each position on the plane: (floor(x * w / W), floor(y * h / H))."""
    columns = _floor(x, plane[0], size.width)
    indexes = _floor(y, plane[1], size.height)
    indexes *= np.int32(size.width)
    indexes += columns
    return indexes


def _floor(values: NDArray[np.float64], extent: float, pixels: int) -> NDArray[np.int32]:
    scaled = values if extent == pixels else values * pixels / extent
    floored = scaled.astype(np.int32)
    # A quotient just below the number of pixels may have been rounded up to it.
    return np.minimum(floored, pixels - 1, out=floored)


def draw(masks: Sequence[tuple[int, Inside]], n_areas: int) -> LabelImage:
    """Draw the masks of one size.

    Args:
        masks: Index of the area, and its inside pixels; at least one.
        n_areas: How many areas there are in all.
    """
    height, width = masks[0][1].shape
    pixels = np.zeros((height, width), np.int32)
    parents, areas = [0], [-1]
    digest = sha256(f"{n_areas} {width}x{height}\n".encode())
    for area, inside in masks:
        digest.update(f"{area}\n".encode() + sha256(np.packbits(inside).tobytes()).digest())
        window = _window(inside)
        if window is None:
            continue
        part, part_inside = pixels[window], inside[window]
        under = part[part_inside]
        found = np.flatnonzero(np.bincount(under, minlength=1))
        renamed = np.zeros(len(parents), np.int32)
        renamed[found] = np.arange(len(parents), len(parents) + len(found), dtype=np.int32)
        part[part_inside] = renamed[under]
        parents += found.tolist()
        areas += [area] * len(found)
    narrow: type[np.integer] = np.int32
    if len(parents) <= 1 << 16:
        narrow = np.uint8 if len(parents) <= 1 << 8 else np.uint16
    return LabelImage(
        size=Size(width, height),
        n_areas=n_areas,
        pixels=pixels.astype(narrow).ravel(),
        parents=np.asarray(parents, np.int64),
        areas=np.asarray(areas, np.int64),
        digest=digest.digest(),
    )


def _window(inside: Inside) -> tuple[slice, slice] | None:
    rows = np.flatnonzero(inside.any(axis=1))
    if not len(rows):
        return None
    columns = np.flatnonzero(inside[rows[0] : rows[-1] + 1].any(axis=0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


class SampleCounter:
    """Counts the gaze samples of one recording by label, block after block in order of the columns.

    Args:
        image: Where the areas are.
        plane: Width and height of the plane in the unit of the positions.
    """

    def __init__(self, image: LabelImage, plane: tuple[float, float]) -> None:
        self._image = image
        self._plane = plane
        self._counts = np.zeros(image.n_labels, np.int64)
        self._firsts = np.full(image.n_labels, -1, np.int64)
        self._n_seen = 0

    def add(self, x: NDArray[np.float64], y: NDArray[np.float64], detected: NDArray[np.uint8]) -> None:
        """Take the next samples into account, in pieces that hold no other thread up for long."""
        for start in range(0, len(x), _BLOCK):
            stop = start + _BLOCK
            self._add(x[start:stop], y[start:stop], detected[start:stop])

    def _add(self, x: NDArray[np.float64], y: NDArray[np.float64], detected: NDArray[np.uint8]) -> None:
        on = on_plane(x, y, self._plane)
        on &= detected.view(bool)
        whole = bool(on.all())
        if not whole:
            x, y = x[on], y[on]
        labels = self._image.pixels.take(pixel_indexes(x, y, self._plane, self._image.size))
        counts = np.bincount(labels, minlength=self._image.n_labels)
        if ((counts > 0) & (self._firsts < 0)).any():
            places = np.arange(len(on)) if whole else np.flatnonzero(on)
            firsts = np.full(self._image.n_labels, -1, np.int64)
            # Of several values for one label the last stays, hence backwards.
            firsts[labels[::-1]] = places[::-1] + self._n_seen
            fresh = (self._firsts < 0) & (firsts >= 0)
            self._firsts[fresh] = firsts[fresh]
        self._counts += counts
        self._n_seen += len(on)

    def per_area(self) -> tuple[Ints, Ints]:
        """Samples inside each area, and the index of its first one; -1 without any."""
        n_areas = self._image.n_areas
        samples = np.zeros(n_areas, np.int64)
        firsts = np.full(n_areas, np.iinfo(np.int64).max)
        hit = np.flatnonzero(self._counts)
        hit = hit[hit != 0]
        for start in range(0, len(hit), _BLOCK):
            labels = hit[start : start + _BLOCK]
            members = self._image.members(labels)
            samples += self._counts[labels] @ members
            first = np.where(members, self._firsts[labels][:, None], np.iinfo(np.int64).max).min(axis=0)
            np.minimum(firsts, first, out=firsts)
        firsts[samples == 0] = -1
        return samples, firsts
