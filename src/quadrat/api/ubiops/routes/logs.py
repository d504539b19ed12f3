"""Logs of a project."""

from starlette.responses import Response

from quadrat.api.guard import new_router
from quadrat.api.ubiops.auth import SignedIn
from quadrat.api.ubiops.convert.logs import to_line, to_log_query
from quadrat.api.ubiops.schemas.logs import Logs, LogsCreate
from quadrat.api.wire import Tx, json_response
from quadrat.serving.actions import logs

router = new_router("Logs")


@router.post(
    "/projects/{project_name}/logs", operation_id="projects_log_list", status_code=201, response_model=list[Logs]
)
async def projects_log_list(project_name: str, caller: SignedIn, body: LogsCreate, tx: Tx) -> Response:
    """Lines of the system and of users' code, from the start on; without a start the newest."""
    found = await logs.list_logs(tx, caller, project_name, to_log_query(body))
    return json_response([to_line(line) for line in found], 201)
