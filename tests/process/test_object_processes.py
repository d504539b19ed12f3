"""Object sets as several real processes see them: two servers on one database, and commands beside a server."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import pytest

from quadrat.db.embedded import EmbeddedPostgres
from support.archives import archive_of, row
from support.server import ADMIN_TOKEN, Server, quadrat

# Each starts processes that load the whole program.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
Serve = Callable[..., Server]
OBJECTS = 12
TAXA = """taxonID\tparentNameUsageID\tscientificName\ttaxonomicStatus\tacceptedNameUsageID
urn:1\t\tAnimalia of the test\taccepted\t
urn:2\turn:1\tCopepoda of the test\taccepted\t
urn:3\turn:1\tOld name of the test\tunaccepted\turn:2
"""


def api(server: Server, method: str, path: str, body: Any = None) -> Any:
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    answer = httpx2.request(method, f"{server.url}/api{path}", headers=headers, json=body, timeout=60)
    assert answer.status_code == 200, answer.text
    return answer.json()


def taxon(server: Server, name: str) -> int:
    found = api(server, "GET", f"/taxon_set/search?query={quote(name)}")
    return int(next(one["id"] for one in found if one["text"] == name))


def test_change_through_one_server_is_in_the_next_answer_of_the_other(serve: Serve, tmp_path: Path):
    first = serve(tmp_path / "first")
    database = EmbeddedPostgres(tmp_path / "first").url
    second = serve(tmp_path / "second", QUADRAT_DATABASE_URL=database)
    project = api(first, "POST", "/projects/create", {"title": "Two"})
    archive = archive_of(tmp_path / "a.zip", [row(number) for number in range(OBJECTS)])
    owner = ("--project", str(project), "--user", "admin@example.org")
    done = quadrat(tmp_path / "first", "objects", "import", str(archive), *owner)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "12 objects and 12 images added, 0 updates.")
    query, by_taxon = f"/object_set/{project}/query", {"taxo": "", "statusfilter": "V"}
    # Both hold the columns from here on.
    both = [api(server, "POST", query, {})["object_ids"] for server in (first, second)]
    assert both[0] == both[1]
    assert len(both[0]) == OBJECTS
    copepoda, egg = taxon(first, "Copepoda"), taxon(first, "Calanoida")
    for turn in range(20):
        writer, reader = (first, second) if turn % 2 else (second, first)
        chosen = (copepoda, egg)[turn // 2 % 2]
        ids = both[0][: turn % OBJECTS + 1]
        classified = {"target_ids": ids, "classifications": [chosen] * len(ids), "wanted_qualification": "VD"[turn % 2]}
        api(writer, "POST", "/object_set/classify", classified)
        by_taxon = {"taxo": str(chosen), "statusfilter": "VD"[turn % 2]}
        assert set(ids) <= set(api(reader, "POST", query, by_taxon)["object_ids"])
    assert api(first, "DELETE", "/object_set/", both[0][:2])[0] == 2
    assert api(second, "POST", query, {})["object_ids"] == both[0][2:]
    gone = {"target_ids": both[0][:3], "classifications": [egg] * 3, "wanted_qualification": "V"}
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    refused = httpx2.post(f"{second.url}/api/object_set/classify", json=gone, headers=headers, timeout=60)
    assert (refused.status_code, refused.json()["detail"]) == (404, "Object not found")


def test_tree_is_taken_in_from_the_shell_and_found(serve: Serve, tmp_path: Path):
    server = serve()
    path = tmp_path / "taxa.tsv"
    path.write_text(TAXA)
    done = quadrat(server.data_dir, "taxa", "import", str(path), "--under", str(taxon(server, "Metazoa")))
    assert (done.returncode, done.stdout) == (0, "3 taxa added, 0 were there already.\n"), done.stderr
    again = quadrat(server.data_dir, "taxa", "import", str(path))
    assert (again.returncode, again.stdout) == (0, "0 taxa added, 3 were there already.\n"), again.stderr
    found = api(server, "GET", f"/taxon/{taxon(server, 'Copepoda of the test')}")
    assert found["lineage"][:3] == ["Copepoda of the test", "Animalia of the test", "Metazoa"]
    path.write_text(TAXA.replace("urn:1\tCopepoda", "urn:9\tCopepoda").replace("urn:2\t", "urn:7\t", 1))
    refused = quadrat(server.data_dir, "taxa", "import", str(path))
    assert refused.returncode == 1
    assert "parent urn:9" in refused.stderr
    nowhere = quadrat(server.data_dir, "taxa", "import", str(path), "--under", "999999999")
    assert nowhere.returncode == 1
    assert "999999999 does not exist" in nowhere.stderr
