"""A workspace and a project in it."""

from support.contract.things.step import HUSH, Step, json_body

WORKSPACE = "/v2/workspaces/{workspace_id}"

STEPS = (
    Step(WORKSPACE, ("GET", "/v2/workspaces/"), lambda _, __: {}, lambda answer, _: answer["result"][0]["id"]),
    Step(
        WORKSPACE + "/projects/{project_id}",
        ("POST", WORKSPACE + "/projects/"),
        json_body(name=HUSH),
        lambda answer, _: answer["result"]["id"],
    ),
)
