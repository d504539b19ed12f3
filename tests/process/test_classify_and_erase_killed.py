"""A server killed with `kill -9` while objects are classified and erased: each change is whole or absent afterwards."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest

from quadrat.db.embedded import EmbeddedPostgres
from quadrat.db.engine import psycopg_dsn
from support.archives import archive_of, row
from support.server import ADMIN_TOKEN, Server, wait_for

# Each imports objects, and starts a server twice.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
Serve = Callable[..., Server]
OBJECTS = 800
CLIENTS = 4
ANSWERS_AT_KILL = 12
ERASED_AT_ONCE = 40


@dataclass
class House:
    """A server with a project of objects, and a connection to its database that survives it."""

    server: Server
    project: int
    ids: list[int]
    taxa: tuple[int, int]
    db: psycopg.Connection[Any] = field(repr=False)

    def api(self, method: str, path: str, body: Any = None) -> Any:
        answer = httpx2.request(method, f"{self.server.url}/api{path}", headers=headers(), json=body, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def classify(self, ids: list[int], turn: int) -> None:
        self.api("POST", "/object_set/classify", decision(ids, self.taxa[turn % 2]))

    def states(self) -> dict[int, tuple[str, int | None, int]]:
        """State, taxon and number of former states of each object."""
        rows = self.db.execute(
            "SELECT o.id, o.state, o.taxon_id, (SELECT count(*) FROM objects.history h WHERE h.object_id = o.id) "
            "FROM objects.object o WHERE o.project_id = %s",
            (self.project,),
        )
        return {id_: (state, taxon, n_lines) for id_, state, taxon, n_lines in rows}

    def listed(self) -> list[int]:
        return list(self.api("POST", f"/object_set/{self.project}/query", {})["object_ids"])


def in_parts(ids: list[int], size: int) -> list[list[int]]:
    return [ids[start : start + size] for start in range(0, len(ids), size)]


def headers() -> dict[str, str]:
    return {"Authorization": f"Bearer {ADMIN_TOKEN}"}


def decision(ids: list[int], taxon: int) -> dict[str, Any]:
    return {"target_ids": ids, "classifications": [taxon] * len(ids), "wanted_qualification": "V"}


@pytest.fixture
def house(serve: Serve, tmp_path: Path) -> Iterator[House]:
    server = serve(tmp_path / "data")
    url = psycopg_dsn(EmbeddedPostgres(tmp_path / "data").url)
    with psycopg.connect(url, autocommit=True) as db:
        made = House(server, 0, [], (0, 0), db)
        first, second = (
            next(one["id"] for one in made.api("GET", f"/taxon_set/search?query={name}") if one["text"] == name)
            for name in ("Copepoda", "Calanoida")
        )
        made.taxa = (first, second)
        made.project = made.api("POST", "/projects/create", {"title": "Killed"})
        packed = archive_of(tmp_path / "a.zip", [row(number) for number in range(OBJECTS)])
        files = {"file": ("a.zip", packed.read_bytes())}
        sent = httpx2.post(f"{server.url}/api/my_files/", files=files, headers=headers(), timeout=60)
        job = made.api("POST", f"/file_import/{made.project}", {"source_path": sent.json()})["job_id"]
        wait_for(lambda: made.api("GET", f"/jobs/{job}/")["state"] == "F")
        made.ids = made.listed()
        assert len(made.ids) == OBJECTS
        yield made


@contextmanager
def locked(house: House, table: str) -> Iterator[Callable[[], bool]]:
    """Nobody gets at a table meanwhile; gives whether somebody waits for that."""
    with psycopg.connect(house.db.info.dsn, password=house.db.info.password) as conn:
        conn.execute(f"LOCK TABLE objects.{table} IN ACCESS EXCLUSIVE MODE")

        def is_awaited() -> bool:
            waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = %s::regclass"
            row_ = house.db.execute(waiting, (f"objects.{table}",)).fetchone()
            return row_ is not None and row_[0] > 0

        yield is_awaited


def nobody_else_writes(house: House) -> bool:
    """Whether what the killed server had under way has ended in the database, too."""
    others = (
        "SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND application_name = 'quadrat' "
        "AND state <> 'idle'"
    )
    found = house.db.execute(others).fetchone()
    return found is not None and found[0] == 0


def restart(house: House, serve: Serve) -> None:
    house.server.kill()  # and whatever it left behind has ended, once nothing is locked any more
    wait_for(lambda: nobody_else_writes(house))
    house.server = serve(house.server.data_dir)


def test_decisions_of_a_killed_server_are_whole_or_absent_and_leave_one_line_each(house: House, serve: Serve):
    answered = [0] * CLIENTS
    own = in_parts(house.ids, OBJECTS // CLIENTS)

    def work(number: int) -> None:
        # Decides on all its objects again and again, until there is nobody to answer.
        try:
            while True:
                house.classify(own[number], answered[number])
                answered[number] += 1
        except httpx2.HTTPError:
            pass

    threads = [threading.Thread(target=work, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    wait_for(lambda: sum(answered) >= ANSWERS_AT_KILL)
    house.server.process.kill()
    for thread in threads:
        thread.join()
    restart(house, serve)
    states = house.states()
    for number, ids in enumerate(own):
        found = {states[id_] for id_ in ids}
        assert len(found) == 1, "a change was made in part"
        state, taxon, n_lines = found.pop()
        # What was answered has been done; what was under way may have been. The first decision ended no state.
        n_done = n_lines + (state == "V")
        assert n_done in (answered[number], answered[number] + 1)
        assert (state, taxon) == (("V", house.taxa[(n_done - 1) % 2]) if n_done else ("U", None))
    assert house.api("GET", f"/projects/{house.project}/check") == []
    # The next decision finds all as it was left.
    house.classify(house.ids, 0)
    assert {state[:2] for state in house.states().values()} == {("V", house.taxa[0])}


@pytest.mark.parametrize("table", ["history", "project_taxon"])
def test_decision_that_was_under_way_when_the_server_was_killed_has_not_happened(
    house: House, serve: Serve, table: str
):
    house.classify(house.ids, 0)
    before = house.states()
    with locked(house, table) as is_awaited:
        thread = threading.Thread(
            target=unanswered, args=(house, "POST", "classify", decision(house.ids, house.taxa[1]))
        )
        thread.start()
        wait_for(is_awaited)
        house.server.process.kill()
        thread.join()
    restart(house, serve)
    assert house.states() == before
    assert house.api("GET", f"/projects/{house.project}/check") == []


def test_erasures_of_a_killed_server_are_whole_or_absent_and_their_bytes_go(house: House, serve: Serve):
    house.classify(house.ids, 0)
    house.classify(house.ids, 1)
    parts = in_parts(house.ids, ERASED_AT_ONCE)
    answered: list[list[int]] = []

    def work() -> None:
        try:
            for part in parts:
                house.api("DELETE", "/object_set/", part)
                answered.append(part)
        except httpx2.HTTPError:
            pass

    thread = threading.Thread(target=work)
    thread.start()
    wait_for(lambda: len(answered) >= len(parts) // 4)
    house.server.process.kill()
    thread.join()
    assert len(answered) < len(parts), "all was over before the server was killed"
    restart(house, serve)
    left = house.states()
    whole = {tuple(part) for part in parts if all(id_ in left for id_ in part)}
    absent = {tuple(part) for part in parts if not any(id_ in left for id_ in part)}
    assert len(whole) + len(absent) == len(parts), "a part was erased in part"
    assert {tuple(part) for part in answered} <= absent
    assert len(absent) - len(answered) in (0, 1)
    assert set(left.values()) == {("V", house.taxa[1], 1)}
    assert house.listed() == sorted(left)
    orphans = (
        "SELECT count(*) FROM objects.history h WHERE NOT EXISTS (SELECT FROM objects.object o WHERE o.id = object_id)"
    )
    assert house.db.execute(orphans).fetchone() == (0,)
    assert house.api("GET", f"/projects/{house.project}/check") == []
    folder = house.server.data_dir / "store" / "objects" / str(house.project) / "images"
    wait_for(lambda: len(list(folder.iterdir())) == len(left))


def test_erasure_that_was_under_way_when_the_server_was_killed_has_not_happened(house: House, serve: Serve):
    house.classify(house.ids, 0)
    before = house.states()
    with locked(house, "image") as is_awaited:
        thread = threading.Thread(target=unanswered, args=(house, "DELETE", "", house.ids[:500]))
        thread.start()
        wait_for(is_awaited)
        house.server.process.kill()
        thread.join()
    restart(house, serve)
    assert house.states() == before
    assert house.listed() == house.ids
    assert house.api("GET", f"/projects/{house.project}/check") == []


def unanswered(house: House, method: str, name: str, body: Any) -> None:
    with pytest.raises(httpx2.HTTPError):
        house.api(method, f"/object_set/{name}", body)
