"""Scheduled requests between the wire and the house."""

import msgspec

from quadrat.api.ubiops.convert.times import to_utc
from quadrat.api.ubiops.schemas.schedules import ScheduleCreate, ScheduleList, ScheduleUpdate
from quadrat.serving.actions.schedules import NewSchedule, ScheduleChange
from quadrat.serving.schedule_types import Schedule, Timetable

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_DEFAULT_TIMEOUT_S = 300


def to_new_schedule(body: ScheduleCreate) -> NewSchedule:
    """What is left out or null gets its default."""
    timetable = Timetable(
        body.schedule,
        _encode(body.request_data),
        True if body.batch is None else body.batch,
        _DEFAULT_TIMEOUT_S if body.timeout is None else body.timeout,
        True if body.enabled is None else body.enabled,
    )
    return NewSchedule(body.name, body.object_type, body.object_name, body.version, timetable)


def to_schedule_change(body: ScheduleUpdate) -> ScheduleChange:
    """Null counts as left out."""
    data = None if body.request_data is None else _encode(body.request_data)
    return ScheduleChange(body.name, body.schedule, data, body.batch, body.timeout, body.enabled)


def to_schedule_list(found: Schedule) -> ScheduleList:
    """A schedule, alone and in a list; answer it without what was not set."""
    shown = ScheduleList(
        id=str(found.uuid),
        name=found.name,
        object_type="model" if found.pipeline_id is None else "pipeline",
        object_name=found.object_name,
        schedule=found.timetable.cron,
        request_data=_decode(found.timetable.data),
        batch=found.timetable.is_batch,
        timeout=found.timetable.timeout_s,
        enabled=found.timetable.is_enabled,
        creation_date=to_utc(found.created_at),
    )
    if found.version is not None:
        shown.version = found.version
    return shown
