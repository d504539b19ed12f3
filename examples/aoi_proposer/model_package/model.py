"""Proposes areas of interest: a threshold, then connected components."""

import base64
import io
import json

import numpy as np
from PIL import Image

SIDE = 400
MIN_SHARE = 0.002
MAX_AREAS = 30


class Model:
    """What Quadrat starts."""

    def __init__(self, base_directory, context):
        pass

    def request(self, data):
        """Areas of one image."""
        with Image.open(io.BytesIO(base64.b64decode(data["image"]))) as image:
            image.thumbnail((SIDE, SIDE))
            grey = np.asarray(image.convert("L"))
        inside = grey > threshold(grey)
        if inside.mean() > 0.5:
            inside = ~inside
        labels, count = components(inside)
        sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
        largest = [n for n in np.argsort(sizes)[::-1] if sizes[n] >= MIN_SHARE * grey.size][:MAX_AREAS]
        areas = [
            {
                "name": f"area {place}",
                "rle": run_lengths(labels == number + 1),
                "size": [grey.shape[1], grey.shape[0]],
            }
            for place, number in enumerate(largest, 1)
        ]
        return {"areas": json.dumps(areas)}


def threshold(grey):
    """The value that parts the histogram best (Otsu)."""
    counts = np.bincount(grey.ravel(), minlength=256).astype(float)
    below = np.cumsum(counts)
    above = below[-1] - below
    total = np.cumsum(counts * np.arange(256))
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (total / below - (total[-1] - total) / above) ** 2
    return int(np.nanargmax(between))


def components(inside):
    """Labels 1..n of pixels that touch side by side, and n."""
    labels = np.where(inside, np.arange(1, inside.size + 1).reshape(inside.shape), 0)
    while True:
        # The highest label of a neighbourhood spreads until nothing changes; rows and columns at a time.
        before = labels
        for axis in (0, 1):
            for flip in (False, True):
                view = np.flip(labels, axis) if flip else labels
                view = spread(view if axis == 0 else view.T)
                view = view if axis == 0 else view.T
                labels = np.flip(view, axis) if flip else view
        if (labels == before).all():
            break
    found, numbered = np.unique(labels, return_inverse=True)
    numbered = numbered.reshape(labels.shape)
    has_outside = found[0] == 0
    return (numbered if has_outside else numbered + 1), len(found) - int(has_outside)


def spread(labels):
    """Carry the highest label down each column, within unbroken runs of inside pixels."""
    made = labels.copy()
    for row in range(1, len(made)):
        made[row] = np.where(made[row] > 0, np.maximum(made[row], np.where(made[row - 1] > 0, made[row - 1], 0)), 0)
    return made


def run_lengths(inside):
    """Lengths of runs row by row, beginning with outside pixels."""
    flat = np.concatenate([[False], inside.ravel()])
    edges = np.flatnonzero(flat[1:] != flat[:-1])
    return np.diff(np.concatenate([[0], edges, [inside.size]])).tolist()
