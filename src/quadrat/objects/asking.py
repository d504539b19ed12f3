"""Served models and pipelines, asked about objects by batch requests."""

import asyncio
import base64
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
import numpy as np
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.db.engine import Database
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.types import Caller, ProjectId
from quadrat.objects.frames.specs import Ids, Numbers
from quadrat.objects.rules.answers import InputPlan
from quadrat.objects.rules.images import image_key
from quadrat.objects.store import learning as store
from quadrat.objects.types import ImageId
from quadrat.serving.actions import pipeline_requests, requests
from quadrat.serving.actions.access import VersionPath, open_version
from quadrat.serving.actions.blobs import allow_upload
from quadrat.serving.actions.pipelines import PipelinePath, open_pipeline
from quadrat.serving.files import Files
from quadrat.serving.pipeline_types import PipelineRequest
from quadrat.serving.rules.versions import refuse_unless_available
from quadrat.serving.types import Content, RequestState, Signature
from quadrat.storage.blobs import BlobStore

BLOCK = 100
_MAX_IMAGE_BYTES = 64 * 1024**2
_IMAGES_AT_A_TIME = 8
_ENDED = frozenset({RequestState.COMPLETED, RequestState.FAILED})
_FIRST_LOOK_S, _LAST_LOOK_S = 0.1, 1.0
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Served:
    """A version of a model, or a pipeline, that may be asked.

    Args:
        path: Where it is.
        input: What it takes.
        identity: Another one whenever it may answer otherwise, as far as that can be known.
    """

    path: VersionPath | PipelinePath
    input: Signature
    identity: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back for one object: a value, or why there is none."""

    value: Any = None
    problem: str | None = None


async def open_served(tx: AsyncConnection, caller: Caller, ref: str) -> Served:
    """The version ``project/model/version``, or the pipeline ``project/pipeline``, that the caller may ask.

    Raises:
        QuadratError: invalid, not_found, forbidden; wrong_state before it is available.
    """
    parts = ref.strip("/").split("/")
    if len(parts) == 3:
        version_path = VersionPath(_project_ref(parts[0]), parts[1], parts[2])
        _, model, version = await open_version(tx, caller, version_path, "models.versions.requests.create")
        refuse_unless_available(version.status)
        return Served(version_path, model.input, f"{model.uuid}/{version.uuid}/{version.serving_package_id}")
    if len(parts) == 2:
        pipeline_path = PipelinePath(_project_ref(parts[0]), parts[1])
        _, pipeline = await open_pipeline(tx, caller, pipeline_path, "pipelines.requests.create")
        return Served(pipeline_path, pipeline.input, f"pipeline/{pipeline.uuid}")
    raise QuadratError(
        ErrorKind.INVALID, "Name a model as project/model/version, or a pipeline as project/pipeline.", field="model"
    )


def _project_ref(text: str) -> ProjectId | str:
    return ProjectId(int(text)) if text.isdecimal() else text


class Asker:
    """Asks one served model about objects.

    Args:
        db: For transactions of its own.
        blobs: Where images are.
        files: Makes files that models can read.
        caller: In whose name.
        served: Whom.
    """

    def __init__(self, db: Database, blobs: BlobStore, files: Files, caller: Caller, served: Served) -> None:
        self._db, self._blobs, self._files = db, blobs, files
        self._caller, self._served = caller, served
        self._slots = asyncio.Semaphore(_IMAGES_AT_A_TIME)

    async def make_items(
        self, plan: InputPlan, project_id: ProjectId, object_ids: Ids, values: Numbers
    ) -> tuple[Ids, list[bytes]]:
        """The objects that can be asked about, and the request data for each; the others lack an image or a feature."""
        images: Mapping[int, tuple[ImageId, str, str]] = {}
        async with self._db.begin() as tx:
            if plan.needs_image:
                images = await store.visible_images(tx, project_id, object_ids)
            upload_to = (await allow_upload(tx, self._caller, self._served.path.project)).id if plan.blobs else None
        usable = np.array([not plan.needs_image or int(id_) in images for id_ in object_ids], bool)
        if plan.needs_features:
            usable &= np.isfinite(values).all(axis=1)
        chosen = np.flatnonzero(usable)

        async def make(row: int) -> bytes:
            async with self._slots:
                item: dict[str, Any] = {name: values[row].tolist() for name in plan.vectors}
                item |= {name: float(values[row, position]) for name, position in plan.numbers}
                if not plan.needs_image:
                    return _encode(item)
                image_id, extension, file_name = images[int(object_ids[row])]
                key = image_key(project_id, image_id, extension)
                content = await self._blobs.read(key, max_bytes=_MAX_IMAGE_BYTES)
                text = base64.b64encode(content).decode() if plan.is_plain or plan.images else ""
                if plan.is_plain:
                    return _encode(text)
                item |= dict.fromkeys(plan.images, text)
                for name in plan.blobs:
                    assert upload_to is not None  # noqa: S101 - asked for above
                    item[name] = str((await self._files.add_blob(upload_to, file_name, content)).id)
                return _encode(item)

        return object_ids[chosen], await asyncio.gather(*(make(int(row)) for row in chosen))

    async def ask(self, tx: AsyncConnection, items: Sequence[bytes]) -> list[UUID]:
        """Make requests within the transaction; at most `BLOCK`.

        Raises:
            QuadratError: not_found, forbidden, wrong_state; invalid.
        """
        path = self._served.path
        if not items:
            return []
        if isinstance(path, VersionPath):
            ids, _ = await requests.create_requests(tx, self._caller, path, items)
        else:
            ids, _ = await pipeline_requests.create_requests(tx, self._caller, path, items)
        return ids

    async def answers(self, ids: Sequence[UUID]) -> list[Answer]:
        """What came of requests, once all have ended, in their order.

        Raises:
            QuadratError: not_found when somebody has deleted one.
        """
        pause_s = _FIRST_LOOK_S
        while ids:
            found = await self._look(ids)
            if found is not None:
                return found
            # Results are written in blocks by whichever server runs the model.
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LAST_LOOK_S)
        return []

    async def forget(self, tx: AsyncConnection, ids: Sequence[UUID]) -> None:
        """Remove requests whose answers have been used, where the caller may; the transaction goes on either way."""
        path = self._served.path
        if not ids:
            return
        with suppress(QuadratError):
            async with tx.begin_nested():
                if isinstance(path, VersionPath):
                    await requests.delete_requests(tx, self._caller, path, ids)
                else:
                    await pipeline_requests.delete_requests(tx, self._caller, path, ids)

    async def _look(self, ids: Sequence[UUID]) -> list[Answer] | None:
        path = self._served.path
        results: list[tuple[Content | None, str | None]]
        async with self._db.begin() as tx:
            if isinstance(path, PipelinePath):
                _, of_pipeline = await pipeline_requests.get_requests(tx, self._caller, path, ids)
                states = {item.state for item in of_pipeline}
                results = [(_last_result(item), item.error_message) for item in of_pipeline]
            else:
                found = await requests.get_requests(tx, self._caller, path, ids)
                states = {item.state for item in found}
                results = [(item.result_payload_id or item.result, item.error_message) for item in found]
        if not states <= _ENDED:
            return None
        return [_answer(await self._text_of(result), problem) for result, problem in results]

    async def _text_of(self, result: Content | None) -> bytes | None:
        return await self._files.read_payload(result) if isinstance(result, UUID) else result


def _last_result(item: PipelineRequest) -> Content | None:
    """What the last model on the way said; connectors say nothing."""
    said = [run.result for run in item.runs if run.is_model and run.success]
    return said[-1] if said and item.state is RequestState.COMPLETED else None


def _answer(result: bytes | None, problem: str | None) -> Answer:
    if result is None:
        return Answer(problem=problem or "The model gave no answer.")
    return Answer(msgspec.json.decode(result))
