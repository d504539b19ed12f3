"""A project that nobody else may see."""

from support.contract.things.step import HUSH, Step, json_body

STEPS = (
    Step(
        "/api/projects/{project_id}",
        ("POST", "/api/projects/create"),
        json_body(title=HUSH, visible=False),
        lambda answer, _: answer,
        beside=(
            "/api/object_set/{project_id}",
            "/api/users/my_preferences/{project_id}",
            "/api/taxa/reclassification_history/{project_id}",
            "/api/file_import/{project_id}",
            "/api/simple_import/{project_id}",
        ),
    ),
)
