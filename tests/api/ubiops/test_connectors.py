"""Credentials and connectors over HTTP; whether they really connect is tried elsewhere."""

from typing import Any

import pytest
from sqlalchemy import text

from quadrat.serving.connector_types import ConnectorType
from support.desk import Desk
from support.people import unique

pytestmark = pytest.mark.anyio

POSTGRESQL = {"username": "u", "password": "very-secret", "host": "db.example.org", "port": "5432"}
S3 = {"access_key": "AKIA", "secret_key": "very-secret", "region": "eu-central-1"}
FIELDS = [{"name": "number", "data_type": "double"}]
TABLE = {"database": "d", "table": "t"}


def at(desk: Desk, what: str) -> str:
    return f"/projects/{desk.project.name}/{what}"


async def make_credentials(desk: Desk, type_: str = "postgresql", configuration: Any = None) -> str:
    name = unique("c")
    body = {"name": name, "type": type_, "configuration": configuration or POSTGRESQL}
    made = await desk.client.post(at(desk, "credentials"), json=body)
    assert made.status_code == 201, made.text
    return name


async def make_connector(desk: Desk, **changes: Any) -> str:
    body = {
        "name": unique("k"),
        "type": "postgresql",
        "credentials": changes.pop("credentials", None) or await make_credentials(desk),
        "configuration": TABLE,
        "input_fields": FIELDS,
        **changes,
    }
    made = await desk.client.post(at(desk, "connectors"), json=body)
    assert made.status_code == 201, made.text
    return body["name"]


async def test_configurations_name_all_types_and_protect_secrets(desk: Desk):
    found = {item["connector"]: item for item in (await desk.client.get("/config/connectors")).json()}
    assert set(found) == set(ConnectorType)
    assert found["aws_s3"]["connector_type"] == "blob"
    shown = {item["parameter"]: item for item in found["postgresql"]["credentials_configuration"]}
    assert list(shown) == ["username", "password", "host", "port"]
    assert [name for name, item in shown.items() if item["protected"]] == ["password"]
    assert shown["port"]["default"] == "5432"
    assert set(shown["port"]) == {"parameter", "name", "description", "input_field", "default", "protected", "regex"}
    assert (await desk.client_of(None).get("/config/connectors")).status_code == 401


async def test_credentials_live_from_create_to_delete(desk: Desk):
    name = unique("c")
    body = {"name": name, "type": "aws_s3", "configuration": S3}
    made = await desk.client.post(at(desk, "credentials"), json=body)
    shown = made.json()
    assert made.status_code == 201
    assert (shown["status"], shown["error_message"], shown["reference_count"]) == ("pending_verification", "", 0)
    assert shown["configuration"] == {"access_key": None, "secret_key": None, "region": "eu-central-1"}
    one = at(desk, f"credentials/{name}")
    assert (await desk.client.get(one)).json() == shown
    assert (await desk.client.get(at(desk, "credentials"))).json() == [shown]
    # What a program has read it may send back.
    changed = await desk.client.patch(one, json={"configuration": {**shown["configuration"], "region": "eu-west-1"}})
    assert changed.json()["configuration"]["region"] == "eu-west-1"
    renamed = await desk.client.patch(one, json={"name": f"{name}-2"})
    assert renamed.json()["name"] == f"{name}-2"
    assert (await desk.client.get(one)).status_code == 404
    assert (await desk.client.delete(f"{one}-2")).status_code == 204
    assert (await desk.client.get(f"{one}-2")).status_code == 404


async def test_secrets_are_sealed_in_the_database_and_never_answered(desk: Desk):
    name = await make_credentials(desk)
    one = at(desk, f"credentials/{name}")
    answers = [await desk.client.get(one), await desk.client.get(at(desk, "credentials"))]
    answers.append(await desk.client.patch(one, json={"configuration": {"password": "very-secret-2", "host": "h"}}))
    assert all("very-secret" not in answer.text for answer in answers)
    async with desk.house.db.begin() as tx:
        row = (await tx.execute(text("SELECT c::text FROM serving.credentials c WHERE name = :n"), {"n": name})).one()
    assert "very-secret" not in row[0]
    assert b"very-secret".hex() not in row[0]


@pytest.mark.parametrize(
    ("type_", "configuration"),
    [
        ("oracle", POSTGRESQL),
        ("postgresql", {}),
        ("postgresql", {**POSTGRESQL, "color": "red"}),
        ("postgresql", {**POSTGRESQL, "port": "http"}),
        ("postgresql", {**POSTGRESQL, "port": "70000"}),
        ("postgresql", {**POSTGRESQL, "port": 5432}),
        ("postgresql", {**POSTGRESQL, "host": "a host"}),
        ("postgresql", {**POSTGRESQL, "password": None}),
        ("aws_s3", {**S3, "endpoint": "http://user:pass@host"}),
        ("gcp_bigquery", {"json_key_file": ""}),
    ],
)
async def test_credentials_that_cannot_be_are_refused_without_their_values(desk: Desk, type_: str, configuration: Any):
    body = {"name": unique("c"), "type": type_, "configuration": configuration}
    refused = await desk.client.post(at(desk, "credentials"), json=body)
    assert refused.status_code == 400
    assert "very-secret" not in refused.text


async def test_credentials_in_use_stay(desk: Desk):
    credentials = await make_credentials(desk)
    connector = await make_connector(desk, credentials=credentials)
    one = at(desk, f"credentials/{credentials}")
    assert (await desk.client.get(one)).json()["reference_count"] == 1
    assert (await desk.client.delete(one)).status_code == 400
    assert (await desk.client.delete(at(desk, f"connectors/{connector}"))).status_code == 204
    assert (await desk.client.delete(one)).status_code == 204


