"""The serving API under ``/v2.1``."""

from fastapi import FastAPI

from quadrat.api.ubiops.errors import render
from quadrat.api.ubiops.routes import status
from quadrat.api.wire import install_errors

PREFIX = "/v2.1"
_ROUTERS = (status.router,)


def create_app() -> FastAPI:
    """The sub-application; the parent mounts it at `PREFIX` and opens what its routes need."""
    app = FastAPI(
        title="Quadrat serving API",
        summary="Models, versions, requests, pipelines (UbiOps Core API 2.1)",
        version="2.1.0",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    for router in _ROUTERS:
        app.include_router(router)
    install_errors(app, render)
    return app
