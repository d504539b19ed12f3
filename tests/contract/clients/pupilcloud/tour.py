"""Every operation of the client that the server answers, success and failure; prints what came as JSON.

For the branch mgg/v2 of pupil-labs/pupil-cloud-client-python, with nothing changed but the host.
"""

import asyncio
import base64
import io
import json
import os
import struct
import sys
import urllib.request
import zipfile
import zlib
from uuid import UUID, uuid4

import pupilcloud
from pupilcloud import models as m
from pupilcloud.exceptions import ApiException

BASE, TOKEN = os.environ["QUADRAT_CONTRACT_URL"], os.environ["QUADRAT_CONTRACT_TOKEN"]
W = "default"
WIDTH, HEIGHT = 40, 30
START_NS = 1_760_676_788_219_000_000


def png(inside):
    """White where a pixel (column, row) is inside, transparent elsewhere."""
    rows = b"".join(
        b"\0" + b"".join(b"\xff\xff\xff\xff" if inside(x, y) else b"\0\0\0\0" for x in range(WIDTH))
        for y in range(HEIGHT)
    )

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def data_url(inside):
    return "data:image/png;base64," + base64.b64encode(png(inside)).decode()


def http(method, path, data=None, **headers):
    url = path if "://" in path else f"{BASE}/v2{path}"
    headers = {"api-key": TOKEN, **{name.replace("_", "-"): value for name, value in headers.items()}}
    with urllib.request.urlopen(urllib.request.Request(url, data, headers, method=method)) as answer:
        return answer.read()


def ask(method, path, body):
    return json.loads(http(method, path, json.dumps(body).encode(), content_type="application/json"))["result"]


def upload(data):
    made = http("POST", f"/workspaces/{W}/files/", b"", Tus_Resumable="1.0.0", Upload_Length=str(len(data)))
    made = json.loads(made)["result"]
    http("PATCH", made["upload_url"], data, Upload_Offset="0", content_type="application/offset+octet-stream")
    return made["id"]


def load(at, **files):
    mark = uuid4().hex
    body = b""
    for name, value in files.items():
        content = value if isinstance(value, bytes) else value.encode()
        part = f'; filename="{name}"' if b"\n" in content else ""
        body += f'--{mark}\r\nContent-Disposition: form-data; name="{name}"{part}\r\n\r\n'.encode() + content + b"\r\n"
    body += f"--{mark}--\r\n".encode()
    made = http("POST", f"{at}/recordings:import", body, content_type=f"multipart/form-data; boundary={mark}")
    return json.loads(made)["result"]["recording_id"]


RING = lambda x, y: 5 <= x < 30 and 5 <= y < 25 and not (10 <= x < 20 and 10 <= y < 20)  # noqa: E731
LEFT = lambda x, y: x < 15  # noqa: E731
SAMPLES = [((n * 7) % 44 - 2, (n * 5) % 34 - 2, n % 5 != 0) for n in range(400)]
FIXATIONS = [((n * 11) % 44 - 2, (n * 3) % 34 - 2, n % 4 != 0) for n in range(20)]


VIDEO = b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 8


def gaze_files():
    gaze = ["timestamp [ns],gaze detected in reference image,gaze position in reference image x [px],"
            "gaze position in reference image y [px],fixation id"]  # fmt: skip
    gaze += [f"{START_NS + n * 5_000_000},{on},{x},{y},{n // 20}" for n, (x, y, on) in enumerate(SAMPLES)]
    fixations = ["fixation id,start timestamp [ns],end timestamp [ns],duration [ms],"
                 "fixation detected in reference image,fixation x [px],fixation y [px]"]  # fmt: skip
    for n, (x, y, on) in enumerate(FIXATIONS):
        start = START_NS + n * 100_000_000
        fixations.append(f"{n},{start},{start + 80_000_000},80,{on},{x},{y}")
    return {"gaze": "\n".join(gaze), "fixations": "\n".join(fixations), "start_time_ns": str(START_NS)}


