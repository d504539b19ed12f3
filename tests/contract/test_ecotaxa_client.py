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
