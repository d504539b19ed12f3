"""Which pipeline a path leads to, laid out for running, from memory where that is sure to be right."""

import time
from collections.abc import Callable

from quadrat.base.joined import Joined
from quadrat.base.slugs import is_slug
from quadrat.db.engine import Database
from quadrat.db.notify import Listener
from quadrat.identity.types import ProjectId
from quadrat.serving.pipeline_types import PipelineId, Plan
from quadrat.serving.rules.pipelines import lay_out
from quadrat.serving.signals import PIPELINES, VERSIONS
from quadrat.serving.store import pipelines as store

_MAX_ENTRIES = 5000
_DISTRUST_S = 1.0


class Plans:
    """Remembers pipelines until NOTIFY says that one of them, or a model, has changed.

    Args:
        db: Where to look.
        listener: Empties the memory; subscribe before it starts.
        clock: Monotonic seconds.
    """

    def __init__(self, db: Database, listener: Listener, clock: Callable[[], float] = time.monotonic) -> None:
        self._db = db
        self._clock = clock
        self._by_path: dict[tuple[ProjectId, str], Plan] = {}
        self._by_id: dict[PipelineId, Plan] = {}
        self._generation = 0
        self._asking = Joined()
        self._trusted_from = 0.0
        for channel in (PIPELINES, VERSIONS):
            listener.subscribe(channel, lambda _payload: self.forget(), on_reset=self.forget)

    def forget(self) -> None:
        """Drop everything remembered, also what is being looked up at this moment."""
        self._generation += 1
        self._by_path.clear()
        self._by_id.clear()

    def distrust(self) -> None:
        """Remember nothing for a second: this process is about to change something."""
        self.forget()
        self._trusted_from = self._clock() + _DISTRUST_S

    async def find(self, project_id: ProjectId, name: str) -> Plan | None:
        """The pipeline of this name."""
        found = self._by_path.get((project_id, name))
        if found is not None or not is_slug(name):
            return found
        generation = self._generation
        async with self._db.begin() as tx:
            pipeline = await store.find_pipeline(tx, project_id, name)
            loaded = None if pipeline is None else await store.find_graph(tx, pipeline.id)
        if loaded is None:
            return None
        plan = lay_out(*loaded)
        if self._may_keep(generation):
            self._by_path[project_id, name] = plan
        return plan

    async def find_by_id(self, pipeline_id: PipelineId) -> Plan | None:
        """The pipeline of this number. Who asks at the same time, as all requests of a batch, keeps the order."""
        found = self._by_id.get(pipeline_id)
        if found is not None and not self._asking.has_before(pipeline_id):
            return found
        return await self._asking.find(pipeline_id, lambda: self._look_up(pipeline_id))

    async def _look_up(self, pipeline_id: PipelineId) -> Plan | None:
        generation = -1
        # Whoever has joined after a change must not be given what was before it.
        while generation != self._generation:
            generation = self._generation
            async with self._db.begin() as tx:
                loaded = await store.find_graph(tx, pipeline_id)
        if loaded is None:
            return None
        plan = lay_out(*loaded)
        if self._may_keep(generation):
            self._by_id[pipeline_id] = plan
        return plan

    def _may_keep(self, generation: int) -> bool:
        if generation != self._generation or self._clock() < self._trusted_from:
            return False
        for memory in (self._by_path, self._by_id):
            if len(memory) >= _MAX_ENTRIES:
                memory.clear()
        return True