def camera_files():
    gaze = ["timestamp [ns],gaze x [px],gaze y [px],worn"]
    gaze += [f"{START_NS + n * 5_000_000},{n},{n},1.0" for n in range(400)]
    fixations = ["fixation id,start timestamp [ns],end timestamp [ns],fixation x [px],fixation y [px]"]
    fixations += [f"{n},{START_NS + n * 100_000_000},{START_NS + n * 100_000_000 + 1},1,1" for n in range(20)]
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("gaze.csv", "\n".join(gaze))
        archive.writestr("fixations.csv", "\n".join(fixations))
        archive.writestr("info.json", json.dumps({"gaze_offset": [27.5, -6.25]}))
        archive.writestr("0a1b2c3d_0.0-2.0.mp4", VIDEO)
    return {"archive": target.getvalue(), "start_time_ns": str(START_NS)}


def hits(inside):
    return sum(on and 0 <= x < WIDTH and 0 <= y < HEIGHT and inside(x, y) for x, y, on in FIXATIONS)


async def refused(call):
    """The status that the client raises."""
    try:
        await call
    except ApiException as error:
        return error.status
    return None


async def stats(api, place, **query):
    raw = await api.get_aoi_stats_without_preload_content(*place, **query)
    return json.loads(await raw.read())["result"]


async def tour(api):
    told = {"workspaces": len((await api.get_workspaces()).result) > 0}
    told["workspace"] = bool((await api.get_workspace(W)).result.name)
    project = (await api.post_projects_resource(W, m.ProjectPostRequest(name="Tour"))).result.id
    told["project"] = (await api.get_project_resource(W, project)).result.name
    told["project_listed"] = project in [one.id for one in (await api.get_projects_resource(W)).result]
    picture = upload(base64.b64encode(png(lambda x, y: True)))
    plane = m.MarkerlessInitialization(reference_image_id=picture, scanning_recording_id=str(UUID(int=0)))
    markerless = (await api.initialize_markerless(W, plane)).result.id
    thumbnail = (await api.get_markerless(W, markerless)).result.reference_image_thumbnail_url
    told["thumbnail_without_token"] = urllib.request.urlopen(thumbnail).headers["content-type"]
    names = {"from_event_name": "recording.begin", "to_event_name": "recording.end"}
    enrichments = f"/workspaces/{W}/projects/{project}/enrichments"
    body = {"name": "E", **names, "kind": "slam-mapper", "args": {"markerless_id": markerless}}
    enrichment = ask("POST", enrichments, body)["id"]
    place = (W, project, enrichment)
    told["enrichment"] = (await api.get_project_enrichment(*place)).result.additional_properties["args"]
    told["enrichments"] = len((await api.get_project_enrichments(W, project)).result)
    recording = load(f"{enrichments}/{enrichment}", name="R", wearer_name="Ada", **gaze_files())
    told["family"] = (await api.get_recording(W, recording)).result.family
    told["recordings"] = recording in [one.id for one in (await api.get_recordings(W)).result]
    told["project_recordings"] = [
        one.recording_id for one in (await api.get_project_recordings_resource(W, project)).result
    ] == [recording]
    event = m.RecordingEventPostRequest(name="mark", offset_s=1.5, origin="cloud")
    told["event"] = (await api.post_recording_event(W, recording, event)).result.offset_s
    told["events"] = sorted(one.name for one in (await api.get_project_events_resource(W, project)).result)
    told["unique_events"] = len((await api.get_project_unique_events(W, project)).result)
    await moments(api, told, (W, project), recording)
    await settings(api, told, (W, project), enrichment)
    await wearers(api, told)
    await areas(api, told, place, recording)
    await pictures(api, told, place, (markerless, recording))
    await by_hand(api, told, (W, project), picture)
    await api.delete_project_enrichment_resource(*place)
    told["enrichment_gone"] = await refused(api.get_project_enrichment(*place))
    await api.delete_recording(W, recording)
    told["recording_gone"] = await refused(api.get_recording(W, recording))
    await api.delete_project_resource(W, project)
    told["project_gone"] = await refused(api.get_project_resource(W, project))
    return told


async def moments(api, told, place, recording):
    """Events of a recording and of a project, added and removed."""
    listed = (await api.get_recording_events(W, recording)).result
    mark = next(one for one in listed if one.name == "mark")
    told["recording_events"] = sorted(one.origin for one in listed)
    told["event_gone"] = (await api.delete_recording_event_resource(W, recording, mark.id)).result.name
    told["no_event"] = await refused(api.delete_recording_event_resource(W, recording, mark.id))
    body = m.ProjectRecordingEventPostRequest(name="trial", offset_s=0.5, origin="project")
    made = (await api.post_project_recording_events_resource(*place, recording, body)).result
    told["project_event"] = [made.name, made.offset_s, made.origin]


