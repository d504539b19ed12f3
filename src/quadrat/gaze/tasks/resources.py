"""What a worker process has to offer the jobs of gaze."""

from datetime import timedelta
from typing import Protocol

from quadrat.storage.blobs import BlobStore


class GazeResources(Protocol):
    """See the module."""

    @property
    def blobs(self) -> BlobStore:
        """Where files and gaze columns are stored."""
        ...

    @property
    def unused_upload_life(self) -> timedelta:
        """How long uploads are kept that nothing refers to."""
        ...
