"""Scheduled requests of a project."""

from quadrat.api.guard import new_router
from quadrat.api.ubiops.auth import SignedIn
from quadrat.api.ubiops.convert.schedules import to_new_schedule, to_schedule_change, to_schedule_list
from quadrat.api.ubiops.schemas.schedules import ScheduleCreate, ScheduleList, ScheduleUpdate
from quadrat.api.wire import Tx
from quadrat.serving.actions import schedules

router = new_router("Scheduled requests")

_SCHEDULES = "/projects/{project_name}/schedules"
_ONE = _SCHEDULES + "/{schedule_name}"


@router.get(_SCHEDULES, operation_id="scheduled_requests_list", response_model_exclude_unset=True)
async def scheduled_requests_list(project_name: str, caller: SignedIn, tx: Tx) -> list[ScheduleList]:
    """By name; those of objects whose requests the caller may list."""
    return [to_schedule_list(item) for item in await schedules.list_schedules(tx, caller, project_name)]


@router.post(_SCHEDULES, operation_id="scheduled_requests_create", status_code=201, response_model_exclude_unset=True)
async def scheduled_requests_create(project_name: str, caller: SignedIn, body: ScheduleCreate, tx: Tx) -> ScheduleList:
    """Five cron fields in UTC: minute, hour, day of month, month, day of week from 0 for Sunday to 6."""
    return to_schedule_list(await schedules.create_schedule(tx, caller, project_name, to_new_schedule(body)))


@router.get(_ONE, operation_id="scheduled_requests_get", response_model_exclude_unset=True)
async def scheduled_requests_get(project_name: str, schedule_name: str, caller: SignedIn, tx: Tx) -> ScheduleList:
    """One schedule."""
    return to_schedule_list(await schedules.get_schedule(tx, caller, project_name, schedule_name))


@router.patch(_ONE, operation_id="scheduled_requests_update", response_model_exclude_unset=True)
async def scheduled_requests_update(
    project_name: str, schedule_name: str, caller: SignedIn, body: ScheduleUpdate, tx: Tx
) -> ScheduleList:
    """Change all but the object."""
    change = to_schedule_change(body)
    return to_schedule_list(await schedules.update_schedule(tx, caller, project_name, schedule_name, change))


@router.delete(_ONE, operation_id="scheduled_requests_delete", status_code=204)
async def scheduled_requests_delete(project_name: str, schedule_name: str, caller: SignedIn, tx: Tx) -> None:
    """Requests that it has made stay."""
    await schedules.delete_schedule(tx, caller, project_name, schedule_name)
