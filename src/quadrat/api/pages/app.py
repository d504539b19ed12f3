"""What the pages need beside the four APIs, under ``/ui/api``."""

from fastapi import FastAPI

from quadrat.api.docs import install_docs
from quadrat.api.pages.errors import render
from quadrat.api.pages.routes import (
    administration,
    annotations,
    builds,
    events,
    jobs,
    people,
    projects,
    requests,
    samples,
    session,
    tokens,
)
from quadrat.api.wire import install_errors

PREFIX = "/ui/api"
_ROUTERS = (
    session.router,
    projects.router,
    people.router,
    jobs.router,
    builds.router,
    requests.router,
    events.router,
    annotations.router,
    samples.router,
    tokens.router,
    administration.router,
)


def create_app() -> FastAPI:
    """The sub-application; the parent mounts it at `PREFIX` and opens what its routes need."""
    app = FastAPI(
        title="Quadrat pages API",
        summary="What the web app needs that no other API has; everything else it asks the four APIs",
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
