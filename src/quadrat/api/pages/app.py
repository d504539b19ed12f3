"""What the pages need beside the four APIs, under ``/ui/api``."""

from fastapi import FastAPI

from quadrat.api.docs import install_docs
from quadrat.api.pages.errors import render
from quadrat.api.pages.routes import annotations, events, jobs, projects, session
from quadrat.api.wire import install_errors

PREFIX = "/ui/api"
_ROUTERS = (session.router, projects.router, jobs.router, events.router, annotations.router)


def create_app() -> FastAPI:
    """The sub-application; the parent mounts it at `PREFIX` and opens what its routes need."""
    app = FastAPI(
        title="Quadrat pages API",
        summary="Session, merged jobs, events and undo for the web app; everything else it asks the four APIs",
        version="1",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    for router in _ROUTERS:
        app.include_router(router)
    install_errors(app, render)
    install_docs(app, PREFIX, '-H "Authorization: Bearer $TOKEN"')
    return app