async def settings(api, told, place, enrichment):
    """Settings of visualizations."""
    body = m.VisualizationConfigPostRequest(
        kind="heatmap", name="Map", enrichment_id=enrichment, payload={"heatmap": {"sigma": 0.02, "colormap": "Jet"}}
    )
    made = (await api.post_visualization_config(*place, body)).result
    told["settings"] = [made.kind, made.name, made.payload, made.enrichment_id == enrichment]
    told["settings_listed"] = [one.id for one in (await api.get_visualization_configs(*place)).result] == [made.id]
    change = m.VisualizationConfigPatchRequest(kind="aoi_heatmap", name="Areas", payload={})
    changed = (await api.patch_visualization_config(*place, made.id, change)).result
    told["settings_changed"] = [changed.kind, changed.name, changed.payload]
    told["settings_got"] = (await api.get_visualization_config(*place, made.id)).result == changed
    strange = m.VisualizationConfigPostRequest(kind="heatmap", name="x", enrichment_id=str(uuid4()))
    told["settings_of_none"] = await refused(api.post_visualization_config(*place, strange))
    told["settings_removed"] = (await api.delete_visualization_config(*place, made.id)).result.name
    told["settings_gone"] = await refused(api.get_visualization_config(*place, made.id))


async def wearers(api, told):
    made = (await api.post_wearer(W, m.WearerPostRequest(name="Bob"))).result
    told["wearers"] = made.id in [one.id for one in (await api.get_wearers(W)).result]
    told["wearer_renamed"] = (await api.patch_wearer(W, made.id, m.WearerPatchRequest(name="Eve"))).result.name
    told["wearer_got"] = (await api.get_wearer(W, made.id)).result.name
    told["wearer_removed"] = (await api.delete_wearer(W, made.id)).result.name
    told["wearer_gone"] = await refused(api.get_wearer(W, made.id))


async def areas(api, told, place, recording):
    enrichment, mine = place[2], str(uuid4())
    post = m.AoiPostRequest(id=mine, name="ring", enrichment_id=enrichment, mask_image_data_url=data_url(RING))
    told["own_id"] = (await api.post_aoi(*place, post)).result.id == mine
    told["used_id"] = await refused(api.post_aoi(*place, post))
    other = m.AoiPostRequest(name="left", enrichment_id=enrichment, mask_image_data_url=data_url(LEFT))
    left = (await api.post_aoi_0(*place, str(uuid4()), other)).result.id
    box = json.dumps({"min_x": 0.5, "max_x": 1, "min_y": 1, "max_y": 0.5})
    boxed = m.AoiPostRequest(name="box", enrichment_id=enrichment, bounding_box=box)
    made = (await api.post_aoi_1(*place, boxed)).result
    told["box"] = made.bounding_box
    told["listed"] = [one.name for one in (await api.get_aois(*place)).result]
    told["got"] = (await api.get_aoi(*place, left)).result.name
    empty = m.AoiPostRequest(name="e", enrichment_id=enrichment, mask_image_data_url=data_url(lambda x, y: False))
    told["empty"] = await refused(api.post_aoi(*place, empty))
    told["patched"] = (await api.patch_aoi(*place, mine, m.AoiPatchRequest(name="Ring", color="#112233"))).result.color
    told["patch_id"] = await refused(api.patch_aoi(*place, mine, m.AoiPatchRequest(id=left, name="x")))
    found = await stats(api, place)
    told["hits"] = [row["total_fixations"] for row in found["metrics"][:2]] == [hits(RING), hits(LEFT)]
    told["of_one"] = (await stats(api, place, rids=[recording]))["metrics"] == found["metrics"]
    told["of_none"] = await refused(api.get_aoi_stats(*place, rids=[str(uuid4())]))
    label = (await api.post_label(W, m.LabelPostRequest(name="both", aoi_ids=[mine, left]))).result.id
    union = hits(lambda x, y: RING(x, y) or LEFT(x, y))
    told["label_hits"] = (await stats(api, place))["label_metrics"][0]["total_fixations"] == union
    told["label"] = (await api.patch_label(W, label, m.LabelPatchRequest(name="union"))).result.name
    told["labels"] = label in [one.id for one in (await api.get_labels(W)).result]
    await api.get_label(W, label)
    named = m.LabelPostRequest(name="named", aoi_ids=[left])
    second = (await api.post_label_0(W, str(uuid4()), named)).result
    told["label_aois"] = second.aoi_ids == [left]
    await api.delete_labels(W, m.LabelsDeleteRequest(label_ids=[second.id]))
    await api.delete_label(W, label)
    told["label_gone"] = await refused(api.get_label(W, label))
    await api.delete_aois(*place, m.AoisDeleteRequest(aoi_ids=[made.id, "nothing"]))
    await api.delete_aois_0(*place, m.AoisDeleteRequest(aoi_ids=[]))
    await api.delete_aoi(*place, left)
    told["aoi_gone"] = await refused(api.get_aoi(*place, left))
    told["left"] = [one.name for one in (await api.get_aois(*place)).result]


