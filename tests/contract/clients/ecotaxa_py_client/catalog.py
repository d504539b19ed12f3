"""Everything around object sets through ecotaxa_py_client: users, projects, taxa, files, imports, jobs, samples."""

import io
import json
import os
import secrets
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

URL = os.environ["QUADRAT_CONTRACT_URL"] + "/api"
TOKEN = os.environ["QUADRAT_CONTRACT_TOKEN"]
PASSWORD = "Aa1!catalog"


def png() -> bytes:
    """A grey pixel."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    pixels = zlib.compress(b"\0\x80")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


PNG = png()
result: dict[str, Any] = {}


def api_as(token: str | None) -> client.ApiClient:
    configuration = client.Configuration(host=URL)
    configuration.access_token = token
    return client.ApiClient(configuration)


def tried(call: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
    """What a call that has to fail raises."""
    try:
        call(*args, **kwargs)
    except ApiException as error:
        return {"class": type(error).__name__, "status": error.status, "body": json.loads(error.body)}
    return {"class": None}


def archive(rows: list[list[str]]) -> bytes:
    names = [
        "object_id",
        "img_file_name",
        "object_lat",
        "object_lon",
        "object_date",
        "object_time",
        "object_area",
        "sample_id",
        "sample_ship",
        "acq_id",
        "acq_instrument",
        "process_id",
        "process_pixel",
        "object_annotation_status",
        "object_annotation_category",
        "object_annotation_person_name",
    ]
    numbers = {"object_lat", "object_lon", "object_area"}
    head = [names, ["[f]" if name in numbers else "[t]" for name in names]]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as made:
        made.writestr("ecotaxa_1.tsv", "".join("\t".join(row) + "\n" for row in head + rows))
        for row in rows:
            made.writestr(row[1], PNG)
    return packed.getvalue()


def line(number: int, status: str = "", category: str = "", person: str = "") -> list[str]:
    place = ["43.685", "7.315", "20140420", "1200", str(number / 2)]
    parents = ["s1", "Tara", "a1", "zooscan", "p1", "10.6"]
    return [f"o{number}", f"o{number}.png", *place, *parents, status, category, person]


def upload(api: client.ApiClient, content: bytes) -> str:
    """The client takes a path of this machine."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "catalog.zip")
        path.write_bytes(content)
        return str(client.FilesApi(api).post_user_file(str(path)))


def wait(jobs: client.JobsApi, job_id: int, states: str = "FEA") -> Any:
    deadline = time.monotonic() + 60
    while True:
        job = jobs.get_job(job_id)
        if job.state in states:
            return job
        if time.monotonic() > deadline:
            raise AssertionError(f"job {job_id} is still {job.state}: {job.progress_msg}")
        time.sleep(0.1)


def users() -> tuple[client.ApiClient, client.ApiClient]:
    admin = api_as(TOKEN)
    api = client.UsersApi(admin)
    emails = [f"cat-{secrets.token_hex(5)}@contract.example" for _ in range(2)]
    for email, name in zip(emails, ("Ada Lovelace", "Grace Hopper"), strict=True):
        api.create_user(client.UserModelWithRights(id=-1, email=email, name=name, password=PASSWORD, country="France"))
    result["weak_password"] = tried(
        api.create_user, client.UserModelWithRights(id=-1, email="x" + emails[0], name="Weak One", password="weak")
    )
    result["taken_email"] = tried(
        api.create_user, client.UserModelWithRights(id=-1, email=emails[0], name="Ada Again", password=PASSWORD)
    )
    sign_in = client.AuthentificationApi(api_as(None))
    result["wrong_login"] = tried(sign_in.login, client.LoginReq(username=emails[0], password="Wrong-1!"))
    ada, grace = (api_as(sign_in.login(client.LoginReq(username=email, password=PASSWORD))) for email in emails)
    mine = client.UsersApi(ada)
    me = mine.show_current_user()
    result["me"] = {"email": me.email == emails[0], "name": me.name, "country": me.country, "can_do": me.can_do}
    me.organisation = "Somewhere"
    me.password = None
    mine.update_user(me.id, me)
    result["organisation"] = mine.show_current_user().organisation
    result["get_user"] = mine.get_user(me.id).name
    result["unknown_user"] = tried(mine.get_user, 999999999)
    result["found"] = [user.id == me.id for user in mine.search_user(by_name="%ada love%") if user.email == emails[0]]
    result["list_as_user"] = tried(mine.get_users)
    result["list_as_admin"] = [user.name for user in api.get_users(ids=str(me.id))]
    result["admins"] = len(client.UsersApi(api_as(None)).get_users_admins()) > 0
    result["user_admins"] = len(mine.get_admin_users()) > 0
    grace_id = client.UsersApi(grace).show_current_user().id
    result["activate_as_user"] = tried(mine.activate_user, grace_id, "1", client.UserActivateReq())
    api.activate_user(grace_id, "blocked", client.UserActivateReq(reason="holiday"))
    result["blocked"] = tried(client.UsersApi(grace).show_current_user)
    api.activate_user(grace_id, "active", client.UserActivateReq())
    grace = api_as(sign_in.login(client.LoginReq(username=emails[1], password=PASSWORD)))
    return ada, grace


