"""Deep features: what a served model makes of the images of objects, kept to be used again."""

import asyncio
from typing import Any

import numpy as np

from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.types import Caller, ProjectId
from quadrat.jobs.registry import JobContext
from quadrat.objects.asking import BLOCK, Asker, open_served
from quadrat.objects.frames.specs import Ids, Numbers
from quadrat.objects.predicting.features import BLOCK as READ_BLOCK
from quadrat.objects.rules.answers import plan_input, read_vector
from quadrat.objects.store import vectors as store
from quadrat.objects.store.sets import read_settings
from quadrat.serving.files import Files

MOST_ELEMENTS = 4096
_AT_A_TIME = 4


class Network:
    """The network that a project's settings name."""

    def __init__(self, context: JobContext[Any], asker: Asker, name: str, signature: Any) -> None:
        self._context = context
        self._asker = asker
        self._name = name
        self._plan = plan_input(signature, ())

    async def complete(self, project_id: ProjectId, object_ids: Ids, share: tuple[float, float]) -> None:
        """Have vectors made of those objects of a project that have none; those without an image stay so.

        Args:
            project_id: Where the objects are.
            object_ids: Which, rising.
            share: Where the job's progress begins and ends, in percent.

        Raises:
            QuadratError: invalid when the network gives no vectors, or such of different lengths.
        """
        async with self._context.db.begin() as tx:
            missing = await store.without_vector(tx, object_ids, self._name)
        done = 0
        for start in range(0, len(missing), _AT_A_TIME * BLOCK):
            part = missing[start : start + _AT_A_TIME * BLOCK]
            blocks = [part[at : at + BLOCK] for at in range(0, len(part), BLOCK)]
            async with asyncio.TaskGroup() as group:
                for block in blocks:
                    group.create_task(self._make(project_id, block))
            done += len(part)
            percent = share[0] + (share[1] - share[0]) * done / len(missing)
            await self._context.progress(percent, f"Looked at {done} of {len(missing)} images")

    async def load(self, object_ids: Ids, width: int = 0) -> Numbers:
        """The vectors of objects, NaN where there is none; at least so wide."""
        parts = []
        for start in range(0, len(object_ids), READ_BLOCK):
            async with self._context.db.begin() as tx:
                parts.append(await store.load_vectors(tx, object_ids[start : start + READ_BLOCK], self._name))
        width = max(width, *(part.shape[1] for part in parts)) if parts else width
        empty = np.empty((0, width))
        return np.concatenate(
            [empty, *(part if part.shape[1] else np.full((len(part), width), np.nan) for part in parts)]
        )

    async def _make(self, project_id: ProjectId, object_ids: Ids) -> None:
        ids, items = await self._asker.make_items(
            self._plan, project_id, object_ids, np.empty((len(object_ids), 0), np.float64)
        )
        async with self._context.db.begin() as tx:
            asked = await self._asker.ask(tx, items)
        found = {}
        for object_id, answer in zip(ids.tolist(), await self._asker.answers(asked), strict=True):
            if answer.problem is not None:
                raise QuadratError(ErrorKind.INVALID, f"The network failed over object {object_id}: {answer.problem}")
            try:
                found[object_id] = read_vector(answer.value)
            except ValueError as error:
                raise QuadratError(ErrorKind.INVALID, f"The network gives no vectors: {error}.") from error
        lengths = {len(elements) for elements in found.values()}
        if len(lengths) > 1 or max(lengths, default=0) > MOST_ELEMENTS:
            message = f"The network's vectors must all be of one length, at most {MOST_ELEMENTS}."
            raise QuadratError(ErrorKind.INVALID, message)
        async with self._context.db.begin() as tx:
            await store.keep_vectors(tx, project_id, self._name, found)
            await self._asker.forget(tx, asked)


async def open_network(context: JobContext[Any], caller: Caller, project_id: ProjectId) -> Network:
    """The network that the project's settings name.

    Raises:
        QuadratError: invalid when they name none, or one that is no model of images; not_found, forbidden, wrong_state.
    """
    async with context.db.begin() as tx:
        name = ((await read_settings(tx, [project_id]))[project_id].network or "").strip("/ ")
        if not name:
            raise QuadratError(
                ErrorKind.INVALID,
                "No network is configured: set cnn_network_id of the project to the model/version that makes a vector "
                "of an image.",
            )
        # A model of the same project, unless another project is named.
        ref = f"{project_id}/{name}" if name.count("/") == 1 else name
        try:
            served = await open_served(tx, caller, ref)
        except QuadratError as error:
            message = f"The network {name} of this project cannot be used: {error.message}"
            raise QuadratError(error.kind, message) from error
    files = Files(context.db, context.resources.blobs, context.resources.runner)
    asker = Asker(context.db, context.resources.blobs, files, caller, served)
    return Network(context, asker, served.identity, served.input)
