"""The permission strings and the default roles that are made of them. Data; the decision stands in `rules`.

Source: the operation table of the serving API (its 85 strings) and Quadrat's own for samples, objects and gaze.
"""

from enum import StrEnum

_CRUD = ("list", "get", "create", "update", "delete")


def _crud(prefix: str, actions: tuple[str, ...] = _CRUD) -> tuple[str, ...]:
    return tuple(f"{prefix}.{action}" for action in actions)


_PROJECT = (
    *_crud("projects", ("get", "update", "delete")),
    "projects.usage.get",
    "projects.logs.get",
    *_crud("projects.environment-variables"),
)
_MODELS = (
    *_crud("models"),
    *_crud("models.environment-variables"),
    *_crud("models.versions"),
    *_crud("models.versions.files", ("get", "create")),
    *_crud("models.versions.environment-variables"),
    *_crud("models.versions.requests", ("list", "get", "create", "delete")),
    "models.versions.metrics.get",
)
_PIPELINES = (
    *_crud("pipelines"),
    *_crud("pipelines.objects"),
    *_crud("pipelines.attachments", ("list", "get", "create", "delete")),
    *_crud("pipelines.requests", ("list", "get", "create", "delete")),
    "pipelines.metrics.get",
)
_CONNECTORS = (*_crud("connectors"), "connectors.metrics.get")
_CREDENTIALS = _crud("credentials")
_BLOBS = _crud("blobs", ("list", "get", "create", "delete"))
_ADMINISTRATION = (
    *_crud("roles"),
    *_crud("roles.assignments", ("list", "get", "create", "delete")),
    *_crud("service-users"),
)
_SAMPLES = ("samples.read", "samples.create", "samples.update", "samples.delete")
_OBJECTS = (
    "objects.read",
    "objects.export",
    "objects.classify",
    "objects.predict",
    "objects.import",
    "objects.update",
    "objects.delete",
)
_TAXA = ("taxa.read", "taxa.create")
_GAZE = (
    *(f"gaze.{action}" for action in ("read", "create", "update", "delete")),
    *(f"aois.{action}" for action in ("read", "create", "update", "delete")),
)

SERVING_PERMISSIONS: tuple[str, ...] = (
    *_PROJECT,
    *_MODELS,
    *_PIPELINES,
    *_CONNECTORS,
    *_CREDENTIALS,
    *_BLOBS,
    *_ADMINISTRATION,
)
DATA_PERMISSIONS: tuple[str, ...] = (*_SAMPLES, *_OBJECTS, *_TAXA, *_GAZE)
ALL_PERMISSIONS: frozenset[str] = frozenset(SERVING_PERMISSIONS + DATA_PERMISSIONS)

_READING = frozenset({"list", "get", "read", "export"})
_REMOVING = frozenset({"delete"})
_ANNOTATING = frozenset(
    {
        "samples.update",
        "objects.classify",
        "objects.predict",
        "objects.import",
        "aois.create",
        "aois.update",
    }
)
# What editors may remove as well: in that field drawing an area and removing it again is one kind of work.
_EDITORS_REMOVE = frozenset({"aois.delete", "gaze.delete"})
# Held by those who manage a project only, and never by a service user.
RESTRICTED_PERMISSIONS: frozenset[str] = frozenset(_ADMINISTRATION)


class Level(StrEnum):
    """How much of a group of permissions a role holds."""

    VIEWER = "viewer"
    EDITOR = "editor"
    ADMIN = "admin"


def at_level(level: Level, permissions: frozenset[str]) -> frozenset[str]:
    """The part that a viewer (reads), an editor (also creates and changes) or an admin (all) holds."""
    if level is Level.ADMIN:
        return permissions
    reading = frozenset(name for name in permissions if name.rsplit(".", 1)[1] in _READING)
    if level is Level.VIEWER:
        return reading
    return frozenset(name for name in permissions if name.rsplit(".", 1)[1] not in _REMOVING)


PROJECT_ADMIN = "project-admin"
PROJECT_EDITOR = "project-editor"
PROJECT_ANNOTATOR = "project-annotator"
PROJECT_VIEWER = "project-viewer"
SERVICE_USER_PROJECT_ADMIN = "service-user-project-admin"


def _default_roles() -> dict[str, frozenset[str]]:
    project_wide = ALL_PERMISSIONS - RESTRICTED_PERMISSIONS
    viewer = at_level(Level.VIEWER, project_wide)
    roles = {
        PROJECT_VIEWER: viewer,
        PROJECT_ANNOTATOR: viewer | _ANNOTATING,
        PROJECT_EDITOR: at_level(Level.EDITOR, project_wide) | _EDITORS_REMOVE,
        PROJECT_ADMIN: ALL_PERMISSIONS,
        SERVICE_USER_PROJECT_ADMIN: project_wide,
    }
    groups = {
        "model": _MODELS,
        "pipeline": _PIPELINES,
        "connector": _CONNECTORS,
        "credentials": _CREDENTIALS,
        "blob": _BLOBS,
    }
    for name, group in groups.items():
        for level in Level:
            roles[f"{name}-{level}"] = at_level(level, frozenset(group))
    return roles


DEFAULT_ROLES: dict[str, frozenset[str]] = _default_roles()
