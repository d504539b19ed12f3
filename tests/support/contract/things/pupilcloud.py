"""A workspace with one of everything that gaze is made of."""

from typing import Any

from support.contract.things.step import HUSH, Step, Values, json_body

WORKSPACE = "/v2/workspaces/{workspace_id}"
PROJECT = WORKSPACE + "/projects/{project_id}"
ENRICHMENT = PROJECT + "/enrichments/{enrichment_id}"
GAZE = (
    "timestamp [ns],gaze detected on surface,gaze position on surface x [normalized],"
    "gaze position on surface y [normalized]\n1760676788219000000,true,0.5,0.5\n1760676788224000000,true,0.5,0.5\n"
)


def result_id(answer: Any, _name: str) -> Any:
    return answer["result"]["id"]


def announced(_name: str, _values: Values) -> dict[str, Any]:
    return {"headers": {"Tus-Resumable": "1.0.0", "Upload-Length": "5"}}


def gaze_files(_name: str, _values: Values) -> dict[str, Any]:
    return {"files": {"gaze": ("gaze.csv", GAZE)}, "data": {"name": HUSH, "wearer_name": HUSH}}


STEPS = (
    Step(WORKSPACE, ("GET", "/v2/workspaces/"), lambda _, __: {}, lambda answer, _: answer["result"][0]["id"]),
    Step(PROJECT, ("POST", WORKSPACE + "/projects/"), json_body(name=HUSH), result_id),
    Step(WORKSPACE + "/files/{file_id}", ("POST", WORKSPACE + "/files/"), announced, result_id),
    Step(WORKSPACE + "/surfaces/{surface_id}", ("POST", WORKSPACE + "/surfaces/"), json_body(name=HUSH), result_id),
    Step(
        ENRICHMENT,
        ("POST", PROJECT + "/enrichments"),
        json_body(
            name=HUSH,
            from_event_name="recording.begin",
            to_event_name="recording.end",
            kind="marker-mapper",
            args=lambda _, values: {"surface_id": values["surface_id"]},
        ),
        result_id,
    ),
    Step(
        ENRICHMENT + "/aois/{aoi_id}",
        ("POST", ENRICHMENT + "/aois"),
        json_body(
            name=HUSH,
            enrichment_id=lambda _, values: values["enrichment_id"],
            bounding_box={"min_x": 0.1, "max_x": 0.9, "min_y": 0.9, "max_y": 0.1},
        ),
        result_id,
    ),
    Step(
        WORKSPACE + "/labels/{label_id}",
        ("POST", WORKSPACE + "/labels/"),
        json_body(name=HUSH, aoi_ids=lambda _, values: [values["aoi_id"]]),
        result_id,
    ),
    Step(
        WORKSPACE + "/recordings/{recording_id}",
        ("POST", ENRICHMENT + "/recordings:import"),
        gaze_files,
        lambda answer, _: answer["result"]["recording_id"],
        beside=(PROJECT + "/recordings/{recording_id}",),
    ),
    Step(
        WORKSPACE + "/recordings/{recording_id}/events/{event_id}",
        ("POST", WORKSPACE + "/recordings/{recording_id}/events"),
        json_body(name=HUSH, offset_s=1.0),
        result_id,
    ),
    Step(
        WORKSPACE + "/wearers/{wearer_id}",
        ("POST", WORKSPACE + "/wearers/"),
        json_body(name=HUSH),
        result_id,
    ),
    Step(
        PROJECT + "/visualization_configs/{visualization_config_id}",
        ("POST", PROJECT + "/visualization_configs"),
        json_body(name=HUSH, kind="heatmap", enrichment_id=lambda _, values: values["enrichment_id"]),
        result_id,
    ),
    Step(
        PROJECT + "/mappers/static/{enrichment_id}",
        ("POST", PROJECT + "/mappers/static/"),
        json_body(name=HUSH, from_event_name="recording.begin", to_event_name="recording.end"),
        result_id,
    ),
)
