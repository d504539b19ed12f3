"""Real models of real pictures in plain Python: they need no package, so they are built in a moment."""

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.datasets import load_digits

from support.archives import row, table

_MODEL = '''
"""Handwritten digits by the nearest mean image; the picture is 8 x 8, grey, without filters."""

import base64
import json
import struct
import zlib
from pathlib import Path


def pixels(png):
    at, packed = 8, b""
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        if png[at + 4 : at + 8] == b"IDAT":
            packed += png[at + 8 : at + 8 + length]
        at += 12 + length
    lines = zlib.decompress(packed)
    return [value for start in range(0, len(lines), 9) for value in lines[start + 1 : start + 9]]


class Model:
    def __init__(self, base_directory, context):
        self.means = json.loads((Path(base_directory) / "means.json").read_text())

    def request(self, data):
        image = data["image"]
        grey = pixels(Path(image).read_bytes() if image.startswith("/") else base64.b64decode(image))
        if MAKES_VECTORS:
            return {"vector": [float(value) for value in grey]}
        far = {label: sum((a - b) ** 2 for a, b in zip(grey, mean)) for label, mean in self.means.items()}
        best = min(far, key=far.get)
        return {"label": best, "score": 1 - far[best] / sum(far.values())}
'''


def png(grey: np.ndarray) -> bytes:
    """An 8 x 8 picture of values 0 to 255."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    lines = b"".join(b"\0" + line.astype(np.uint8).tobytes() for line in grey.reshape(8, 8))
    head = struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")


def digits(n: int) -> tuple[np.ndarray, list[int]]:
    """Grey values of the first digits, 0 to 240, and what they are."""
    found = load_digits()
    return found.data[:n] * 15, found.target[:n].tolist()


def nearest_means(n: int) -> list[int]:
    """What the model says of the first digits."""
    found = load_digits()
    means = np.stack([found.data[found.target == digit].mean(axis=0) for digit in range(10)])
    return np.linalg.norm(found.data[:n, None] - means, axis=2).argmin(axis=1).tolist()


def package(*, makes_vectors: bool = False) -> bytes:
    """A package whose model takes a picture in the field ``image``."""
    found = load_digits()
    means = {str(d): (found.data[found.target == d].mean(axis=0) * 15).tolist() for d in range(10)}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("model_package/model.py", _MODEL.replace("MAKES_VECTORS", str(makes_vectors)))
        archive.writestr("model_package/means.json", json.dumps(means))
    return packed.getvalue()


def digit_archive(n: int, validated: int, each: Callable[[int], dict[str, Any]] = lambda _: {}, **more: Any) -> bytes:
    """An import archive with a picture for each digit; the first ones are validated; `each` gives cells of one."""
    grey, labels = digits(n)
    rows = []
    for i in range(n):
        known = {"object_annotation_status": "validated", "object_annotation_category": str(labels[i])}
        empty = dict.fromkeys(known, "")
        rows.append(row(i, object_area=float(grey[i].sum()), **(known if i < validated else empty), **more, **each(i)))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("ecotaxa_digits.tsv", table(rows))
        for i in range(n):
            archive.writestr(f"o{i}.png", png(grey[i]))
    return packed.getvalue()
