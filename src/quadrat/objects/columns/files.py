"""Columns that classification leaves alone, kept as files, so that a restarted server only has to map them."""

import os
import shutil
from pathlib import Path
from uuid import UUID, uuid4

import numpy as np

from quadrat.identity.types import ProjectId
from quadrat.objects.frames.specs import Array, Column
from quadrat.objects.frames.texts import DistinctTexts


class ColumnFiles:
    """A folder of column files, shared by the server processes of one machine.

    The mark of a project's content is part of the path: whatever changes facts or features changes it, so that no file
    can be taken for what it is not. A missing or damaged file only costs a look into the database.

    Args:
        folder: Made when it is needed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(
        self, project_id: ProjectId, content: UUID, column: Column, n: int
    ) -> tuple[Array, DistinctTexts | None] | None:
        """The column as a mapped array, when there is a file of it."""
        path = self._path(project_id, content, column)
        try:
            array = _mapped(path)
            texts = None
            if path.with_suffix(".texts").exists():
                blob = path.with_suffix(".texts").read_bytes()
                texts = DistinctTexts(blob[8:], int.from_bytes(blob[:8], "big"))
        except (OSError, ValueError, EOFError):
            return None
        return (array, texts) if array.shape == (n,) else None

    def keep(
        self, project_id: ProjectId, content: UUID, column: Column, array: Array, texts: DistinctTexts | None
    ) -> Array:
        """Write the column to a file; the same array, mapped. The array itself where the disk is full."""
        path = self._path(project_id, content, column)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._forget_others(path.parent)
            if texts is not None:
                _replace(path.with_suffix(".texts"), texts.n.to_bytes(8, "big") + texts.joined)
            part = path.with_suffix(f".{uuid4().hex}")
            with part.open("wb") as file:
                np.save(file, array, allow_pickle=False)
            part.replace(path)
            mapped = _mapped(path)
        except OSError:
            return array
        return mapped

    def _path(self, project_id: ProjectId, content: UUID, column: Column) -> Path:
        return self._folder / str(project_id) / content.hex / f"{column.file_name}.npy"

    def _forget_others(self, folder: Path) -> None:
        # Arrays that are still mapped keep their bytes until they are let go.
        for other in os.scandir(folder.parent):
            if other.name != folder.name:
                shutil.rmtree(other.path, ignore_errors=True)


def _replace(path: Path, content: bytes) -> None:
    part = path.with_suffix(f".{uuid4().hex}")
    part.write_bytes(content)
    part.replace(path)


def _mapped(path: Path) -> Array:
    # As a plain array: numpy's own class for mapped ones makes a Python object of every slice that it looks after.
    mapped: Array = np.load(path, mmap_mode="r").view(np.ndarray)
    return mapped
