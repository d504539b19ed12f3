"""ecotaxa_py_client 2.0.5 against the live server.

The client is in no package index. QUADRAT_TEST_ECOTAXA_PYTHON names an interpreter that has it; without one these tests
do not run.
"""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

PYTHON = os.environ.get("QUADRAT_TEST_ECOTAXA_PYTHON")
SCRIPTS = Path(__file__).parent / "clients" / "ecotaxa_py_client"
pytestmark = [
    pytest.mark.clients,
    pytest.mark.skipif(PYTHON is None, reason="QUADRAT_TEST_ECOTAXA_PYTHON names no interpreter"),
]


def run(server: Any, script: str) -> Any:
    assert PYTHON is not None
    environment = {
        "QUADRAT_CONTRACT_URL": server.url,
        "QUADRAT_CONTRACT_TOKEN": server.token,
        "PATH": os.environ["PATH"],
    }
    done = subprocess.run(
        [PYTHON, SCRIPTS / script], env=environment, capture_output=True, text=True, timeout=110, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def catalog(server: Any) -> Any:
    return run(server, "catalog.py")


REFUSED = {
    "weak_password": 422,
    "taken_email": 422,
    "wrong_login": 403,
    "unknown_user": 404,
    "list_as_user": 403,
    "activate_as_user": 403,
    "blocked": 401,
    "hidden_project": 403,
    "unknown_project": 404,
    "update_as_annotator": 403,
    "manage_as_annotator": 403,
    "contact_no_manager": 422,
    "listed_by_other": 404,
    "foreign_job": 403,
    "bad_answer": 422,
    "no_file": 404,
    "jobs_for_admin": 403,
    "erased_job": 404,
    "import_as_stranger": 403,
    "missing_source": 404,
    "escaping_source": 422,
    "unknown_sample": 404,
    "unknown_acquisition": 404,
    "unknown_process": 404,
    "hidden_instruments": 403,
    "added_twice": 422,
    "common": 404,
    "erase_as_annotator": 403,
    "gone": 404,
}


@pytest.mark.parametrize(("call", "status"), REFUSED.items())
def test_call_that_has_to_fail_fails_as_the_client_expects(catalog: Any, call: str, status: int):
    assert catalog[call]["status"] == status
    assert catalog[call]["body"]["detail"]


def test_user_is_found_changed_and_signs_in(catalog: Any):
    assert catalog["me"] == {"email": True, "name": "Ada Lovelace", "country": "France", "can_do": [1]}
    assert (catalog["organisation"], catalog["get_user"]) == ("Somewhere", "Ada Lovelace")
    assert (catalog["found"], catalog["list_as_admin"]) == ([True], ["Ada Lovelace"])
    assert catalog["admins"]
    assert catalog["user_admins"]


def test_project_is_managed_and_shared(catalog: Any):
    assert catalog["project"] == {
        "title": "Catalog cruise",
        "visible": False,
        "right": "Manage",
        "objcount": None,
        "managers": ["Ada Lovelace"],
        "contact": "Ada Lovelace",
        "license": "",
    }
    assert catalog["annotator"] == {
        "right": "Annotate",
        "license": "CC BY 4.0",
        "bodc": {"subsample_coef": "1/ssm.sub_part"},
    }
    assert catalog["search"]
    assert catalog["search_managed"] == []
    assert catalog["preference"] == ["/here", ""]


def test_import_asks_is_answered_and_is_done(catalog: Any):
    assert catalog["question"] == {
        "state": "A",
        "question": {"missing_users": [], "missing_taxa": ["strange thing"]},
        "type": "FileImport",
    }
    assert catalog["import"] == {
        "state": "F",
        "result": {"rowcount": 3},
        "errors": [],
        "pct": 100,
        "msg": "Done",
        "prj_id": True,
        "source": True,
    }
    assert catalog["log"]
    assert catalog["again"]["state"] == "E"
    assert catalog["again"]["msg"] == "3 error(s) during run"
    assert all("is already in EcoTaxa" in error for error in catalog["again"]["errors"])
    assert catalog["skipped"] == {"rowcount": 0}
    assert catalog["simple_dry"] == {"job_id": 0, "errors": ["'abcde' is not a valid value for latitude"]}
    assert catalog["simple"] == {"nb_images": 1}


def test_what_was_imported_is_counted_and_shown(catalog: Any):
    assert catalog["counts"] == [4, 25, 50]
    assert catalog["free"] == [{"area": "n01"}, {"ship": "t01"}, {"pixel": "t01"}]
    [stats] = catalog["taxo_stats"]
    assert [stats[f"nb_{name}"] for name in ("unclassified", "validated", "dubious", "predicted")] == [2, 1, 0, 1]
    assert catalog["taxo_stats_all"] == 3
    assert [user["name"] for user in catalog["user_stats"][0]["annotators"]] == ["Ada Lovelace"]
    assert catalog["column_stats"]["counts"] == [3, 0, 0]
    assert catalog["column_stats"]["variances"] == [0.25, 0, 0]
    assert (catalog["check"], catalog["sunpos"]) == ([], 0)
    assert catalog["sample"] == ["s1", 43.685, {"ship": "Tara"}]
    assert catalog["sample_stats"] == 1
    assert catalog["update_samples"] == [1, {"ship": "Challenger"}, 403]
    assert catalog["acquisition"] == [True, 1, "uvp6"]
    assert catalog["process"] == ["p1", 1, {"pixel": "5.3"}]
    assert catalog["instruments"] == ["uvp6"]


def test_taxa_are_found_and_made(catalog: Any):
    assert catalog["roots"]
    assert catalog["taxon"] == ["Copepoda", "P", "Copepoda", "living", True]
    assert (catalog["taxa_set"], catalog["short_search"], catalog["usage"]) == (["Copepoda"], [], [1])
    assert catalog["added"] == ["ok", True]
    assert catalog["status"]


def test_project_is_emptied_then_erased(catalog: Any):
    assert (catalog["emptied"], catalog["empty"], catalog["erased"]) == ([4, 0, 4, 4], None, [0, 0, 0, 0])
    assert catalog["constants"] == [True, True]
    assert catalog["up"] == "UP!"


def test_exports_are_asked_for_waited_for_and_fetched(server: Any):
    found = run(server, "exports.py")
    types = {name: (found[name]["type"], found[name]["req"]) for name in ("general", "backup", "summary", "old")}
    assert types == {
        "general": ("GeneralExport", True),
        "backup": ("BackupExport", True),
        "summary": ("SummaryExport", True),
        "old": ("GenExport", True),
    }
    assert found["general"]["names"] == [
        "ecotaxa_s0.tsv", "ecotaxa_s1.tsv", "s0/o0.png", "s0/o2.png", "s1/o1.png", "s1/o3.png", "job_JOB.log",
    ]  # fmt: skip
    assert found["general"]["head"].startswith('"img_file_name"\t"img_rank"\t"object_id"\t"object_lat"')
    assert sorted(found["backup"]["names"]) == [
        "job_JOB.log", "quadrat.jsonl", "s0/ecotaxa_s0.tsv", "s0/o0.png", "s0/o2.png",
        "s1/ecotaxa_s1.tsv", "s1/o1.png", "s1/o3.png",
    ]  # fmt: skip
    assert found["summary"]["text"] == "sampleid\tstatus\ttaxonid\tbiovolume\ns0\t\t\t0.75\ns1\t\t\t1.25\n"
    assert found["summary"]["result"]["rowcount"] == 2
    assert found["old"]["text"].splitlines()[1:] == ["s0\ta0\t\t2", "s1\ta1\t\t2"]
    assert found["without_formulae"]["job_id"] == 0
    assert "total_water_volume" in found["without_formulae"]["errors"][0]
    assert found["unknown_project"] == {"class": "NotFoundException", "status": 404}


@pytest.fixture(scope="module")
def sets(server: Any) -> Any:
    return run(server, "object_sets.py")


def test_filters_take_both_bounds_and_zero(sets: Any):
    everything = list(range(12))
    assert sets["filters"] == {
        "none": everything, "empty": everything, "half_depth": everything, "text_of_sample": everything,
        "from_zero": everything[2:], "to_zero": [0, 1, 2], "zero": [2], "both": [1, 2, 3], "no_column": [],
        "depth_zero": [0], "depth": [0, 1, 2], "map_zero": everything[:6], "samples": everything[1::2],
        "months": [0, 11], "dates": [1, 2], "times": [2, 3], "not_times": [0, 1, 2, 9, 10, 11],
        "text": [1, 10, 11], "text_anchored": [1], "combined": [2, 3, 4, 5], "odd_status": [],
    }  # fmt: skip
    assert sets["counted"]
    assert sets["wrong_filters"] == [422] * 4


def test_windows_hold_the_fields_that_there_are_and_every_object_once(sets: Any):
    assert sets["window"] == [
        [["ø10", 8.0, "Nöte 10_%"], None, "s0", "2014-11-20"], [["ø9", 7.0, "Nöte 9_%"], None, "s1", "2014-10-20"], 12,
    ]  # fmt: skip
    assert sets["past"] == [[], [], 12]
    assert sets["windows"]
    assert sets["wrong_window"] == 422


def test_decisions_and_guesses_follow_the_table_of_states(sets: Any):
    assert sets["steps"] == [4, 0, 2, 1, 0, 6, 2, 1]
    assert sets["states"] == [
        ["V", "a", "annotator", 0.5], ["V", "a", "annotator", 0.5], ["V", "b", "owner", 0.5],
        ["D", "c", "annotator", 0.5], ["P", "a", None, 0.25], ["P", "b", None, 1.0], [None, None, None, None],
    ]  # fmt: skip
    assert sets["lines"] == [1, 1, 0, 1, 1, 1]
    assert sets["line"] == ["V", "a", "owner", "Copepoda", "owner Müller"]
    assert sets["summary"] == [12, 3, 1, 2]
    assert sets["by_status"] == {
        "V": [0, 1, 2], "D": [3], "P": [4, 5], "U": [6, 7, 8, 9, 10, 11], "NV": [3, 4, 5, 6, 7, 8, 9, 10, 11],
        "PV": [0, 1, 2, 4, 5], "PVD": [0, 1, 2, 3, 4, 5], "UP": [4, 5, 6, 7, 8, 9, 10, 11], "VM": [2], "NVM": [0, 1],
    }  # fmt: skip
    assert sets["by_taxon"] == [[0, 1, 3, 4], [2, 5]]
    assert sets["by_author"] == [[0, 1, 2, 3], [2]]
    assert sets["oscore"] == [0, 1, 2, 3, 4]


def test_objects_are_reclassified_reset_and_reverted(sets: Any):
    assert sets["reclassified"] == [2, 0, [["from", "name", "to"]], [2, 3, 5]]
    assert sets["reset"] == [["P", 1.0]] * 4
    assert sets["reverted"] == [[0, 2, 4], 3, ["Appendicularia", "Copepoda"], True, {}, True, True]
    assert sets["reverted_to_nobody"] == 0


def test_five_people_at_once_lose_and_double_nothing(sets: Any):
    assert sets["crowd"] == [True, True, True]


READS = {"query_object_set_parents", "get_object_set", "get_object_set_summary"}
OPEN = {"get_object_set", "get_object_set_summary"}  # a bad token counts as none


def test_operation_without_the_right_is_refused(sets: Any):
    for name in ("annotator", "viewer"):
        assert {call: status for call, status in sets["refused"][name].items() if status != 403} == dict.fromkeys(READS)
    for name in ("stranger", "nobody"):
        assert set(sets["refused"][name].values()) == {403}
    assert sets["refused"]["expired"] == {
        call: 403 if call in OPEN else 401 for call in sets["refused"]["viewer"]
    }  # fmt: skip


def test_nonsense_is_refused_as_the_client_expects(sets: Any):
    missing = {"unknown_object", "update_unknown", "project", "summary_of_nothing", "object"}
    assert sets["nonsense"] == {name: 404 if name in missing else 422 for name in sets["nonsense"]}
    assert len(sets["nonsense"]) == 15


def test_objects_are_corrected_and_erased(sets: Any):
    assert sets["parents"] == [True, True, 1]
    assert sets["updated"] == [2, 0, {"area": 0.0, "note": "größer"}]
    assert sets["erased"] == [[2, 0, 2, 2], [0, 0, 0, 0]]
    assert (sets["left"], sets["gone"]) == (10, [404, []])
