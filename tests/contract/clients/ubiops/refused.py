"""What a caller with a wrong token gets: only the status of the service."""

from session import connect, refusal, report

api = connect()
report(
    {
        "status": api.service_status().status,
        "user_get": refusal(api.user_get),
        "projects_list": refusal(api.projects_list),
        "models_list": refusal(api.models_list, project_name="anything"),
        "projects_delete": refusal(api.projects_delete, project_name="anything"),
    }
)