def projects(ada: client.ApiClient, grace: client.ApiClient) -> int:
    api = client.ProjectsApi(ada)
    project_id = api.create_project(client.CreateProjectReq(title="  Catalog cruise ", visible=False))
    made = api.project_query(project_id)
    result["project"] = {
        "title": made.title,
        "visible": made.visible,
        "right": made.highest_right,
        "objcount": made.objcount,
        "managers": [user.name for user in made.managers],
        "contact": made.contact.name,
        "license": made.license,
    }
    result["hidden_project"] = tried(client.ProjectsApi(grace).project_query, project_id)
    result["unknown_project"] = tried(api.project_query, 999999999)
    grace_user = client.UsersApi(grace).show_current_user()
    made.annotators = [client.MinUserModel(id=grace_user.id, email=grace_user.email, name=grace_user.name)]
    made.license = "CC BY 4.0"
    made.comments = "c"
    made.bodc_variables = {"subsample_coef": "1/ssm.sub_part"}
    api.update_project(project_id, made)
    seen = client.ProjectsApi(grace).project_query(project_id)
    result["annotator"] = {"right": seen.highest_right, "license": seen.license, "bodc": seen.bodc_variables}
    result["update_as_annotator"] = tried(client.ProjectsApi(grace).update_project, project_id, seen)
    result["manage_as_annotator"] = tried(client.ProjectsApi(grace).project_query, project_id, for_managing=True)
    made.contact = made.annotators[0]
    result["contact_no_manager"] = tried(api.update_project, project_id, made)
    result["search"] = [p.projid for p in api.search_projects(title_filter="catalog cruise")] == [project_id]
    result["search_managed"] = [p.projid for p in client.ProjectsApi(grace).search_projects(for_managing=True)]
    prefs = client.UsersApi(ada)
    prefs.set_current_user_prefs(project_id, "cwd", "/here")
    result["preference"] = [prefs.get_current_user_prefs(project_id, key) for key in ("cwd", "filters")]
    api.set_project_predict_settings(project_id, "features=area")
    return project_id


