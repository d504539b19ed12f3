import json
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from sqlalchemy import text

from quadrat.api.ubiops.app import PREFIX, create_app
from quadrat.base.sealing import Sealer
from quadrat.db.sealed import reseal_block
from quadrat.serving.store.sealed import VARIABLE
from support.desk import Desk
from support.house import SEALER, House
from support.serving import ServingHouse

pytestmark = pytest.mark.anyio

SECRET = "s3cret-value-9f2c"


class Levels:
    """The three places of one version."""

    def __init__(self, desk: Desk, version: str) -> None:
        project = f"/projects/{desk.project.name}"
        self.desk = desk
        self.at = {
            "project": f"{project}/environment-variables",
            "model": f"{version.rsplit('/versions/', 1)[0]}/environment-variables",
            "version": f"{version}/environment-variables",
        }
        self.model = version.split("/models/")[1].split("/", maxsplit=1)[0]

    async def make(self, level: str, name: str, value: Any = "v", secret: bool = False) -> dict[str, Any]:
        body = {"name": name, "value": value, "secret": secret}
        made = await self.desk.client.post(self.at[level], json=body)
        assert made.status_code == 201, made.text
        return made.json()

    async def list(self, level: str) -> list[dict[str, Any]]:
        answer = await self.desk.client.get(self.at[level])
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
async def levels(desk: Desk) -> Levels:
    return Levels(desk, await desk.make_version())


@pytest.mark.parametrize("level", ["project", "model", "version"])
async def test_variable_lives_from_create_to_delete(desk: Desk, levels: Levels, level: str):
    made = await levels.make(level, "database_schema", "public")
    assert made == {"id": made["id"], "name": "database_schema", "value": "public", "secret": False}
    one = f"{levels.at[level]}/{made['id']}"
    assert (await desk.client.get(one)).json() == made
    own = {} if level == "project" else {"inheritance_type": None, "inheritance_name": None}
    assert await levels.list(level) == [{**made, **own}]
    changed = await desk.client.patch(one, json={"name": "SCHEMA", "value": "", "secret": False})
    assert changed.json() == {**made, "name": "SCHEMA", "value": ""}
    kept = await desk.client.patch(one, json={"name": "SCHEMA", "secret": True})
    assert kept.json() == {**made, "name": "SCHEMA", "value": None, "secret": True}
    for other in {"project", "model", "version"} - {level}:
        elsewhere = f"{levels.at[other]}/{made['id']}"
        answers = [
            await desk.client.get(elsewhere),
            await desk.client.patch(elsewhere, json={"name": "x", "secret": True}),
            await desk.client.delete(elsewhere),
        ]
        assert [answer.status_code for answer in answers] == [404, 404, 404]
    assert (await desk.client.delete(one)).status_code == 204
    assert (await desk.client.get(one)).status_code == 404


async def test_lower_levels_inherit_and_hide(desk: Desk, levels: Levels):
    for level, names in (("project", "ABC"), ("model", "BCD"), ("version", "CDE")):
        for name in names:
            await levels.make(level, name, f"{level} {name}")
    project = [desk.project.name, "project"]
    model = [levels.model, "model"]

    async def shown(level: str) -> list[list[Any]]:
        return [[v["name"], v["value"], v["inheritance_name"], v["inheritance_type"]] for v in await levels.list(level)]

    assert await shown("model") == [
        ["A", "project A", *project],
        ["B", "model B", None, None],
        ["C", "model C", None, None],
        ["D", "model D", None, None],
    ]
    assert await shown("version") == [
        ["A", "project A", *project],
        ["B", "model B", *model],
        ["C", "version C", None, None],
        ["D", "version D", None, None],
        ["E", "version E", None, None],
    ]


async def test_empty_value_is_null_in_an_inherited_list_only(desk: Desk, levels: Levels):
    answer = await desk.client.post(levels.at["model"], json={"name": "EMPTY", "secret": False})
    assert answer.json()["value"] == ""
    assert (await levels.list("model"))[0]["value"] is None


async def test_secret_never_shows_and_lies_sealed(desk: Desk, house: House, levels: Levels):
    made = await levels.make("model", "PASSWORD", SECRET, secret=True)
    assert made["value"] is None
    one = f"{levels.at['model']}/{made['id']}"
    answers = [
        await desk.client.get(one),
        await desk.client.get(levels.at["model"]),
        await desk.client.get(levels.at["version"]),
        await desk.client.patch(one, json={"name": "PASSWORD", "secret": False}),
        await desk.client.patch(one, json={"name": "PASSWORD", "value": f"{SECRET}\0", "secret": True}),
        await desk.client.patch(one, json={"name": "PASSWORD", "value": [SECRET], "secret": True}),
        await desk.client.post(levels.at["model"], json={"name": "PASSWORD", "value": SECRET, "secret": True}),
        await desk.client.post(levels.at["model"], json={"name": "P", "value": SECRET, "secret": SECRET}),
        await desk.client.post(levels.at["model"], json={"name": 5, "value": SECRET}),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 400, 400, 400, 400, 400, 400]
    assert not [answer.text for answer in answers if SECRET in answer.text]
    async with house.db.begin() as tx:
        for table in ("serving.variable", "identity.audit"):
            stored = (await tx.execute(text(f"SELECT json_agg(t)::text FROM {table} t"))).scalar_one()
            assert SECRET not in stored
            assert SECRET.encode().hex() not in stored
        sealed = (
            await tx.execute(text("SELECT sealed_value FROM serving.variable WHERE uuid = :id"), {"id": made["id"]})
        ).scalar_one()
    assert SEALER.open(bytes(sealed), VARIABLE.context(UUID(made["id"]))) == SECRET