async def pictures(api, told, place, what):
    markerless, recording = what
    where = {"project_id": place[1], "enrichment_id": place[2]}
    told["maps"] = [
        bytes(await api.get_heatmap(W, **where))[:4] == b"\x89PNG",
        bytes(await api.post_heatmap(W, m.GenerateHeatmap(**where, colormap="Traffic Light")))[:4] == b"\x89PNG",
        bytes(await api.get_heatmap_background(W, **where))[:4] == b"\x89PNG",
        bytes(await api.get_download_heatmap(W, **where))[:2] == b"PK",
        bytes(await api.post_download_heatmap(W, m.GenerateHeatmap(**where)))[:2] == b"PK",
    ]
    told["no_heatmap"] = await refused(api.get_heatmap(W, project_id=place[1], enrichment_id=str(uuid4())))
    looked = await api.get_markerless_gaze_on_aoi(W, markerless, **where, recording_id=recording, start=0, end=1)
    told["gaze_on_plane"] = len(looked.result)
    other = api.get_markerless_gaze_on_aoi(W, str(uuid4()), **where, recording_id=recording, start=0, end=1)
    told["no_plane"] = await refused(other)
    zipped = bytes(await api.project_enrichments_export(*place, recording_ids=[]))
    told["export"] = zipfile.ZipFile(io.BytesIO(zipped)).namelist()
    again = await api.post_project_enrichment_export_resource(
        *place, m.ProjectEnrichmentExport(recording_ids=[recording])
    )
    told["export_by_post"] = bytes(again)[:2] == b"PK"


async def by_hand(api, told, place, picture):
    names = {"from_event_name": "recording.begin", "to_event_name": "recording.end"}
    body = m.StaticImageMapperPostRequest(name="M", **names, static_image_id=picture)
    told["mapper_is_none"] = (await api.post_static_image_mapper_enrichment(*place, body)) is None
    mapper = (await api.get_static_image_mapper_enrichments(*place)).result[0].id
    told["mapper"] = (await api.get_static_image_mapper_enrichment(*place, mapper)).result.kind
    recording = load(f"/workspaces/{W}/projects/{place[1]}/enrichments/{mapper}", name="C", **camera_files())
    listed = await api.get_static_image_mapper_enrichments_recording_fixations(*place, mapper, recording)
    told["fixations"] = (listed.result.total_fixations, listed.result.checked_fixations)
    at = f"/workspaces/{W}/projects/{place[1]}/mappers/static/{mapper}/recordings/{recording}/fixations"
    told["placed"] = ask("PUT", f"{at}/3", {"gaze_on_aoi": 1, "x": 0.5, "y": 0.5})["gaze_on_aoi"]
    await api.delete_static_image_mapper_enrichments_recording_fixation(*place, mapper, recording, 3)
    await api.clear_static_image_mapper_enrichments_recording_fixation(*place, mapper, recording)
    offset = (await api.get_recording(W, recording)).result.gaze_offset
    told["gaze_offset"] = [offset.x, offset.y]
    files = (await api.get_recording_files(W, recording)).result
    told["files"] = [[one.name, one.mimetype, one.size_bytes == len(VIDEO)] for one in files]
    video = await api.download_recording_file_without_preload_content(W, recording, "scene.mp4")
    told["video"] = await video.read() == VIDEO
    told["no_file"] = await refused(api.download_recording_file(W, recording, "eye.mp4"))
    told["gaze_json"] = len((await api.get_recording_gaze(W, recording, "json")).result)
    told["own_fixations"] = len((await api.get_recording_fixations(W, recording)).result)
    told["timeline"] = len((await api.get_recording_fixations_timeline(W, recording)).result)
    told["scanpath"] = len((await api.get_recording_scanpath(W, recording, "json")).result[0].path)
    await raw(api, told, place, recording)
    surface = (await api.post_surface(W, m.SurfaceInitialization(name="Screen"))).result.id
    await api.patch_surface(W, surface, m.PatchSurface(markers=["1", "2"]))
    found = (await api.get_surface(W, surface)).result
    told["no_surface"] = await refused(api.patch_surface(W, str(uuid4()), m.PatchSurface(markers=[])))
    told["surface"] = [found.name, found.markers_used]
    await on_surface(api, told, place, surface)
    await api.delete_recording(W, recording)


