"""The four exports through ecotaxa_py_client: asked for, waited for, fetched."""

import io
import json
import os
import struct
import sys
import time
import zipfile
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import ecotaxa_py_client as client
from ecotaxa_py_client.rest import ApiException

configuration = client.Configuration(host=os.environ["QUADRAT_CONTRACT_URL"] + "/api")
configuration.access_token = os.environ["QUADRAT_CONTRACT_TOKEN"]
api = client.ApiClient(configuration)
objects, jobs = client.ObjectsApi(api), client.JobsApi(api)
result: dict[str, Any] = {}


def png() -> bytes:
    """A grey pixel."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0\x80")) + chunk(b"IEND", b"")


def ended(job_id: int) -> Any:
    while (job := jobs.get_job(job_id)).state not in "FEA":
        time.sleep(0.2)
    return job


def made(answer: Any) -> dict[str, Any]:
    """What became of an export."""
    job = ended(answer.job_id)
    assert job.state == "F", job.errors
    content = jobs.get_job_file_without_preload_content(job.id).data
    found = {"type": job.type, "result": job.result, "req": job.params["req"]["project_id"] == project}
    if job.result["out_file"].endswith(".zip"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = archive.namelist()
            base = job.result["out_file"].removesuffix(".zip")
            found["names"] = [name.replace(base, "BASE").replace(str(job.id), "JOB") for name in names]
            found["head"] = archive.read(names[0]).decode("utf-8-sig").split("\n")[0]
    else:
        found["text"] = content.decode()
    jobs.erase_job(job.id)
    return found


with TemporaryDirectory() as folder:
    path = Path(folder, "in.zip")
    with zipfile.ZipFile(path, "w") as archive:
        lines = ["object_id\timg_file_name\tobject_area\tsample_id\tacq_id\tsample_vol", "[t]\t[t]\t[f]\t[t]\t[t]\t[t]"]
        lines += [f"o{number}\to{number}.png\t{number}.5\ts{number % 2}\ta{number % 2}\t4" for number in range(4)]
        archive.writestr("ecotaxa_in.tsv", "\n".join(lines))
        for number in range(4):
            archive.writestr(f"o{number}.png", png())
    project = client.ProjectsApi(api).create_project(client.CreateProjectReq(title="Exported cruise"))
    source = client.FilesApi(api).post_user_file(file=str(path))
    request = client.ImportReq(source_path=source)
    assert ended(client.ProjectsApi(api).import_file(project, request).job_id).state == "F"

none = client.ProjectFilters()
general = client.GeneralExportReq(project_id=project, split_by="sample", with_images="first", with_types_row=True)
result["general"] = made(
    objects.export_object_set_general(
        client.BodyExportObjectSetGeneralObjectSetExportGeneralPost(filters=none, request=general)
    )
)
backup = client.BackupExportReq(project_id=project)
result["backup"] = made(
    objects.export_object_set_backup(
        client.BodyExportObjectSetBackupObjectSetExportBackupPost(filters=none, request=backup)
    )
)
formulae = {"subsample_coef": "1", "total_water_volume": "sam.vol", "individual_volume": "obj.area"}
summary = client.SummaryExportReq(project_id=project, quantity="biovolume", summarise_by="sample", formulae=formulae)
result["summary"] = made(
    objects.export_object_set_summary(
        client.BodyExportObjectSetSummaryObjectSetExportSummaryPost(filters=none, request=summary)
    )
)
old = client.ExportReq(project_id=project, exp_type="SUM", sum_subtotal="A")
result["old"] = made(
    objects.export_object_set(client.BodyExportObjectSetObjectSetExportPost(filters=none, request=old))
)
missing = client.SummaryExportReq(project_id=project, quantity="concentration")
answer = objects.export_object_set_summary(
    client.BodyExportObjectSetSummaryObjectSetExportSummaryPost(filters=none, request=missing)
)
result["without_formulae"] = {"job_id": answer.job_id, "errors": answer.errors}
try:
    objects.export_object_set_backup(
        client.BodyExportObjectSetBackupObjectSetExportBackupPost(
            filters=none, request=client.BackupExportReq(project_id=2**40)
        )
    )
except ApiException as error:
    result["unknown_project"] = {"class": type(error).__name__, "status": error.status}
json.dump(result, sys.stdout)