def imports(ada: client.ApiClient, grace: client.ApiClient, project_id: int) -> None:
    api, jobs = client.ProjectsApi(ada), client.JobsApi(ada)
    path = upload(ada, archive([line(1, "validated", "Copepoda"), line(2, "predicted", "strange thing", ""), line(3)]))
    result["listed"] = [entry.name for entry in client.FilesApi(ada).list_user_files(path.split("/")[1]).entries]
    result["listed_by_other"] = tried(client.FilesApi(grace).list_user_files, path.split("/")[1])
    request = client.ImportReq(source_path=path)
    job_id = api.import_file(project_id, request).job_id
    asking = wait(jobs, job_id)
    result["question"] = {"state": asking.state, "question": asking.question, "type": asking.type}
    result["foreign_job"] = tried(client.JobsApi(grace).get_job, job_id)
    result["bad_answer"] = tried(jobs.reply_job_question, job_id, body={"taxa": {"strange thing": 999999999}})
    detritus = client.TaxonomyTreeApi(ada).search_taxa("detritus")[0].id
    jobs.reply_job_question(job_id, body={"users": {}, "taxa": {"strange thing": detritus}})
    done = wait(jobs, job_id, "FE")
    result["import"] = {
        "state": done.state,
        "result": done.result,
        "errors": done.errors,
        "pct": done.progress_pct,
        "msg": done.progress_msg,
        "prj_id": done.params["prj_id"] == project_id,
        "source": done.params["req"]["source_path"] == path,
    }
    result["log"] = "3 new objects" in jobs.get_job_log_file_without_preload_content(job_id).data.decode()
    result["no_file"] = tried(jobs.get_job_file, job_id)
    again = wait(jobs, api.import_file(project_id, request).job_id, "FE")
    result["again"] = {"state": again.state, "msg": again.progress_msg, "errors": again.errors}
    request.skip_existing_objects = True
    result["skipped"] = wait(jobs, api.import_file(project_id, request).job_id, "FE").result
    jobs.restart_job(job_id)
    result["jobs"] = min(job.id for job in jobs.list_jobs(for_admin=False)) == job_id
    result["jobs_for_admin"] = tried(jobs.list_jobs, for_admin=True)
    jobs.erase_job(again.id)
    result["erased_job"] = tried(jobs.get_job, again.id)
    result["import_as_stranger"] = tried(client.ProjectsApi(api_as(None)).import_file, project_id, request)
    result["missing_source"] = tried(api.import_file, project_id, client.ImportReq(source_path="my_files/none/a.zip"))
    result["escaping_source"] = tried(api.import_file, project_id, client.ImportReq(source_path="../../etc"))
    values = {"latitude": "abcde", "taxolb": "", "userlb": "", "status": ""}
    simple = client.SimpleImportReq(source_path=path, values=values)
    result["simple_dry"] = api.simple_import(project_id, True, simple).to_dict()
    simple.values["latitude"] = "43"
    simple.source_path = upload(ada, archive([line(9)]))
    result["simple"] = wait(jobs, api.simple_import(project_id, False, simple).job_id, "FE").result


def looking(ada: client.ApiClient, grace: client.ApiClient, project_id: int) -> None:
    api = client.ProjectsApi(ada)
    made = api.project_query(project_id)
    result["counts"] = [made.objcount, made.pctvalidated, made.pctclassified]
    result["free"] = [made.obj_free_cols, made.sample_free_cols, made.process_free_cols]
    result["taxo_stats"] = [stats.to_dict() for stats in api.project_set_get_stats(str(project_id))]
    result["taxo_stats_all"] = len(api.project_set_get_stats(str(project_id), taxa_ids="all"))
    result["user_stats"] = [stats.to_dict() for stats in api.project_set_get_user_stats(str(project_id))]
    columns = api.project_set_get_column_stats(str(project_id), "fre.area,obj.depth_min,fre.nothing")
    result["column_stats"] = columns.to_dict()
    result["check"] = api.project_check(project_id)
    result["stats"] = api.project_stats(project_id)
    result["sunpos"] = api.project_recompute_sunpos(project_id)
    samples = client.SamplesApi(ada)
    [sample] = [found for found in samples.samples_search(str(project_id), "S*") if found.orig_id == "s1"]
    full = samples.sample_query(sample.sampleid)
    result["sample"] = [full.orig_id, full.latitude, full.free_columns]
    result["sample_stats"] = samples.sample_set_get_stats(str(sample.sampleid))[0].nb_validated
    update = client.BulkUpdateReq(
        target_ids=[sample.sampleid],
        updates=[client.ColUpdate(ucol="ship", uval="Challenger"), client.ColUpdate(ucol="nothing", uval="x")],
    )
    result["update_samples"] = [
        samples.update_samples(update),
        samples.sample_query(sample.sampleid).free_columns,
        tried(client.SamplesApi(grace).update_samples, update)["status"],
    ]
    acquisitions, processes = client.AcquisitionsApi(ada), client.ProcessesApi(ada)
    [acquisition] = [found for found in acquisitions.acquisitions_search(project_id) if found.orig_id == "a1"]
    target = [acquisition.acquisid]
    change = client.BulkUpdateReq(target_ids=target, updates=[client.ColUpdate(ucol="instrument", uval="uvp6")])
    result["acquisition"] = [
        acquisition.acq_sample_id == sample.sampleid,
        acquisitions.update_acquisitions(change),
        acquisitions.acquisition_query(acquisition.acquisid).instrument,
    ]
    change = client.BulkUpdateReq(target_ids=target, updates=[client.ColUpdate(ucol="pixel", uval="5.3")])
    result["process"] = [
        processes.process_query(acquisition.acquisid).orig_id,
        processes.update_processes(change),
        processes.process_query(acquisition.acquisid).free_columns,
    ]
    result["unknown_sample"] = tried(samples.sample_query, 999999999)
    result["unknown_acquisition"] = tried(acquisitions.acquisition_query, 999999999)
    result["unknown_process"] = tried(processes.process_query, 999999999)
    # The client sends no credential here, so the instruments of a hidden project are nobody's business.
    result["hidden_instruments"] = tried(client.InstrumentsApi(ada).instrument_query, str(project_id))
    made.visible = True
    api.update_project(project_id, made)
    result["instruments"] = client.InstrumentsApi(ada).instrument_query(str(project_id))


