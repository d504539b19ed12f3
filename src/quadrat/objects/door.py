"""Who may do what in a project's objects, from memory: what is asked before every window and every decision."""

from quadrat.db.engine import Database
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.authenticator import Authenticator
from quadrat.identity.rules import allows
from quadrat.identity.types import Caller, ProjectId
from quadrat.objects.actions.access import open_set
from quadrat.objects.types import Permission


class Door:
    """Lets callers into projects.

    Args:
        db: Where projects are.
        authenticator: Knows what a caller may do, seconds at most behind.
    """

    def __init__(self, db: Database, authenticator: Authenticator) -> None:
        self._db = db
        self._authenticator = authenticator

    async def check(self, caller: Caller | None, project_id: ProjectId, permission: Permission) -> None:
        """Refuse unless the caller holds the permission in the project. Nobody is refused from memory.

        Raises:
            QuadratError: not_found, forbidden.
        """
        if caller is not None and await self._is_remembered(caller, project_id, permission):
            return
        async with self._db.look() as tx:
            await open_set(tx, caller, project_id, permission)

    async def _is_remembered(self, caller: Caller, project_id: ProjectId, permission: Permission) -> bool:
        try:
            access = await self._authenticator.access(caller, project_id)
        except QuadratError as error:
            if error.kind is ErrorKind.NOT_FOUND:
                return False
            raise
        return allows(caller, access, permission)
