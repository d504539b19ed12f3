"""Import archives for tests."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

NUMBERS = ("object_lat", "object_lon", "object_depth_min", "object_depth_max", "object_area", "object_mean")


def picture(side: int = 8, kind: str = "PNG", shade: int = 100) -> bytes:
    """The bytes of a square image."""
    encoded = io.BytesIO()
    Image.new("L", (side, side), shade).save(encoded, kind)
    return encoded.getvalue()


def table(rows: Sequence[Mapping[str, Any]], types: Mapping[str, str] | None = None) -> str:
    """An index file; the columns are those of the first row."""
    names = list(rows[0])
    kinds = [(types or {}).get(name) or ("[f]" if name in NUMBERS else "[t]") for name in names]
    lines = [names, kinds, *([str(row.get(name, "")) for name in names] for row in rows)]
    return "".join("\t".join(line) + "\n" for line in lines)


def row(number: int = 1, **cells: Any) -> dict[str, Any]:
    """A line with what every archive has; cells that are None are left out."""
    made = {
        "object_id": f"o{number}",
        "img_file_name": f"o{number}.png",
        "sample_id": "s1",
        "acq_id": "a1",
        "process_id": "p1",
    } | cells
    return {name: value for name, value in made.items() if value is not None}


def archive(path: Path, files: Mapping[str, str | bytes]) -> Path:
    """A zip of these files."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in files.items():
            packed.writestr(name, content)
    return path


def archive_of(path: Path, rows: Sequence[Mapping[str, Any]], **more: str | bytes) -> Path:
    """A zip with one index file and an image for each of its lines."""
    images = {str(cells["img_file_name"]): picture() for cells in rows if cells.get("img_file_name")}
    return archive(path, {"ecotaxa_1.tsv": table(rows), **images, **more})
