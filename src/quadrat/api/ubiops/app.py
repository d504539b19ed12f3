"""The serving API under ``/v2.1``."""

from fastapi import FastAPI

from quadrat.api.docs import install_docs
from quadrat.api.ubiops.errors import render
from quadrat.api.ubiops.routes import (
    authorize,
    blobs,
    connectors,
    direct,
    logs,
    models,
    organization_users,
    organizations,
    pipeline_requests,
    pipelines,
    projects,
    requests,
    roles,
    schedules,
    service_users,
    status,
    subscriptions,
    usage,
    user,
    variables,
    versions,
)
from quadrat.api.wire import install_errors, serve_both_slashes

PREFIX = "/v2.1"
_ROUTERS = (
    direct.router,  # first, since routes are tried in order
    pipeline_requests.direct,
    status.router,
    authorize.router,
    user.router,
    organizations.router,
    organization_users.router,
    subscriptions.router,
    projects.router,
    roles.router,
    service_users.router,
    logs.router,
    usage.router,
    models.router,
    versions.router,
    variables.router,
    requests.router,
    pipelines.router,
    pipeline_requests.router,
    schedules.router,
    connectors.router,
    blobs.router,
)


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
    serve_both_slashes(app)
    install_docs(app, PREFIX, '-H "Authorization: Token $TOKEN"')
    return app
