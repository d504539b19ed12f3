"""Five roles and every operation of the API: who reads, who writes, and whose things."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import numpy as np
import pytest

from quadrat.api.pupilcloud.app import PREFIX, create_app
from quadrat.identity.actions import organizations
from quadrat.identity.types import MemberLevel
from support import gaze_formats as formats
from support.gaze import Lab, data_url, make_recording, png, rectangle, to_files

pytestmark = pytest.mark.anyio

OPERATIONS = json.loads((Path(__file__).parents[3] / "contract/pupilcloud/operations.json").read_text("utf-8"))
LEVELS = ("owner", "admin", "editor", "viewer", "demo")
#: Answered to whoever is signed in; POST heatmap and export read.
READS = {"post_heatmap", "post_heatmap_zip", "post_enrichment_export"}
#: Making and removing projects needs an administrator of the workspace.
FOR_ADMINS = {"post_project", "delete_project"}


@dataclass(frozen=True)
class Call:
    """One operation with what it needs: a path below the root, and the request's options."""

    name: str
    method: str
    path: str
    options: dict[str, Any]

    @property
    def writes(self) -> bool:
        return self.method != "GET" and self.name not in READS

    @property
    def creates(self) -> bool:
        """Makes something of the caller's own; everything else that writes changes what the owner made."""
        return self.method == "POST" and not self.path.endswith(":clear")


@dataclass(frozen=True)
class Things:
    """One of everything, made by the lab's owner."""

    values: dict[str, str]
    recording: str
    mapped: str


async def furnish(lab: Lab) -> Things:
    one, by_hand = make_recording(1), make_recording(2)
    await lab.load(to_files([one]))
    area = await lab.draw("a", rectangle(0, 0, 200, 200))
    file = await lab.upload(png(np.full((300, 400, 3), 200, np.uint8)))
    surface = await lab.ask("POST", f"{lab.place}/surfaces/", json={"name": "Screen"})
    label = await lab.ask("POST", f"{lab.place}/labels/", json={"name": "L", "aoi_ids": [area["id"]]})
    event = await lab.ask("POST", f"{lab.place}/recordings/{one.id}/events", json={"name": "e", "offset_s": 1.0})
    wearer = await lab.ask("POST", f"{lab.place}/wearers/", json={"name": "Eve"})
    look = {"kind": "heatmap", "name": "V", "enrichment_id": lab.enrichment}
    seen = await lab.ask("POST", f"{lab.place}/projects/{lab.project}/visualization_configs", json=look)
    names = {"name": "M", "from_event_name": "recording.begin", "to_event_name": "recording.end"}
    at = f"{lab.place}/projects/{lab.project}/mappers/static/"
    mapper = await lab.ask("POST", at, 201, json={**names, "static_image_id": file})
    enrichment, lab.enrichment = lab.enrichment, mapper["id"]
    await lab.load({"archive": ("a.zip", formats.pack({"Walk": formats.timeseries(by_hand)}))})
    lab.enrichment = enrichment
    values = {
        "workspace_id": lab.workspace,
        "project_id": lab.project,
        "enrichment_id": enrichment,
        "mapper_id": mapper["id"],
        "aoi_id": area["id"],
        "file_id": file,
        "markerless_id": lab.markerless,
        "surface_id": surface["id"],
        "label_id": label["id"],
        "event_id": event["id"],
        "fixation_id": "1",
        "filename": "scene.mp4",
        "wearer_id": wearer["id"],
        "visualization_config_id": seen["id"],
    }
    return Things(values, one.id, by_hand.id)


