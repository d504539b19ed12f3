"""Wire models of the settings of visualizations."""

from typing import Any

from pydantic import BaseModel, Field

from quadrat.gaze.types import VisualizationKind

Payload = dict[str, dict[str, Any]]
"""Settings in groups: clients refuse an answer whose groups are no objects."""


class VisualizationPost(BaseModel):
    """Settings to keep. Times that are sent along are ignored."""

    kind: VisualizationKind
    name: str = Field(min_length=1)
    id: str | None = None
    enrichment_id: str | None = Field(None, description="Of what; the whole project when absent")
    payload: Payload | None = None


class VisualizationPatch(BaseModel):
    """What changes about settings; null is the same as absent."""

    kind: VisualizationKind | None = None
    name: str | None = Field(None, min_length=1)
    id: str | None = None
    enrichment_id: str | None = None
    payload: Payload | None = None


class Visualization(BaseModel):
    """Settings of a visualization."""

    id: str
    project_id: str
    enrichment_id: str | None
    kind: VisualizationKind
    name: str
    payload: Payload
    created_at: str
    updated_at: str
    created_by_user_id: str | None