async def test_connector_lives_from_create_to_delete(desk: Desk):
    credentials = await make_credentials(desk)
    name = unique("k")
    body = {"name": name, "type": "postgresql", "credentials": credentials, "configuration": TABLE}
    made = await desk.client.post(at(desk, "connectors"), json={**body, "input_fields": FIELDS})
    shown = made.json()
    assert made.status_code == 201
    assert shown["configuration"] == {**TABLE, "schema": "public"}
    assert (shown["input_type"], shown["status"], shown["input_fields"]) == (
        "structured",
        "pending_verification",
        FIELDS,
    )
    one = at(desk, f"connectors/{name}")
    assert (await desk.client.get(one)).json() == shown
    assert (await desk.client.get(at(desk, "connectors"))).json() == [shown]
    other = await make_credentials(desk)
    change = {"name": f"{name}-2", "credentials": other, "configuration": {"table": "u"}}
    changed = (await desk.client.patch(one, json=change)).json()
    assert (changed["name"], changed["credentials"]) == (f"{name}-2", other)
    assert changed["configuration"] == {"database": "d", "table": "u", "schema": "public"}
    assert (await desk.client.get(one)).status_code == 404
    assert (await desk.client.delete(f"{one}-2")).status_code == 204
    assert (await desk.client.get(at(desk, "connectors"))).json() == []


async def test_blob_connector_has_the_one_field_blob(desk: Desk):
    credentials = await make_credentials(desk, "aws_s3", S3)
    changes = {"type": "aws_s3", "credentials": credentials, "configuration": {"bucket": "my-bucket"}}
    name = await make_connector(desk, **changes, input_fields=[])
    shown = (await desk.client.get(at(desk, f"connectors/{name}"))).json()
    assert (shown["input_type"], shown["input_fields"]) == ("blob", [{"name": "blob", "data_type": "blob"}])
    body = {"name": unique("k"), **changes, "input_fields": FIELDS}
    assert (await desk.client.post(at(desk, "connectors"), json=body)).status_code == 400


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "oracle"},
        {"type": "mysql"},
        {"credentials": "no-such"},
        {"configuration": {"database": "d"}},
        {"configuration": {**TABLE, "color": "red"}},
        {"input_fields": []},
        {"input_fields": None},
        {"input_fields": [{"name": "quadrat_message_id", "data_type": "string"}]},
        {"name": "No Name"},
    ],
)
async def test_connector_that_cannot_be_is_refused(desk: Desk, changes: dict[str, Any]):
    body = {
        "name": unique("k"),
        "type": "postgresql",
        "credentials": await make_credentials(desk),
        "configuration": TABLE,
        "input_fields": FIELDS,
        **changes,
    }
    assert (await desk.client.post(at(desk, "connectors"), json=body)).status_code == 400
    assert (await desk.client.get(at(desk, "connectors"))).json() == []


async def test_connector_in_a_pipeline_stays_and_keeps_fitting(desk: Desk):
    connector = await make_connector(desk)
    pipeline = at(desk, "pipelines/p")
    body = {"name": "p", "input_type": "structured", "input_fields": FIELDS}
    assert (await desk.client.post(at(desk, "pipelines"), json=body)).status_code == 201
    reference = {"name": "sink", "reference_type": "connector", "reference_name": connector, "version": "ignored"}
    made = await desk.client.post(f"{pipeline}/objects", json=reference)
    assert made.status_code == 201
    assert "version" not in made.json()
    assert "output_type" not in made.json()
    mapping = [{"source_field_name": "number", "destination_field_name": "number"}]
    attached = {"source_name": "pipeline_start", "destination_name": "sink", "mapping": mapping}
    assert (await desk.client.post(f"{pipeline}/attachments", json=attached)).status_code == 201
    one = at(desk, f"connectors/{connector}")
    assert (await desk.client.delete(one)).status_code == 400
    other = {"input_fields": [{"name": "number", "data_type": "int"}]}
    refused = await desk.client.patch(one, json=other)
    assert refused.status_code == 400
    assert (await desk.client.get(one)).json()["input_fields"] == FIELDS
    assert (await desk.client.patch(one, json={"name": "renamed"})).status_code == 200
    assert (await desk.client.get(f"{pipeline}/objects/sink")).json()["reference_name"] == "renamed"
    # A connector gives nothing.
    backwards = {"source_name": "sink", "destination_name": "sink", "mapping": mapping}
    assert (await desk.client.post(f"{pipeline}/attachments", json=backwards)).status_code == 400


async def test_others_see_nothing(desk: Desk):
    connector = await make_connector(desk)
    (credentials,) = (await desk.client.get(at(desk, "credentials"))).json()
    stranger = desk.client_of(await desk.house.make_person())
    for path in (f"connectors/{connector}", f"credentials/{credentials['name']}", "connectors", "credentials"):
        assert (await stranger.get(at(desk, path))).status_code == 404
        assert (await desk.client_of(None).get(at(desk, path))).status_code == 401
    for path in ("connectors/none", "credentials/none"):
        assert (await desk.client.get(at(desk, path))).status_code == 404
        assert (await desk.client.patch(at(desk, path), json={"name": "x"})).status_code == 404
        assert (await desk.client.delete(at(desk, path))).status_code == 404


async def test_project_with_everything_in_it_can_be_deleted(desk: Desk):
    connector = await make_connector(desk)
    pipeline = at(desk, "pipelines/p")
    body = {"name": "p", "input_type": "structured", "input_fields": FIELDS}
    await desk.client.post(at(desk, "pipelines"), json=body)
    await desk.client.post(
        f"{pipeline}/objects", json={"name": "sink", "reference_type": "connector", "reference_name": connector}
    )
    assert (await desk.client.delete(f"/projects/{desk.project.name}")).status_code == 204
