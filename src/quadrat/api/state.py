"""What the parent application opens once and every request finds in ``request.state``."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Protocol, TypedDict

from quadrat.api.events import EventHub
from quadrat.base.sealing import Sealer
from quadrat.db.engine import Database
from quadrat.gaze.analysis import Analyst
from quadrat.gaze.pictures.pool import Pictures
from quadrat.identity.authenticator import Authenticator
from quadrat.jobs.waiting import JobWaiter
from quadrat.objects.columns.cache import ColumnCache
from quadrat.objects.door import Door as ObjectDoor
from quadrat.objects.intake import Intake as ObjectIntake
from quadrat.samples.door import Door
from quadrat.samples.intake import Intake
from quadrat.samples.places import Places
from quadrat.samples.thumbnails import Thumbnails
from quadrat.serving.engine import ServingEngine
from quadrat.serving.flow.engine import PipelineEngine
from quadrat.storage.blobs import BlobStore
from quadrat.storage.references import References
from quadrat.storage.types import ByteSource, Received


class BlobGuard(Protocol):
    """Ties signed addresses to the things that their bytes belong to."""

    def admits_at_once(self, key: str) -> bool:
        """Whether `admit` would say at this moment, without a look, that the bytes are to be read in the store."""
        ...

    async def admit(self, key: str) -> ByteSource | None:
        """Refuse an address whose thing is gone, although its signature is good and its bytes may be there still.

        Returns:
            Where to read when the bytes are not in the store.

        Raises:
            QuadratError: not_found.
        """
        ...

    async def expect(self, key: str, size_bytes: int | None) -> None:
        """Bytes of this length, where it is known, are about to come; refuse them where it would be in vain.

        Raises:
            QuadratError: not_found, unavailable.
        """
        ...

    async def stored(self, key: str, received: Received) -> None:
        """Bytes have arrived for the key; lie under it once this returns.

        Raises:
            QuadratError: not_found, unavailable; then what was there before is there still, unless they are many.
        """
        ...

    async def recover(self) -> None:
        """Note what had arrived when the server before was killed; to be called before any address is used."""
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """What the operator set that the APIs obey.

    Args:
        max_upload_bytes: Largest file.
        max_samples_per_dataset: Image samples in one dataset.
        read_url_life: How long a signed read URL lives.
        write_url_life: How long a signed write URL lives.
        session_life: How long a token given for a password lives.
        sign_in_attempts: Failures within 15 minutes before further ones are refused.
        import_roots: Folders and buckets whose images may be imported without a copy.
        max_archive_bytes: Largest archive of objects.
        common_dir: Folder that every user may import from.
        unused_upload_life: How long an upload for gaze is kept that nothing refers to.
        export_right: Who may export objects: ``read``, ``annotate`` or ``manage``.
    """

    max_upload_bytes: int
    max_samples_per_dataset: int
    read_url_life: timedelta
    write_url_life: timedelta
    session_life: timedelta
    sign_in_attempts: int
    max_archive_bytes: int = 50 * 1024**3
    common_dir: Path | None = None
    export_right: str = "read"
    unused_upload_life: timedelta = timedelta(days=7)
    import_roots: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where everything is that must be kept.

    Args:
        data_dir: The key, and the embedded database.
        store: The folder or bucket of the bytes.
        has_own_database: False when the settings name another one.
    """

    data_dir: Path
    store: str
    has_own_database: bool


class HouseState(TypedDict):
    """The lifespan state. Routes read it as attributes of ``request.state``."""

    db: Database
    authenticator: Authenticator
    blobs: BlobStore
    sealer: Sealer
    engine: ServingEngine
    analyst: Analyst
    pictures: Pictures
    job_waiter: JobWaiter
    pipelines: PipelineEngine
    limits: Limits
    whereabouts: Whereabouts
    public_url: str | None
    blob_guard: BlobGuard
    events: EventHub
    page_key: bytes
    page_origins: tuple[str, ...]
    columns: ColumnCache
    object_door: ObjectDoor
    object_intake: ObjectIntake
    references: References
    thumbnails: Thumbnails
    door: Door
    intake: Intake
    image_places: Places
