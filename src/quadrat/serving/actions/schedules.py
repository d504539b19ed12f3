"""Scheduled requests: made, read, changed, removed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.base.slugs import is_slug
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity import rules as identity_rules
from quadrat.identity.actions.access import ProjectRef, access_to, require
from quadrat.identity.types import Access, Caller, ObjectType, Target
from quadrat.serving.actions.blobs import find_blobs
from quadrat.serving.pipeline_types import PipelineId, ReferenceType
from quadrat.serving.rules import schedules as rules
from quadrat.serving.rules.models import check_name
from quadrat.serving.rules.values import blobs_in, check_input
from quadrat.serving.schedule_types import Schedule, Timetable
from quadrat.serving.store import models as model_store
from quadrat.serving.store import pipelines as pipeline_store
from quadrat.serving.store import schedules as store
from quadrat.serving.store import versions as version_store
from quadrat.serving.types import Signature, VersionId

_PIPELINE = "pipeline"


@dataclass(frozen=True, slots=True)
class NewSchedule:
    """What is asked for, not checked yet.

    Args:
        object_type: ``model`` or ``pipeline``.
        version: Needed for a model.
    """

    name: str
    object_type: str
    object_name: str
    version: str | None
    timetable: Timetable


@dataclass(frozen=True, slots=True)
class ScheduleChange:
    """What changes; None leaves as it is. The object stays."""

    name: str | None = None
    cron: str | None = None
    data: bytes | None = None
    is_batch: bool | None = None
    timeout_s: int | None = None
    is_enabled: bool | None = None


@dataclass(frozen=True, slots=True)
class _Object:
    """What requests are made of."""

    target: Target | None
    input: Signature | None
    version_id: VersionId | None = None
    pipeline_id: PipelineId | None = None


async def create_schedule(tx: AsyncConnection, caller: Caller, project: ProjectRef, new: NewSchedule) -> Schedule:
    """Have a request made again and again.

    Raises:
        QuadratError: not_found, forbidden; invalid, also when there is no such object; already_exists.
    """
    access = await access_to(tx, caller, project)
    _require_on_anything(caller, access, "create")
    if new.object_type not in (ReferenceType.MODEL, _PIPELINE):
        raise QuadratError(ErrorKind.INVALID, "The object_type must be model or pipeline.", field="object_type")
    found = await _find_object(tx, access, new)
    prefix = "pipelines" if new.object_type == _PIPELINE else "models.versions"
    require(caller, access, f"{prefix}.requests.create", found.target)
    if found.input is None:
        what = f"{new.object_type.capitalize()} {new.object_name}" + (f" {new.version}" if new.version else "")
        raise QuadratError(ErrorKind.INVALID, f"{what} does not exist in this project.", field="object_name")
    name = check_name(new.name, field="name")
    timetable = await _check(tx, access, new.timetable, found.input)
    reference = {"version_id": found.version_id, "pipeline_id": found.pipeline_id}
    if not await store.insert_schedule(tx, access.project.id, name, timetable, **reference):  # type: ignore[arg-type]
        raise QuadratError(
            ErrorKind.ALREADY_EXISTS, f"There is a schedule {name} in this project already.", field="name"
        )
    return await _read(tx, access, name)


async def get_schedule(tx: AsyncConnection, caller: Caller, project: ProjectRef, name: str) -> Schedule:
    """One schedule.

    Raises:
        QuadratError: not_found, forbidden.
    """
    return (await _open(tx, caller, project, name, "list"))[1]


async def list_schedules(tx: AsyncConnection, caller: Caller, project: ProjectRef) -> Sequence[Schedule]:
    """The schedules of a project of whose objects the caller may list requests, by name.

    Raises:
        QuadratError: not_found; forbidden without that permission on anything.
    """
    access = await access_to(tx, caller, project)
    _require_on_anything(caller, access, "list")
    found = await store.list_schedules(tx, access.project.id)
    return [item for item in found if identity_rules.allows(caller, access, _permission(item, "list"), _target(item))]


async def update_schedule(
    tx: AsyncConnection, caller: Caller, project: ProjectRef, current_name: str, change: ScheduleChange
) -> Schedule:
    """Change a schedule.

    Raises:
        QuadratError: not_found, forbidden, invalid, already_exists.
    """
    access, found = await _open(tx, caller, project, current_name, "create")
    name = found.name if change.name is None else check_name(change.name, field="name")
    values = {
        "cron": change.cron,
        "data": change.data,
        "is_batch": change.is_batch,
        "timeout_s": change.timeout_s,
        "is_enabled": change.is_enabled,
    }
    given = {key: value for key, value in values.items() if value is not None}
    timetable = replace(found.timetable, **given)  # type: ignore[arg-type]
    signature = await _input_of(tx, access, found) if change.data is not None else None
    await store.update_schedule(tx, found.id, name, await _check(tx, access, timetable, signature))
    return await _read(tx, access, name)


async def delete_schedule(tx: AsyncConnection, caller: Caller, project: ProjectRef, name: str) -> None:
    """Remove a schedule; requests that it has made stay.

    Raises:
        QuadratError: not_found, forbidden.
    """
    _, found = await _open(tx, caller, project, name, "create")
    await store.delete_schedule(tx, found.id)


async def _check(tx: AsyncConnection, access: Access, timetable: Timetable, signature: Signature | None) -> Timetable:
    rules.check_timeout(timetable.timeout_s)
    if signature is not None:
        check_input(signature, timetable.data)
        if signature.file_fields:
            await find_blobs(tx, access.project.id, list(blobs_in(signature, timetable.data)))
    return replace(timetable, cron=rules.check_cron(timetable.cron))


async def _find_object(tx: AsyncConnection, access: Access, new: NewSchedule) -> _Object:
    project_id = access.project.id
    if not is_slug(new.object_name):
        return _Object(None, None)
    if new.object_type == _PIPELINE:
        pipeline = await pipeline_store.find_pipeline(tx, project_id, new.object_name)
        if pipeline is None:
            return _Object(None, None)
        return _Object(Target(ObjectType.PIPELINE, pipeline.uuid), pipeline.input, pipeline_id=pipeline.id)
    model = await model_store.find_model(tx, project_id, new.object_name)
    if model is None:
        return _Object(None, None)
    target = Target(ObjectType.MODEL, model.uuid)
    if new.version is None:
        raise QuadratError(ErrorKind.INVALID, "A schedule for a model needs a version.", field="version")
    version = await version_store.find_version(tx, model.id, new.version) if is_slug(new.version) else None
    return _Object(target, None) if version is None else _Object(target, model.input, version_id=version.id)


async def _input_of(tx: AsyncConnection, access: Access, found: Schedule) -> Signature:
    if found.pipeline_id is not None:
        pipeline = await pipeline_store.find_pipeline(tx, access.project.id, found.object_name)
        assert pipeline is not None  # noqa: S101 - its schedules go with it
        return pipeline.input
    model = await model_store.find_model(tx, access.project.id, found.object_name)
    assert model is not None  # noqa: S101 - its schedules go with it
    return model.input


def _require_on_anything(caller: Caller, access: Access, action: str) -> None:
    """Refuse whoever may do this to no object at all, before anything is said about schedules.

    Raises:
        QuadratError: forbidden.
    """
    permissions = {prefix: f"{prefix}.requests.{action}" for prefix in ("models.versions", "pipelines")}
    types = {"models.versions": ObjectType.MODEL, "pipelines": ObjectType.PIPELINE}
    allowed = [
        identity_rules.allowed_objects(caller, access, permission, types[prefix])
        for prefix, permission in permissions.items()
    ]
    if all(ids is not None and not ids for ids in allowed):
        require(caller, access, permissions["models.versions"])


def _permission(found: Schedule, action: str) -> str:
    return f"{'models.versions' if found.pipeline_id is None else 'pipelines'}.requests.{action}"


def _target(found: Schedule) -> Target:
    return Target(ObjectType.MODEL if found.pipeline_id is None else ObjectType.PIPELINE, found.object_uuid)


async def _open(
    tx: AsyncConnection, caller: Caller, project: ProjectRef, name: str, action: str
) -> tuple[Access, Schedule]:
    access = await access_to(tx, caller, project)
    _require_on_anything(caller, access, action)
    found = await store.find_schedule(tx, access.project.id, name) if is_slug(name) else None
    if found is None:
        raise QuadratError(ErrorKind.NOT_FOUND, f"Schedule {name} does not exist in this project.", field="schedule")
    require(caller, access, _permission(found, action), _target(found))
    return access, found


async def _read(tx: AsyncConnection, access: Access, name: str) -> Schedule:
    found = await store.find_schedule(tx, access.project.id, name)
    assert found is not None  # noqa: S101 - written in this transaction
    return found
