"""What several kinds of processes open alike, as the settings say. Loads nothing of the web server."""

from typing import Any

from quadrat.imaging.pool import DecoderPool
from quadrat.imaging.types import Bounds
from quadrat.runner.local import LocalRunner
from quadrat.serving.targets.guard import Guard
from quadrat.serving.targets.places import Places
from quadrat.serving.targets.proxy import GuardedProxy
from quadrat.settings import Settings
from quadrat.storage.blobs import BlobStore
from quadrat.storage.references import References


def open_blobs(settings: Settings, secret_key: bytes) -> BlobStore:
    """The store that the settings name."""
    if settings.store_url is None:
        return BlobStore.on_disk(settings.data_dir.resolve() / "store", secret_key)
    return BlobStore.in_bucket(settings.store_url, secret_key, _bucket_options(settings))


def open_references(settings: Settings) -> References:
    """What reads images that were imported without a copy."""
    return References(_bucket_options(settings))


def _bucket_options(settings: Settings) -> dict[str, Any]:
    if settings.store_endpoint is None:
        return {}
    allow_http = settings.store_endpoint.startswith("http://")
    return {"endpoint": settings.store_endpoint, "client_options": {"allow_http": allow_http}}


def open_decoders(settings: Settings, *, processes: int) -> DecoderPool:
    """Processes that decode pictures within the bounds that the settings name."""
    return DecoderPool(processes, Bounds(settings.max_image_pixels, settings.decoder_memory_bytes))


def open_places(settings: Settings) -> Places:
    """Where connectors write to; the proxy in it has to be started."""
    guard = Guard(deny_private=settings.connector_deny_private)
    return Places(guard, GuardedProxy(guard))


def open_runner(settings: Settings) -> LocalRunner:
    """The runner of this machine; several processes may use the same folder."""
    data_dir = settings.data_dir.resolve()
    return LocalRunner(
        data_dir / "runner",
        instance_user=settings.model_user,
        hidden_dir=data_dir,
        sandboxed=settings.model_sandbox,
    )
