"""Logs over the wire, against a plain reading of the rules."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from quadrat.base.clock import now
from quadrat.serving.log_types import LogPlace
from quadrat.serving.logbook import LogBook
from quadrat.serving.types import VersionId
from support.desk import Desk
from support.house import House

pytestmark = pytest.mark.anyio

VERSIONS = ("v1", "v2")
START = datetime(2026, 5, 1, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Line:
    """What was written."""

    text: str
    at: datetime
    model: str | None
    version: str | None
    request_id: UUID | None
    system: bool


@dataclass
class Written:
    """A project with lines."""

    desk: Desk
    lines: list[Line]
    models: list[str]
    requests: list[UUID]

    async def ask(self, filters: dict[str, Any] | None = None, **body: Any) -> list[dict[str, Any]]:
        answer = await self.desk.client.post(
            f"/projects/{self.desk.project.name}/logs", json={"filters": filters or {}, **body}
        )
        assert answer.status_code == 201, answer.text
        return answer.json()


@pytest.fixture
async def written(desk: Desk) -> Written:
    """400 lines in 40 seconds, of two models with two versions each and of the project itself."""
    dice = random.Random(7)
    places: list[tuple[LogPlace, str | None, str | None]] = [(LogPlace(desk.project.id), None, None)]
    models = []
    for _ in range(2):
        path = await desk.make_version()
        model = path.split("/models/")[1].split("/")[0]
        models.append(model)
        await desk.client.post(f"{desk.models}/{model}/versions", json={"version": "v2"})
        places += [(LogPlace(desk.project.id, await number_of(desk, model, name)), model, name) for name in VERSIONS]
    requests = [uuid4() for _ in range(3)]
    logbook = LogBook(desk.house.db)
    logbook.start()
    lines = []
    for number in range(400):
        place, model, version = dice.choice(places)
        request_id = dice.choice([None, *requests]) if model else None
        line = Line(
            f"line {number}",
            START + timedelta(milliseconds=100 * number),
            model,
            version,
            request_id,
            dice.random() < 0.2,
        )
        logbook.write(place, line.text, at=line.at, request_id=request_id, system=line.system)
        lines.append(line)
    await logbook.stop()
    return Written(desk, lines, models, requests)


async def number_of(desk: Desk, model: str, version: str) -> VersionId:
    found = await desk.house.state["engine"].directory.find(desk.project.id, model, version)
    return found.version_id


async def test_logs_answer_every_filter_and_window_like_a_plain_search(written: Written):
    dice = random.Random(11)
    for _ in range(60):
        filters: dict[str, Any] = {}
        if dice.random() < 0.6:
            filters["model_name"] = dice.choice([*written.models, "missing"])
            if dice.random() < 0.5:
                filters["model_version"] = dice.choice(["v1", "v2", "v3"])
        if dice.random() < 0.4:
            filters["request_id"] = str(dice.choice([*written.requests, uuid4()]))
        if dice.random() < 0.5:
            filters["system"] = dice.choice([True, False, "true", "False"])
        at = dice.choice([line.at for line in written.lines]) + timedelta(milliseconds=dice.choice([-50, 0, 0, 50]))
        range_s, limit = dice.choice([-1, 1, 5, -5, 60, -60, 86_400]), dice.choice([1, 5, 50, 500])
        found = await written.ask(filters, date=at.isoformat(), date_range=range_s, limit=limit)
        expected = searched(written.lines, filters, at, range_s)[:limit]
        assert [line["log"] for line in found] == [line.text for line in expected], (filters, at, range_s, limit)


def searched(lines: list[Line], filters: dict[str, Any], at: datetime, range_s: int) -> list[Line]:
    far = at + timedelta(seconds=range_s)
    found = [
        line
        for line in lines
        if min(at, far) <= line.at <= max(at, far)
        and filters.get("model_name", line.model) == line.model
        and filters.get("model_version", line.version) == line.version
        and filters.get("request_id", str(line.request_id)) == str(line.request_id)
        and str(filters.get("system", line.system)).lower() == str(line.system).lower()
    ]
    return found if range_s > 0 else found[::-1]


async def test_logs_by_id_include_the_line_and_pages_concatenate(written: Written):
    pages: list[dict[str, Any]] = await written.ask(date=START.isoformat(), date_range=1, limit=1)
    while True:
        page = await written.ask(id=pages[-1]["id"], date_range=86_400, limit=50)
        assert page[0] == pages[-1]
        if len(page) == 1:
            break
        pages += page[1:]
    assert [line["log"] for line in pages] == [line.text for line in written.lines]
    assert [line["id"] for line in pages] == sorted(line["id"] for line in pages)
    last = await written.ask(id=pages[-1]["id"], limit=1)
    assert last == [pages[-1]]
    back = await written.ask(id=pages[-1]["id"].upper(), date="2020-01-01", limit=500)
    assert [line["log"] for line in back] == [line.text for line in written.lines][::-1]


async def test_logs_leave_out_what_is_not_set_and_write_times_in_utc(written: Written):
    found = await written.ask(date="2026-05-01 12:00:00", date_range=60, limit=500)
    for line, wrote in zip(found, written.lines, strict=True):
        expected = {
            "model_name": wrote.model,
            "model_version": wrote.version,
            "request_id": wrote.request_id and str(wrote.request_id),
            "system": wrote.system,
            "log": wrote.text,
            "date": wrote.at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "id": line["id"],
        }
        assert line == {key: value for key, value in expected.items() if value is not None}
        assert len(line["id"]) == 24


async def test_logs_show_the_present_names_and_go_on_without_a_deleted_version(written: Written):
    desk, model = written.desk, written.models[0]
    await desk.client.patch(f"{desk.models}/{model}", json={"name": f"{model}-new"})
    assert await written.ask({"model_name": model}, date=START.isoformat(), date_range=60) == []
    renamed = await written.ask({"model_name": f"{model}-new"}, date=START.isoformat(), date_range=60)
    assert {line["model_name"] for line in renamed} == {f"{model}-new"}
    await desk.client.delete(f"{desk.models}/{model}-new")
    left = await written.ask(date=START.isoformat(), date_range=60, limit=500)
    assert len(left) == len(written.lines)
    assert {line.get("model_name") for line in left} == {None, written.models[1]}


async def test_logs_without_a_start_are_the_newest(desk: Desk):
    logbook = LogBook(desk.house.db)
    logbook.start()
    logbook.write(LogPlace(desk.project.id), "old", at=now() - timedelta(hours=7))
    for number in range(60):
        logbook.write(LogPlace(desk.project.id), f"line {number}")
    await logbook.stop()
    answer = await desk.client.post(f"/projects/{desk.project.name}/logs", json={"filters": {}})
    assert [line["log"] for line in answer.json()] == [f"line {number}" for number in range(59, 9, -1)]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"filters": None},
        {"filters": {"user": "me"}},
        {"filters": {"model_version": "v1"}},
        {"filters": {"pipeline_object_name": "o"}},
        {"filters": {"request_id": "no-uuid"}},
        {"filters": {"system": "perhaps"}},
        {"filters": {}, "date": "yesterday"},
        {"filters": {}, "id": "12"},
        {"filters": {}, "id": "g" * 24},
        {"filters": {}, "date_range": 0},
        {"filters": {}, "date_range": 86_401},
        {"filters": {}, "limit": 0},
        {"filters": {}, "limit": 501},
    ],
)
async def test_logs_with_a_bad_value_is_400(desk: Desk, body: dict[str, Any]):
    answer = await desk.client.post(f"/projects/{desk.project.name}/logs", json=body)
    assert (answer.status_code, set(answer.json())) == (400, {"error"})


@pytest.mark.parametrize("key", ["pipeline_name", "connector_name", "model_name"])
async def test_logs_of_an_unknown_name_are_none(desk: Desk, key: str):
    for name in ("missing", "Not a name", "\x00"):
        answer = await desk.client.post(f"/projects/{desk.project.name}/logs", json={"filters": {key: name}})
        assert (answer.status_code, answer.json()) == (201, [])


async def test_logs_need_the_permission_and_stay_in_their_project(desk: Desk, house: House, written: Written):
    stranger = await house.make_person()
    own = await house.make_project(stranger)
    client = desk.client_of(stranger)
    body = {"filters": {"request_id": str(written.requests[0])}, "date": START.isoformat(), "date_range": 60}
    assert (await client.post(f"/projects/{desk.project.name}/logs", json=body)).status_code == 404
    assert (await client.post(f"/projects/{own.name}/logs", json=body)).json() == []
    assert (await desk.client_of(None).post(f"/projects/{own.name}/logs", json=body)).status_code == 401
