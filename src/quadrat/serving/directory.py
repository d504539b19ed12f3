"""Which deployment a path leads to, from memory where that is sure to be right."""

import time
from collections.abc import Callable

from quadrat.base.joined import Joined
from quadrat.base.slugs import is_slug
from quadrat.db.engine import Database
from quadrat.db.notify import Listener
from quadrat.identity.types import ProjectId
from quadrat.serving.rules.versions import is_available, is_building
from quadrat.serving.signals import VERSIONS
from quadrat.serving.store import deployments as store
from quadrat.serving.types import Deployment, VersionId

_MAX_ENTRIES = 20_000
_DISTRUST_S = 1.0

_Path = tuple[ProjectId, str, str]


class Directory:
    """Remembers available deployments until NOTIFY says that something changed.

    One that is being built is looked up every time: whoever has just read that it is available shall find it so.

    Args:
        db: Where to look.
        listener: Empties the memory; subscribe before it starts.
        clock: Monotonic seconds.
    """

    def __init__(self, db: Database, listener: Listener, clock: Callable[[], float] = time.monotonic) -> None:
        self._db = db
        self._clock = clock
        self._by_path: dict[_Path, Deployment] = {}
        self._by_id: dict[VersionId, Deployment] = {}
        self._generation = 0
        self._asking = Joined()
        self._trusted_from = 0.0
        listener.subscribe(VERSIONS, lambda _payload: self.forget(), on_reset=self.forget)

    def forget(self) -> None:
        """Drop everything remembered, also what is being looked up at this moment."""
        self._generation += 1
        self._by_path.clear()
        self._by_id.clear()

    def distrust(self) -> None:
        """Remember nothing for a second: this process is about to change something.

        The caller's next request must see the change, and may come before the notification of it.
        """
        self.forget()
        self._trusted_from = self._clock() + _DISTRUST_S

    @property
    def generation(self) -> int:
        """Changes whenever what is remembered is forgotten."""
        return self._generation

    def is_remembered(self, found: Deployment) -> bool:
        """Whether this is what the next look at the deployment's path would find without looking it up."""
        path = (found.project_id, found.model_name, found.version_name)
        return self._by_path.get(path) is found

    async def find(self, project_id: ProjectId, model: str, version: str) -> Deployment | None:
        """The deployment at a path."""
        path = (project_id, model, version)
        found = self._by_path.get(path)
        if found is not None:
            return found
        if not (is_slug(model) and is_slug(version)):
            return None
        generation = self._generation
        async with self._db.begin() as tx:
            found = await store.find_deployment(tx, project_id, model, version)
        if found is not None and self._may_keep(found, generation):
            self._by_path[path] = found
        return found

    async def find_by_id(self, version_id: VersionId) -> Deployment | None:
        """The deployment of a version. Who asks at the same time, as all requests of a batch, keeps the order."""
        found = self._by_id.get(version_id)
        if found is not None and not self._asking.has_before(version_id):
            return found
        return await self._asking.find(version_id, lambda: self._look_up(version_id))

    async def _look_up(self, version_id: VersionId) -> Deployment | None:
        generation = -1
        # Whoever has joined after a change must not be given what was before it.
        while generation != self._generation:
            generation = self._generation
            async with self._db.begin() as tx:
                loaded = await store.list_deployments(tx, [version_id])
        found = loaded[0] if loaded else None
        if found is not None and self._may_keep(found, generation):
            self._by_id[version_id] = found
        return found

    def _may_keep(self, found: Deployment, generation: int) -> bool:
        if generation != self._generation or self._clock() < self._trusted_from:
            return False
        if is_building(found.status) or not is_available(found.status):
            return False
        if len(self._by_path) >= _MAX_ENTRIES:
            self._by_path.clear()
        if len(self._by_id) >= _MAX_ENTRIES:
            self._by_id.clear()
        return True