def same(names: tuple[str, ...], options: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return dict.fromkeys(names, options)


def bodies(lab: Lab, things: Things) -> dict[str, dict[str, Any]]:
    """What operations are sent that need something."""
    ids = things.values
    names = {"name": "new", "from_event_name": "recording.begin", "to_event_name": "recording.end"}
    area = {
        "name": "new",
        "enrichment_id": ids["enrichment_id"],
        "mask_image_data_url": data_url(rectangle(0, 0, 9, 9)),
    }
    plane = {"reference_image_id": ids["file_id"], "scanning_recording_id": ""}
    where = {"project_id": ids["project_id"], "enrichment_id": ids["enrichment_id"], "n_bins": 9, "width": 16}
    stretch = {**where, "recording_id": things.recording, "start": 0, "end": 1}
    tus = {"Tus-Resumable": "1.0.0", "Upload-Length": "3"}
    event = {"name": "new", "offset_s": 2.0}
    return {
        "post_project": {"json": {"name": "new"}},
        "post_file": {"headers": tus},
        "patch_file": {"headers": {**tus, "Upload-Offset": "0"}, "content": b"abc"},
        "post_markerless": {"json": plane},
        "post_surface": {"json": {"name": "new"}},
        "post_enrichment": {"json": {**names, "kind": "slam-mapper", "args": {"markerless_id": ids["markerless_id"]}}},
        "patch_enrichment": {"json": {"name": "changed"}},
        "import_enrichment_recordings": {"files": to_files([make_recording(3)])},
        **same(("post_aoi", "post_aoi_0", "post_aoi_1"), {"json": area}),
        "patch_aoi": {"json": {"name": "changed"}},
        **same(("delete_aois", "delete_aois_0"), {"json": {"aoi_ids": [ids["aoi_id"]]}}),
        "propose_aois": {"json": {"model": "none", "version": "none"}},
        **same(("get_heatmap", "get_heatmap_zip", "get_heatmap_background"), {"params": where}),
        **same(("post_heatmap", "post_heatmap_zip"), {"json": where}),
        "post_enrichment_export": {"json": {"recording_ids": []}},
        **same(("get_markerless_gaze_in_aoi", "get_surface_gaze_in_aoi"), {"params": stretch}),
        "post_static_image_mapper": {"json": {**names, "static_image_id": ids["file_id"]}},
        "patch_static_image_mapper": {"json": {"name": "changed"}},
        "put_mapped_fixation": {"json": {"gaze_on_aoi": 1, "x": 0.5, "y": 0.5}},
        **same(("post_recording_event", "post_project_recording_event"), {"json": event}),
        "post_wearer": {"json": {"name": "new"}},
        "patch_surface": {"json": {"markers": ["7"]}},
        "patch_wearer": {"json": {"name": "changed"}},
        "get_raw_data_export": {"params": {"ids": [things.recording]}},
        "post_visualization_config": {"json": {"name": "new", "kind": "heatmap"}},
        "patch_visualization_config": {"json": {"name": "changed"}},
        **same(("post_label", "post_label_0"), {"json": {"name": "new", "aoi_ids": []}}),
        "patch_label": {"json": {"name": "changed"}},
        "delete_labels": {"json": {"label_ids": [ids["label_id"]]}},
    }


def calls(lab: Lab, things: Things) -> Iterator[Call]:
    """Every operation, what takes most with it last."""
    order = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
    sent = bodies(lab, things)
    for row in sorted(OPERATIONS, key=lambda row: (order.index(row["method"]), -row["path"].count("/"))):
        by_hand = "/mappers/static/" in row["path"]
        values = {**things.values, "recording_id": things.mapped if by_hand else things.recording}
        if by_hand:
            values["enrichment_id"] = things.values["mapper_id"]
        # Ids that a client chooses have to be free.
        if row["operation_id"] in {"post_aoi_0", "post_label_0"}:
            values |= {"aoi_id": str(uuid4()), "label_id": str(uuid4())}
        path = row["path"].removeprefix(PREFIX).format(**values)
        yield Call(row["operation_id"], row["method"], path, sent.get(row["operation_id"], {}))


def refused(level: str, call: Call) -> bool:
    if level in {"owner", "admin"} or not call.writes:
        return False
    if level == "viewer" or call.name in FOR_ADMINS:
        return True
    return level == "demo" and not call.creates


async def client_at(lab: Lab, level: str) -> httpx2.AsyncClient:
    person = await lab.house.make_person()
    async with lab.house.db.begin() as tx:
        listed = await organizations.list_organizations(tx, lab.person.caller)
        organization = next(one for one in listed if str(one.uuid) == lab.workspace)
        await organizations.add_member(
            tx, lab.person.caller, organization.name, person.caller.email, MemberLevel(level)
        )
    return lab.house.client_for(create_app, PREFIX, person)


@pytest.mark.parametrize("level", LEVELS)
async def test_every_operation_is_open_to_the_roles_that_it_names(lab: Lab, level: str):
    things = await furnish(lab)
    client = await client_at(lab, level)
    problems = []
    for call in calls(lab, things):
        if call.name == "propose_aois" and not refused(level, call):
            continue  # needs models: tests/contract/test_gaze.py
        answer = await client.request(call.method, call.path, **call.options)
        is_refused = answer.status_code == 403
        if is_refused != refused(level, call) or answer.status_code in {401, 500, 503}:
            problems.append(f"{call.method} {call.name}: {answer.status_code} {answer.text[:150]}")
    assert problems == []


async def test_stranger_finds_nothing(lab: Lab):
    things = await furnish(lab)
    stranger = lab.client_of(await lab.house.make_person())
    open_to_all = {"get_profile", "get_workspaces"}
    problems = []
    for call in calls(lab, things):
        answer = await stranger.request(call.method, call.path, **call.options)
        if answer.status_code != 404 and call.name not in open_to_all:
            problems.append(f"{call.method} {call.name}: {answer.status_code} {answer.text[:150]}")
    assert problems == []
    assert (await lab.ask("GET", f"{lab.at}/aois"))[0]["name"] == "a"