def taxa(ada: client.ApiClient, project_id: int) -> None:
    api = client.TaxonomyTreeApi(ada)
    result["roots"] = {taxon.name for taxon in api.query_root_taxa()} >= {"living", "not-living", "digit"}
    [copepod] = [found for found in api.search_taxa("copepo", project_id=project_id) if found.text == "Copepoda"]
    full = api.query_taxa(copepod.id)
    result["taxon"] = [full.name, full.type, full.lineage[0], full.lineage[-1], full.id_lineage[0] == full.id]
    result["taxa_set"] = [taxon.name for taxon in api.query_taxa_set(f"{copepod.id}:999999999")]
    result["short_search"] = api.search_taxa("co")
    result["usage"] = [use.nb_validated for use in api.query_taxa_usage(copepod.id) if use.projid == project_id]
    name = f"Newpoda {secrets.token_hex(4)}"
    made = api.add_taxon_in_central(name, copepod.id, "P", "ada@example.org")
    result["added"] = [made["msg"], api.query_taxa(made["id"]).display_name == name]
    result["added_twice"] = tried(api.add_taxon_in_central, name, 999999999, "P", "ada@example.org")
    result["status"] = api.taxa_tree_status().last_refresh is not None
    result["reclassified"] = api.reclassif_project_stats(project_id)


def the_rest(ada: client.ApiClient, grace: client.ApiClient, project_id: int) -> None:
    stranger = api_as(None)
    constants = client.MiscApi(stranger).used_constants()
    result["constants"] = ["CC BY 4.0" in constants.license_texts, "France" in constants.countries]
    result["models"] = client.MiscApi(stranger).query_ml_models()
    result["noop"] = client.MiscApi(stranger).do_nothing() is not None
    result["up"] = client.WIPApi(stranger).system_status_without_preload_content().data.decode()
    result["common"] = tried(client.FilesApi(ada).list_common_files, path="/")
    api = client.ProjectsApi(ada)
    result["erase_as_annotator"] = tried(client.ProjectsApi(grace).erase_project, project_id)
    result["emptied"] = api.erase_project(project_id, only_objects=True)
    result["empty"] = api.project_query(project_id).objcount
    result["erased"] = api.erase_project(project_id)
    result["gone"] = tried(api.project_query, project_id)


def main() -> None:
    ada, grace = users()
    project_id = projects(ada, grace)
    imports(ada, grace, project_id)
    looking(ada, grace, project_id)
    taxa(ada, project_id)
    the_rest(ada, grace, project_id)
    json.dump(result, sys.stdout, default=str)


if __name__ == "__main__":
    main()
