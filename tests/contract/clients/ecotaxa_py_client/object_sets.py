"""Object sets through ecotaxa_py_client: all that people and machines do with them, and each way of being refused."""

import io
import json
import os
import secrets
import struct
import sys
import time
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import ecotaxa_py_client as client
from ecotaxa_py_client.rest import ApiException

URL = os.environ["QUADRAT_CONTRACT_URL"] + "/api"
PASSWORD = "Aa1!objects"
N_OBJECTS = 12
ALL = client.ProjectFilters()
NAMES = """
    object_id img_file_name object_lat object_lon object_date object_time object_depth_min object_depth_max object_area
    object_note sample_id sample_ship acq_id process_id
""".split()  # noqa: SIM905 - easier to read
NUMBERS = {"object_lat", "object_lon", "object_depth_min", "object_depth_max", "object_area"}
result: dict[str, Any] = {}


def png() -> bytes:
    """A grey pixel."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0\x80")) + chunk(b"IEND", b"")


def api_as(token: str | None) -> client.ApiClient:
    configuration = client.Configuration(host=URL)
    configuration.access_token = token
    return client.ApiClient(configuration)


def tried(call: Any, *args: Any, **kwargs: Any) -> int | None:
    """The status of a call that has to fail, -1 where it says nothing; None where it is done."""
    try:
        call(*args, **kwargs)
    except ApiException as error:
        return int(error.status) if json.loads(error.body).get("detail") else -1
    return None


class Person:
    """Somebody with an account, who sees what the client offers."""

    def __init__(self, admin: client.ApiClient, name: str) -> None:
        email = f"{secrets.token_hex(5)}@contract.example"
        asked = client.UserModelWithRights(id=-1, email=email, name=f"{name} Müller", password=PASSWORD)
        client.UsersApi(admin).create_user(asked)
        sign_in = client.AuthentificationApi(api_as(None))
        self.api = api_as(sign_in.login(client.LoginReq(username=email, password=PASSWORD)))
        self.objects, self.single = client.ObjectsApi(self.api), client.ObjectApi(self.api)
        found = client.UsersApi(self.api).show_current_user()
        self.id, self.known_as = found.id, client.MinUserModel(id=found.id, email=found.email, name=found.name)

    def classify(self, ids: list[int], taxa: list[int], wanted: str = "V") -> int:
        request = client.ClassifyReq(target_ids=ids, classifications=taxa, wanted_qualification=wanted)
        return int(self.objects.classify_object_set(request))

    def guess(self, ids: list[int], taxa: list[int], scores: list[float], *, keep_log: bool = True) -> int:
        request = client.ClassifyAutoReq(target_ids=ids, classifications=taxa, scores=scores, keep_log=keep_log)
        return int(self.objects.classify_auto_object_set(request))

    def update(self, ids: list[int], **values: str) -> int:
        updates = [client.ColUpdate(ucol=name, uval=value) for name, value in values.items()]
        return int(self.objects.update_object_set(client.BulkUpdateReq(target_ids=ids, updates=updates)))

    def found(self, project_id: int, **filters: str) -> list[int]:
        """Places of the objects among all, from 0."""
        ids = self.objects.get_object_set(project_id, client.ProjectFilters(**filters)).object_ids
        return sorted(id_ - result["first"] for id_ in ids)

    def states(self, ids: list[int]) -> list[list[Any]]:
        sheets = [self.single.object_query(id_) for id_ in ids]
        return [[sheet.classif_qual, sheet.classif_id, sheet.classif_who, sheet.classif_auto_score] for sheet in sheets]

    def n_lines(self, ids: list[int]) -> int:
        return sum(len(self.single.object_query_history(id_)) for id_ in ids)


def archive() -> bytes:
    rows = [NAMES, ["[f]" if name in NUMBERS else "[t]" for name in NAMES]]
    for number in range(N_OBJECTS):
        place = ["0" if number < 6 else "43.5", "0", f"2014{number + 1:02d}20", f"{number * 2:02d}00", "0", str(number)]
        parents = [f"s{number % 2}", "Tårå", f"a{number % 2}", f"p{number % 2}"]
        rows.append([f"ø{number}", f"ö{number}.png", *place, str(number - 2), f"Nöte {number}_%", *parents])
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as made:
        made.writestr("ecotaxa_1.tsv", "".join("\t".join(row) + "\n" for row in rows))
        for row in rows[2:]:
            made.writestr(row[1], png())
    return packed.getvalue()


def fill(owner: Person) -> tuple[int, list[int]]:
    """A hidden project with objects."""
    projects, jobs = client.ProjectsApi(owner.api), client.JobsApi(owner.api)
    project_id = projects.create_project(client.CreateProjectReq(title="Objects ☃", visible=False))
    with TemporaryDirectory() as folder:
        path = Path(folder, "objects.zip")
        path.write_bytes(archive())
        source = str(client.FilesApi(owner.api).post_user_file(str(path)))
    job_id = projects.import_file(project_id, client.ImportReq(source_path=source)).job_id
    while (job := jobs.get_job(job_id)).state not in "FEA":
        time.sleep(0.1)
    assert job.state == "F", job.errors
    return project_id, owner.objects.get_object_set(project_id, ALL, order_field="obj.objid").object_ids


def filters(owner: Person, project_id: int, sample_ids: list[int]) -> None:
    """Both bounds, and zero as a bound, alone and together."""
    asked: dict[str, dict[str, str]] = {
        "none": {},
        "empty": {"taxo": "", "freenum": "", "depthmin": ""},
        "from_zero": {"freenum": "n01", "freenumst": "0"},
        "to_zero": {"freenum": "on01", "freenumend": "0"},
        "zero": {"freenum": "n01", "freenumst": "0", "freenumend": "0"},
        "both": {"freenum": "n01", "freenumst": "-1", "freenumend": "1"},
        "no_column": {"freenum": "n09", "freenumst": "0"},
        "depth_zero": {"depthmin": "0", "depthmax": "0"},
        "depth": {"depthmin": "0", "depthmax": "2.5"},
        "half_depth": {"depthmin": "3"},
        "map_zero": {"map_n": "0", "map_s": "0", "map_e": "0", "map_w": "0"},
        "samples": {"samples": str(sample_ids[1])},
        "months": {"month": "1,12"},
        "dates": {"fromdate": "2014-02-20", "todate": "2014-03-20"},
        "times": {"fromtime": "04:00:00", "totime": "06:00:00"},
        "not_times": {"fromtime": "04:00:00", "totime": "18:00:00", "inverttime": "1"},
        "text": {"freetxt": "ot01", "freetxtval": "nÖTE 1"},
        "text_anchored": {"freetxt": "ot01", "freetxtval": "^nöte 1__$"},
        "text_of_sample": {"freetxt": "st01", "freetxtval": "TÅRÅ"},
        "combined": {"freenum": "n01", "freenumst": "0", "map_n": "0", "map_s": "0", "map_e": "0", "map_w": "0"},
        "odd_status": {"statusfilter": "'--"},
    }
    result["filters"] = {name: owner.found(project_id, **given) for name, given in asked.items()}
    counts = {
        name: owner.objects.get_object_set_summary(project_id, True, client.ProjectFilters(**given)).total_objects
        for name, given in asked.items()
    }
    result["counted"] = counts == {name: len(found) for name, found in result["filters"].items()}
    wrong = [{"taxo": "x"}, {"freenum": "n01", "freenumst": "a"}, {"fromdate": "2014-02-30"}, {"month": "1,,2"}]
    result["wrong_filters"] = [tried(owner.found, project_id, **given) for given in wrong]


def windows(owner: Person, project_id: int) -> None:
    query = owner.objects.get_object_set
    fields = "obj.orig_id,fre.area,usr.password,nothing,fre.note,img.file_name,txo.display_name,sam.orig_id,obj.objdate"
    found = query(project_id, ALL, fields=fields, order_field="-fre.area", window_start=1, window_size=2)
    result["window"] = [[row[:3], *row[4:]] for row in found.details] + [found.total_ids]
    past = query(project_id, ALL, window_start=500, window_size=2)
    result["past"] = [past.object_ids, past.details, past.total_ids]
    seen = [id_ for at in range(0, N_OBJECTS, 5) for id_ in query(project_id, ALL, None, "fre.note", at, 5).object_ids]
    result["windows"] = len(seen) == len(set(seen)) == N_OBJECTS
    result["wrong_window"] = tried(query, project_id, ALL, window_start=-1)


def deciding(people: dict[str, Person], project_id: int, ids: list[int], taxa: list[int]) -> None:
    """Decisions, guesses, and the ways back."""
    owner, annotator = people["owner"], people["annotator"]
    a, b, c = taxa
    steps: list[Any] = [
        owner.classify(ids[:4], [a, a, b, b]),
        owner.classify(ids[:4], [a, a, b, b]),
        annotator.classify(ids[:2], [-1, -1]),
        annotator.classify([ids[3], ids[3]], [a, c], "D"),
        owner.classify(ids[8:9], [-1]),
        annotator.guess(ids[:6], [c] * 6, [0.5] * 6),
        annotator.guess(ids[4:6], [b] * 2, [0, 1]),
        annotator.guess(ids[4:5], [a], [0.25], keep_log=False),
    ]
    result["steps"] = steps
    names = {a: "a", b: "b", c: "c", None: None, owner.id: "owner", annotator.id: "annotator"}
    result["states"] = [
        [qual, names[taxon], names[who], score] for qual, taxon, who, score in owner.states([*ids[:6], ids[8]])
    ]
    result["lines"] = [owner.n_lines([id_]) for id_ in ids[:6]]
    [line] = owner.single.object_query_history(ids[0])
    result["line"] = [
        line.classif_qual,
        names[line.classif_id],
        names[line.classif_who],
        line.taxon_name,
        line.user_name,
    ]
    result["by_status"] = {
        status: owner.found(project_id, statusfilter=status)
        for status in ("V", "D", "P", "U", "NV", "PV", "PVD", "UP", "VM", "NVM")
    }
    result["by_taxon"] = [owner.found(project_id, taxo=f"{a},{c}"), owner.found(project_id, taxo=str(b))]
    result["by_author"] = [
        owner.found(project_id, filt_annot=str(owner.id)), owner.found(project_id, filt_last_annot=str(owner.id)),
    ]  # fmt: skip
    result["oscore"] = owner.found(project_id, freenum="oscore", freenumst="0", freenumend="0.5")
    whole = owner.objects.get_object_set_summary(project_id, False, ALL)
    result["summary"] = [
        whole.total_objects, whole.validated_objects, whole.dubious_objects, whole.predicted_objects,
    ]  # fmt: skip

    only_b = client.ProjectFilters(taxo=str(b))
    result["reclassified"] = [
        annotator.objects.reclassify_object_set(project_id, c, "Worms", only_b),
        annotator.objects.reclassify_object_set(project_id, c, "W", only_b),
        [sorted(move) for move in client.TaxonomyTreeApi(owner.api).reclassif_project_stats(project_id)],
        owner.found(project_id, taxo=str(c)),
    ]
    before = owner.states(ids[:4])
    owner.objects.reset_object_set_to_predicted(project_id, ALL)
    result["reset"] = [[state[0], state[3]] for state in owner.states(ids[:4])]
    revert = owner.objects.revert_object_set_to_history
    first = client.ProjectFilters(samples=str(result["samples"][0]))
    dry = revert(project_id, True, first)
    same = owner.states(ids[:4]) != before
    real = revert(project_id, False, first)
    result["reverted"] = [
        [entry.objid - ids[0] for entry in dry.last_entries if entry.histo_classif_type != "n"],
        sum(entry.histo_classif_type == "n" for entry in dry.last_entries),
        sorted({name for name, _ in dry.classif_info.values()}),
        len(real.last_entries) == len(dry.last_entries),
        real.classif_info,
        same,
        owner.states([ids[0], ids[2]]) == [[*before[0][:3], 1.0], [*before[2][:3], 1.0]],
    ]
    for_one = revert(project_id, True, ALL, target=999999999)
    result["reverted_to_nobody"] = len(for_one.last_entries)


def five_at_once(people: dict[str, Person], crowd: list[Person], ids: list[int], taxa: list[int]) -> None:
    """Nothing is lost or doubled: each change of a decided object leaves one line."""
    owner = people["owner"]
    owner.classify(ids, [taxa[0]] * len(ids), "D")
    before = owner.n_lines(ids)

    def work(place: int) -> int:
        person = crowd[place]
        return sum(person.classify(ids, [taxa[(place + turn) % 3]] * len(ids)) for turn in range(6))

    with ThreadPoolExecutor(len(crowd)) as pool:
        changed = sum(pool.map(work, range(len(crowd))))
    result["crowd"] = [
        owner.n_lines(ids) - before == changed,
        {state[0] for state in owner.states(ids)} == {"V"},
        {state[2] for state in owner.states(ids)} <= {person.id for person in crowd},
    ]


def refused(people: dict[str, Person], project_id: int, ids: list[int], taxa: list[int]) -> None:
    """Each operation by each person who may not, and with what is nonsense."""
    owner, nobody = people["owner"], client.ObjectsApi(api_as(None))
    expired = client.ObjectsApi(api_as("0" * 40))
    decision = client.ClassifyReq(target_ids=ids[:1], classifications=taxa[:1], wanted_qualification="V")
    guess = client.ClassifyAutoReq(target_ids=ids[:1], classifications=taxa[:1], scores=[1], keep_log=True)
    change = client.BulkUpdateReq(target_ids=ids[:1], updates=[client.ColUpdate(ucol="area", uval="1")])
    calls: dict[str, tuple[Any, ...]] = {
        "classify_object_set": (decision,),
        "classify_auto_object_set": (guess,),
        "reclassify_object_set": (project_id, taxa[0], "W", ALL),
        "reset_object_set_to_predicted": (project_id, ALL),
        "revert_object_set_to_history": (project_id, True, ALL),
        "update_object_set": (change,),
        "erase_object_set": (ids[:1],),
        "query_object_set_parents": (ids[:1],),
        "get_object_set": (project_id, ALL),
        "get_object_set_summary": (project_id, True, ALL),
    }
    apis = {name: people[name].objects for name in ("annotator", "viewer", "stranger")} | {
        "nobody": nobody, "expired": expired,
    }  # fmt: skip
    only_reads = {"annotator": set(list(calls)[:3])}  # what an annotator may do would be done
    result["refused"] = {
        name: {
            call: tried(getattr(api, call), *args)
            for call, args in calls.items()
            if call not in only_reads.get(name, ())
        }
        for name, api in apis.items()
    }
    unknown = 999999999
    result["nonsense"] = {
        "unknown_object": tried(owner.classify, [ids[0], unknown], taxa[:2]),
        "unknown_taxon": tried(owner.classify, ids[:1], [unknown]),
        "no_objects": tried(owner.classify, [], []),
        "too_few": tried(owner.classify, ids[:2], taxa[:1]),
        "no_state": tried(owner.classify, ids[:1], taxa[:1], "X"),
        "score": tried(owner.guess, ids[:1], taxa[:1], [1.5]),
        "keep_is_no_guess": tried(owner.guess, ids[:1], [-1], [1]),
        "no_reason": tried(owner.objects.reclassify_object_set, project_id, taxa[0], "", ALL),
        "reclassify_to_nothing": tried(owner.objects.reclassify_object_set, project_id, unknown, "W", ALL),
        "no_number": tried(owner.update, ids[:1], area="big"),
        "no_date": tried(owner.update, ids[:1], objdate="2024-02-30"),
        "update_unknown": tried(owner.update, [unknown], area="1"),
        "project": tried(owner.objects.get_object_set, unknown, ALL),
        "summary_of_nothing": tried(owner.objects.get_object_set_summary, unknown, False, ALL),
        "object": tried(owner.single.object_query, unknown),
    }


def ending(owner: Person, project_id: int, ids: list[int]) -> None:
    """Corrections, parents, removal."""
    parents = owner.objects.query_object_set_parents([ids[0], ids[0], 999999999])
    result["parents"] = [parents.object_ids == ids[:1], parents.project_ids == [project_id], parents.total_ids]
    result["updated"] = [
        owner.update(ids[:2], area="0", note="größer", objtime="12:00:00", nothing="x", classif_id="1"),
        owner.update(ids[:2], nothing="x"),
        owner.single.object_query(ids[1]).free_columns,
    ]
    result["erased"] = [
        owner.objects.erase_object_set([*ids[:2], ids[0], 999999999]), owner.objects.erase_object_set([]),
    ]  # fmt: skip
    result["left"] = owner.objects.get_object_set_summary(project_id, True, ALL).total_objects
    result["gone"] = [tried(owner.single.object_query, ids[0]), owner.single.object_query_history(ids[0])]


def main() -> None:
    admin = api_as(os.environ["QUADRAT_CONTRACT_TOKEN"])
    people = {name: Person(admin, name) for name in ("owner", "annotator", "viewer", "stranger")}
    crowd = [people["annotator"], *(Person(admin, f"annotator {number}") for number in range(4))]
    owner = people["owner"]
    project_id, ids = fill(owner)
    projects = client.ProjectsApi(owner.api)
    made = projects.project_query(project_id)
    made.annotators, made.viewers = [person.known_as for person in crowd], [people["viewer"].known_as]
    projects.update_project(project_id, made)
    samples = client.SamplesApi(owner.api).samples_search(str(project_id), "*")
    result["first"] = ids[0]
    result["samples"] = [sample.sampleid for sample in sorted(samples, key=lambda sample: sample.orig_id)]
    taxonomy = client.TaxonomyTreeApi(owner.api)
    taxa = [taxonomy.search_taxa(name)[0].id for name in ("copepoda", "detritus", "appendicularia")]
    filters(owner, project_id, result["samples"])
    windows(owner, project_id)
    deciding(people, project_id, ids, taxa)
    refused(people, project_id, ids, taxa)
    five_at_once(people, crowd, ids, taxa)
    ending(owner, project_id, ids)
    json.dump(result, sys.stdout, default=str)


if __name__ == "__main__":
    main()
