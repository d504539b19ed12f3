"""Settings of visualizations between the wire and the domain."""

from quadrat.api.pupilcloud.convert.aois import refuse_other, to_id
from quadrat.api.pupilcloud.schemas import visualizations as wire
from quadrat.gaze.actions.visualizations import VisualizationContent
from quadrat.gaze.types import Visualization


def visualization(found: Visualization) -> wire.Visualization:
    """Settings."""
    return wire.Visualization(
        id=str(found.uuid),
        project_id=str(found.project_uuid),
        enrichment_id=None if found.enrichment_uuid is None else str(found.enrichment_uuid),
        kind=found.kind,
        name=found.name,
        payload=dict(found.payload),
        created_at=found.created_at.isoformat(),
        updated_at=found.updated_at.isoformat(),
        created_by_user_id=None if found.created_by is None else str(found.created_by),
    )


def content(body: wire.VisualizationPost | wire.VisualizationPatch, in_path: str | None = None) -> VisualizationContent:
    """What is said of settings.

    Raises:
        QuadratError: invalid.
    """
    if in_path is not None and body.id is not None:
        refuse_other("id", body.id, in_path)
    return VisualizationContent(
        kind=body.kind,
        name=body.name,
        uuid=None if body.id is None else to_id(body.id, "id"),
        enrichment=None if body.enrichment_id is None else to_id(body.enrichment_id, "enrichment_id"),
        payload=body.payload,
    )
