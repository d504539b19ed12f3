"""In order: a step may use what those before it made. One whose operation the server does not have is left out."""

from support.contract.things.step import HUSH, Step, json_body, named, own_id, own_name

P = "/v2.1/projects/{project_name}"
MODEL = P + "/models/{model_name}"
VERSION = MODEL + "/versions/{version}"
PIPELINE = P + "/pipelines/{pipeline_name}"
NUMBER = [{"name": "number", "data_type": "int"}]

STEPS = (
    Step(
        "/v2.1/organizations/{organization_name}",
        ("POST", "/v2.1/organizations"),
        json_body(name=own_name, subscription="free", subscription_agreed=True),
        named,
    ),
    Step(
        P,
        ("POST", "/v2.1/projects"),
        json_body(name=own_name, organization_name=lambda _, values: values["organization_name"]),
        named,
    ),
    Step(
        MODEL,
        ("POST", P + "/models"),
        json_body(name=own_name, description=HUSH, input_type="structured", output_type="plain", input_fields=NUMBER),
        named,
    ),
    Step(
        VERSION,
        ("POST", MODEL + "/versions"),
        json_body(version=own_name, description=HUSH, memory_allocation=256),
        named,
    ),
    Step(
        P + "/credentials/{credentials_name}",
        ("POST", P + "/credentials"),
        json_body(
            name=own_name,
            type="postgresql",
            configuration={"username": HUSH, "password": HUSH, "host": "127.0.0.1", "port": "1"},
        ),
        named,
    ),
    Step(
        P + "/connectors/{connector_name}",
        ("POST", P + "/connectors"),
        json_body(
            name=own_name,
            type="postgresql",
            credentials=lambda _, values: values["credentials_name"],
            configuration={"database": HUSH, "table": HUSH},
            input_fields=NUMBER,
        ),
        named,
    ),
    Step(
        PIPELINE,
        ("POST", P + "/pipelines"),
        json_body(name=own_name, description=HUSH, input_type="structured", input_fields=NUMBER),
        named,
    ),
    Step(
        PIPELINE + "/objects/{name}",
        ("POST", PIPELINE + "/objects"),
        json_body(
            name=own_name,
            reference_type="model",
            reference_name=lambda _, values: values["model_name"],
            version=lambda _, values: values["version"],
        ),
        named,
    ),
    Step(
        PIPELINE + "/objects/{source_name}",
        ("POST", PIPELINE + "/attachments"),
        json_body(
            source_name="pipeline_start",
            destination_name=lambda _, values: values["name"],
            mapping=[{"source_field_name": "number", "destination_field_name": "number"}],
        ),
        lambda answer, _: answer["source_name"],
    ),
    Step(
        PIPELINE + "/objects/{source_name}/attachments/{destination_name}",
        ("GET", PIPELINE + "/attachments"),
        lambda _, __: {},
        lambda answer, _: answer[0]["destination_name"],
    ),
    Step(
        P + "/schedules/{schedule_name}",
        ("POST", P + "/schedules"),
        json_body(
            name=own_name,
            object_type="pipeline",
            object_name=lambda _, values: values["pipeline_name"],
            schedule="0 3 * * *",
            request_data={"number": 1},
            enabled=False,
        ),
        named,
    ),
    Step(
        P + "/blobs/{blob_id}",
        ("POST", P + "/blobs"),
        lambda _, __: {"files": {"file": ("hush.txt", HUSH.encode())}},
        own_id,
    ),
    *(
        Step(
            f"{level}/environment-variables/{{id}}",
            ("POST", f"{level}/environment-variables"),
            json_body(name="NOTE", value=HUSH, secret=False),
            own_id,
        )
        for level in (P, MODEL, VERSION)
    ),
    Step(
        P + "/roles/{role_name}",
        ("POST", P + "/roles"),
        json_body(name=own_name, permissions=["projects.get"]),
        named,
    ),
    Step(P + "/service-users/{service_user_id}", ("POST", P + "/service-users"), json_body(name=HUSH), own_id),
    Step(
        P + "/role-assignments/{id}",
        ("POST", P + "/role-assignments"),
        json_body(user_id=lambda _, values: values["service_user_id"], role="project-viewer"),
        own_id,
    ),
)
