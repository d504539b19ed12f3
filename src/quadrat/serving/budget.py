"""What an organization may still let its models run in this month."""

from quadrat.base.clock import now
from quadrat.db.engine import Database
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.actions.access import find_organization_id
from quadrat.identity.actions.subscriptions import effective_plan
from quadrat.identity.types import ProjectId
from quadrat.serving.rules.metrics import Grain, Metric, floor, following
from quadrat.serving.store import metrics as store


class Budget:
    """Asked before an instance is started.

    Args:
        db: Where it stands.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    async def check(self, project_id: ProjectId) -> None:
        """Refuse when the organization of the project has used up its GB seconds.

        Raises:
            QuadratError: limit_reached.
        """
        async with self._db.begin() as tx:
            organization_id = await find_organization_id(tx, project_id)
            if organization_id is None:
                return
            limit = (await effective_plan(tx, organization_id)).gb_seconds
            if limit is None:
                return
            month = floor(now(), Grain.MONTH)
            span = (Grain.MONTH, month, following(month, Grain.MONTH))
            used = await store.read_organization(tx, organization_id, Metric.VERSION_GB_S, span)
        if sum(total for total, _ in used.values()) >= limit:
            raise QuadratError(
                ErrorKind.LIMIT_REACHED,
                f"The organization has used up the {limit} GB seconds that its subscription allows in a month.",
            )