async def raw(api, told, place, recording):
    """Recordings as the scene camera saw them."""
    zipped = bytes(await api.download_raw_data_export_zip(W, ids=[recording]))
    archive = zipfile.ZipFile(io.BytesIO(zipped))
    told["raw"] = [name.split("/")[1].replace(recording[:8], "ID") for name in archive.namelist()]
    told["raw_video"] = archive.read(archive.namelist()[-1]) == VIDEO
    zipped = bytes(await api.download_raw_data_export_zip(W, ids=[recording], exclude=["gaze.csv", "scene.mp4"]))
    told["raw_without"] = [name.split("/")[1] for name in zipfile.ZipFile(io.BytesIO(zipped)).namelist()]
    names = {"from_event_name": "recording.begin", "to_event_name": "recording.end"}
    body = m.ProjectEnrichmentPostRequest(name="Raw", kind="raw-data-export", args={}, **names)
    made = (await api.post_project_enrichment(*place, body)).result
    listed = (await api.get_project_enrichments(*place)).result
    told["raw_kind"] = [one.additional_properties["kind"] for one in listed if one.enrichment_id == made.enrichment_id]
    told["no_raw"] = await refused(api.download_raw_data_export_zip(W, ids=[str(uuid4())]))


async def on_surface(api, told, place, surface):
    names = {"from_event_name": "recording.begin", "to_event_name": "recording.end"}
    body = {"name": "S", **names, "kind": "marker-mapper", "args": {"surface_id": surface}}
    enrichment = ask("POST", f"/workspaces/{W}/projects/{place[1]}/enrichments", body)["id"]
    files = {name: text.replace("in reference image", "on surface").replace("[px]", "[normalized]")
             for name, text in gaze_files().items()}  # fmt: skip
    files["fixations"] = files["fixations"].replace("fixation detected in", "fixation detected on")
    recording = load(f"/workspaces/{W}/projects/{place[1]}/enrichments/{enrichment}", name="S", **files)
    where = {"project_id": place[1], "enrichment_id": enrichment, "recording_id": recording}
    told["gaze_on_surface"] = len((await api.get_surface_gaze_on_aoi(W, surface, **where, start=0, end=1)).result)
    await api.delete_recording(W, recording)


async def main():
    configuration = pupilcloud.Configuration(host=f"{BASE}/v2")
    configuration.api_key = {"workspace_id": "anything", "api_key": TOKEN}
    async with pupilcloud.ApiClient(configuration) as client:
        told = await tour(pupilcloud.CloudClientApi(client))
    for name, key, prefix in (("wrong", "0" * 40, None), ("prefixed", TOKEN, "Bearer")):
        configuration = pupilcloud.Configuration(host=f"{BASE}/v2")
        configuration.api_key = {"api_key": key}
        configuration.api_key_prefix = {"api_key": prefix} if prefix else {}
        async with pupilcloud.ApiClient(configuration) as client:
            told[name] = await refused(pupilcloud.CloudClientApi(client).get_workspaces())
    json.dump(told, sys.stdout)


asyncio.run(main())
