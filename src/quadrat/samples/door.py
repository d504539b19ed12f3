"""Who may do what in a dataset, from memory: what is asked for every single image."""

from quadrat.db.engine import Database
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.actions.access import require
from quadrat.identity.authenticator import Authenticator
from quadrat.identity.types import Caller, ProjectId
from quadrat.samples.actions.datasets import unknown_dataset
from quadrat.samples.store.samples import find_project
from quadrat.samples.types import DatasetId

_MOST_REMEMBERED = 10_000


class Door:
    """Lets callers into datasets.

    Args:
        db: Where datasets are.
        authenticator: Knows what a caller may do, seconds at most behind.
    """

    def __init__(self, db: Database, authenticator: Authenticator) -> None:
        self._db = db
        self._authenticator = authenticator
        # A dataset never moves; when it is gone, whoever goes in finds nothing.
        self._projects: dict[DatasetId, ProjectId] = {}

    async def check(self, caller: Caller, dataset_id: DatasetId, permission: str) -> None:
        """Refuse unless the caller holds the permission in the project of the dataset.

        Raises:
            QuadratError: not_found, forbidden. A dataset that is gone may still be let into.
        """
        project_id = self._projects.get(dataset_id)
        if project_id is None:
            async with self._db.look() as tx:
                project_id = await find_project(tx, dataset_id)
            if project_id is None:
                raise unknown_dataset(dataset_id)
            if len(self._projects) >= _MOST_REMEMBERED:
                self._projects.clear()
            self._projects[dataset_id] = project_id
        try:
            access = await self._authenticator.access(caller, project_id)
        except QuadratError as error:
            if error.kind is ErrorKind.NOT_FOUND:
                raise unknown_dataset(dataset_id) from None
            raise
        require(caller, access, permission)