async def test_secrets_are_sealed_anew_under_another_key_in_any_number_of_runs(
    desk: Desk, house: House, levels: Levels
):
    made = [await levels.make("project", name, f"value {name}", secret=True) for name in "ABCDE"]
    await levels.make("project", "OPEN")
    old = SEALER._keys()
    key = b"another key, long enough, too!!!"
    both, new = Sealer(lambda: [key, *old]), Sealer(lambda: [key])
    async with house.db.begin() as tx:
        step = await reseal_block(tx, both, VARIABLE, None, 2)
    assert (step.sealed, step.failed) == (2, 0)
    # Cut off here, and begun again.
    after, failed = None, 0
    while True:
        async with house.db.begin() as tx:
            step = await reseal_block(tx, both, VARIABLE, after, 2)
        failed += step.failed
        if step.last is None:
            break
        after = step.last
    assert failed == 0
    async with house.db.begin() as tx:
        for variable in made:
            query = text("SELECT sealed_value FROM serving.variable WHERE uuid = :id")
            sealed = (await tx.execute(query, {"id": variable["id"]})).scalar_one()
            assert new.open(bytes(sealed), VARIABLE.context(UUID(variable["id"]))) == f"value {variable['name']}"
        back = Sealer(lambda: [*old, key])
        await reseal_block(tx, back, VARIABLE, None, 1000)


@pytest.mark.parametrize(
    "body",
    [
        {"secret": False},
        {"name": "A"},
        {"name": "_A", "secret": False},
        {"name": "A_", "secret": False},
        {"name": "A1", "secret": False},
        {"name": "A\n", "secret": False},
        {"name": "", "secret": False},
        {"name": "ä", "secret": False},
        {"name": "A" * 65, "secret": False},
        {"name": "A", "value": "x" * 65_537, "secret": False},
        {"name": "A", "value": "\ud800", "secret": False},
        {"name": "A", "value": 5, "secret": False},
    ],
)
async def test_variable_with_a_bad_value_is_400(desk: Desk, levels: Levels, body: dict[str, Any]):
    answer = await desk.client.post(
        levels.at["version"], content=json.dumps(body), headers={"Content-Type": "application/json"}
    )
    assert (answer.status_code, set(answer.json())) == (400, {"error"})


async def test_variable_twice_at_one_level_is_400(desk: Desk, levels: Levels):
    first = await levels.make("project", "A" * 64)
    await levels.make("project", "B")
    for level in ("model", "version"):
        await levels.make(level, "A" * 64)
    body = {"name": "B", "secret": False}
    assert (await desk.client.post(levels.at["project"], json=body)).status_code == 400
    assert (await desk.client.patch(f"{levels.at['project']}/{first['id']}", json=body)).status_code == 400


@pytest.mark.parametrize("level", ["project", "model", "version"])
async def test_variables_of_another_tenant_are_404_and_missing_ones_too(
    desk: Desk, house: House, levels: Levels, level: str
):
    made = await levels.make(level, "A", "plain")
    other: httpx2.AsyncClient = house.client_for(create_app, PREFIX, await house.make_person())
    stranger = house.client_for(create_app, PREFIX)
    body = {"name": "A", "secret": True}
    for client, status in ((other, 404), (stranger, 401)):
        answers = [
            await client.get(levels.at[level]),
            await client.post(levels.at[level], json=body),
            await client.get(f"{levels.at[level]}/{made['id']}"),
            await client.patch(f"{levels.at[level]}/{made['id']}", json=body),
            await client.delete(f"{levels.at[level]}/{made['id']}"),
        ]
        assert [answer.status_code for answer in answers] == [status] * 5
    for missing in (str(uuid4()), "no-uuid"):
        assert (await desk.client.get(f"{levels.at[level]}/{missing}")).status_code == 404
        assert (await desk.client.delete(f"{levels.at[level]}/{missing}")).status_code == 404


SHOW = """
import os

class Model:
    def __init__(self, base_directory, context):
        self.pid = os.getpid()

    def request(self, data):
        return ";".join(f"{name}={os.environ.get(name)}" for name in ("PLAIN", "HIDDEN", "OVER"))
"""


@pytest.mark.timeout(180)
async def test_instances_get_all_variables_and_are_replaced_when_one_changes(running_desk: Desk, serving: ServingHouse):
    at = await running_desk.make_version()
    levels = Levels(running_desk, at)
    plain = await levels.make("project", "PLAIN", "1")
    await levels.make("project", "OVER", "project")
    await levels.make("model", "HIDDEN", SECRET, secret=True)
    await levels.make("version", "OVER", "version")
    await running_desk.deploy(serving, at, SHOW)
    client = running_desk.client

    async def shown() -> str:
        answer = await client.post(f"{at}/request", json="x")
        assert answer.json()["success"], answer.text
        return answer.json()["result"]

    assert await shown() == f"PLAIN=1;HIDDEN={SECRET};OVER=version"
    one = f"{levels.at['project']}/{plain['id']}"
    assert (await client.patch(one, json={"name": "PLAIN", "value": "2", "secret": False})).status_code == 200

    async def is_replaced() -> bool:
        return await shown() == f"PLAIN=2;HIDDEN={SECRET};OVER=version"

    await serving.until(is_replaced)
    assert (await client.delete(one)).status_code == 204

    async def is_gone() -> bool:
        return await shown() == f"PLAIN=None;HIDDEN={SECRET};OVER=version"

    await serving.until(is_gone)
