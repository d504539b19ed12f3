"""The areas-of-interest API under ``/v2``."""

from fastapi import FastAPI

from quadrat.api.docs import install_docs
from quadrat.api.pupilcloud.errors import render, render_status
from quadrat.api.pupilcloud.routes import (
    aois,
    enrichments,
    files,
    heatmaps,
    labels,
    mappers,
    recordings,
    visualizations,
    workspaces,
)
from quadrat.api.wire import install_errors, serve_both_slashes

PREFIX = "/v2"
_ROUTERS = (
    workspaces.router,
    files.router,
    recordings.router,
    enrichments.router,
    aois.router,
    labels.router,
    mappers.router,
    heatmaps.router,
    visualizations.router,
)


def create_app() -> FastAPI:
    """The sub-application; the parent mounts it at `PREFIX` and opens what its routes need."""
    app = FastAPI(
        title="Quadrat areas-of-interest API",
        summary="Gaze on reference images: areas and statistics (Pupil Cloud API v2)",
        version="2.0.0",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    for router in _ROUTERS:
        app.include_router(router)
    install_errors(app, render, render_status=render_status)
    serve_both_slashes(app)
    install_docs(app, PREFIX, '-H "api-key: $TOKEN"')
    return app
