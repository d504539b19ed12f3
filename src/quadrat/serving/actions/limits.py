"""What a subscription allows of models, pipelines and connectors."""

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.identity.actions.subscriptions import effective_plan, refuse_beyond
from quadrat.identity.types import Project
from quadrat.serving.store import objects as store


async def claim_resource(tx: AsyncConnection, project: Project) -> None:
    """Call before a version, pipeline or connector is made; others of the organization wait if there is a limit.

    Raises:
        QuadratError: limit_reached.
    """
    if (await effective_plan(tx, project.organization_id)).resources is None:
        return
    plan = await effective_plan(tx, project.organization_id, lock=True)
    counts = await store.count_in_organization(tx, project.organization_id)
    used = counts["versions"] + counts["pipelines"] + counts["connectors"]
    refuse_beyond(plan.resources, used + 1, "model versions, pipelines and connectors together")
