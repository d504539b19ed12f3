"""Messages on their way from pipelines to connectors: gathered, tried again, given up, and never lost."""

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import obstore
import psycopg
import pytest
from sqlalchemy import make_url, text

from quadrat.db.embedded import EmbeddedPostgres
from quadrat.errors import QuadratError
from quadrat.serving.actions import connectors, graphs
from quadrat.serving.actions.connectors import ConnectorChange
from quadrat.serving.actions.graphs import NewObject
from quadrat.serving.actions.pipelines import PipelinePath
from quadrat.serving.connector_types import Connector, Verification
from quadrat.serving.flow.courier import CourierTiming
from quadrat.serving.pipeline_types import START
from quadrat.serving.types import Field, FieldType, RequestState
from support import servers
from support.flow import NUMBER, Builder, Flow, run_flow
from support.house import SEALER
from support.serving import ServingHouse

pytestmark = pytest.mark.anyio


@dataclass
class Target:
    """A PostgreSQL of its own, that can go away and come back."""

    server: EmbeddedPostgres

    @property
    def credentials(self) -> dict[str, str]:
        url = make_url(self.server.url)
        return {
            "username": url.username or "",
            "password": url.password or "",
            "host": str(url.query["host"]),
            "port": str(url.port or 5432),
        }

    @property
    def configuration(self) -> dict[str, str]:
        return {"database": make_url(self.server.url).database or "", "table": "t"}

    def run(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.server.url, autocommit=True) as conn:
            cursor = conn.execute(statement.encode())
            return [] if cursor.description is None else cursor.fetchall()


@pytest.fixture(scope="module")
def target_server() -> Iterator[EmbeddedPostgres]:
    folder = Path(tempfile.mkdtemp(prefix="qt-"))
    server = EmbeddedPostgres(folder)
    server.start()
    yield server
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def target(target_server: EmbeddedPostgres) -> Target:
    found = Target(target_server)
    found.run("DROP TABLE IF EXISTS t")
    return found


@pytest.fixture
async def flow(serving: ServingHouse) -> AsyncIterator[Flow]:
    async with run_flow(serving) as running:
        yield running


@pytest.fixture
def build(serving: ServingHouse) -> Builder:
    return Builder(serving)


async def into(build: Builder, connector: Connector) -> PipelinePath:
    """A pipeline whose input is written as it comes."""
    path = await build.pipeline(NUMBER)
    await build.add_connector(path, "sink", connector)
    await build.attach(path, START, "sink", "number")
    return path


async def verified(serving: ServingHouse, connector: Connector) -> Connector:
    async def look() -> Connector | None:
        async with serving.db.begin() as tx:
            at = serving.project.name
            _, found = await connectors.get_connector(tx, serving.caller, at, connector.name)
        return None if found.status is Verification.PENDING else found

    result: Connector = await serving.until(look)
    return result


async def log_lines(serving: ServingHouse, like: str) -> list[str]:
    async with serving.db.begin() as tx:
        query = text("SELECT text FROM serving.log WHERE text LIKE :like ORDER BY id")
        return list((await tx.execute(query, {"like": like})).scalars())


async def waiting(serving: ServingHouse) -> int:
    async with serving.db.begin() as tx:
        return int((await tx.execute(text("SELECT count(*) FROM serving.delivery"))).scalar_one())


async def test_connector_is_verified_by_connecting(serving: ServingHouse, build: Builder, target: Target):
    target.run("CREATE TABLE t (number float8)")
    good = await build.connector("postgresql", target.credentials, target.configuration, NUMBER)
    found = await verified(serving, good)
    assert (found.status, found.error_message) == (Verification.AVAILABLE, "")
    bad = await build.connector("postgresql", target.credentials, target.configuration, {"other": FieldType.INT})
    found = await verified(serving, bad)
    assert found.status is Verification.FAILED
    assert "no column other" in found.error_message
    async with serving.db.begin() as tx:
        at, change = serving.project.name, ConnectorChange(None, None, {"table": "none"}, None)
        _, changed = await connectors.update_connector(tx, serving.caller, at, good.name, change)
    assert changed.status is Verification.PENDING
    assert "no table" in (await verified(serving, good)).error_message


async def test_credentials_are_verified_and_verify_their_connectors_again(
    serving: ServingHouse, build: Builder, target: Target
):
    target.run("CREATE TABLE t (number float8)")
    connector = await build.connector("postgresql", target.credentials, target.configuration, NUMBER)
    await verified(serving, connector)
    at = (serving.project.name, connector.credentials_name)
    async with serving.db.begin() as tx:
        await connectors.update_credentials(tx, serving.caller, at, SEALER, (None, {"password": "wrong"}))

    async def failed() -> bool:
        async with serving.db.begin() as tx:
            _, credentials = await connectors.get_credentials(tx, serving.caller, *at)
        return credentials.status is Verification.FAILED and "password" in credentials.error_message

    await serving.until(failed)
    found = await verified(serving, connector)
    assert found.status is Verification.FAILED
    assert "wrong" not in found.error_message


async def test_changes_of_connectors_credentials_and_pipelines_do_not_wait_for_each_other_in_a_ring(
    serving: ServingHouse, build: Builder, target: Target
):
    connector = await build.connector("postgresql", target.credentials, target.configuration, NUMBER)
    path = await into(build, connector)
    at = (serving.project.name, connector.credentials_name)
    begun = asyncio.Barrier(3)

    async def change_fields(number: int) -> None:
        async with serving.db.begin() as tx:
            await begun.wait()
            fields = [Field("number", FieldType.DOUBLE), *([Field("more", FieldType.INT)] if number % 2 else [])]
            change = ConnectorChange(None, connector.credentials_name, None, fields)
            with suppress(QuadratError):  # the pipeline maps no second field
                async with tx.begin_nested():
                    await connectors.update_connector(tx, serving.caller, at[0], connector.name, change)

    async def add_object(number: int) -> None:
        async with serving.db.begin() as tx:
            await begun.wait()
            new = NewObject(f"more-{number}", "connector", connector.name, None)
            await graphs.create_object(tx, serving.caller, path, new)

    async def change_password(number: int) -> None:
        async with serving.db.begin() as tx:
            await begun.wait()
            change = (None, {"password": f"other-{number}"})
            await connectors.update_credentials(tx, serving.caller, at, SEALER, change)

    for number in range(8):
        await asyncio.gather(change_fields(number), add_object(number), change_password(number))


async def test_direct_request_is_answered_when_its_row_is_written(
    serving: ServingHouse, flow: Flow, build: Builder, target: Target
):
    target.run("CREATE TABLE t (number float8)")
    connector = await build.connector("postgresql", target.credentials, target.configuration, NUMBER)
    path = await into(build, connector)
    assert await flow.ask(path, {"number": 1.5}) == []
    assert target.run("SELECT * FROM t") == [(1.5,)]
    assert await waiting(serving) == 0


async def test_messages_are_gathered_under_load(serving: ServingHouse, flow: Flow, build: Builder, target: Target):
    target.run("CREATE TABLE t (number float8, transaction text DEFAULT pg_current_xact_id()::text)")
    connector = await build.connector("postgresql", target.credentials, target.configuration, NUMBER)
    path = await into(build, connector)
    found = await build.finished(path, await build.submit(path, *({"number": n} for n in range(300))))
    assert {item.state for item in found} == {RequestState.COMPLETED}
    assert target.run("SELECT count(*), count(DISTINCT number) FROM t") == [(300, 300)]
    ((transactions,),) = target.run("SELECT count(DISTINCT transaction) FROM t")
    assert transactions < 100


async def test_place_that_answers_nonsense_fails_verification_and_is_tried_again_with_pauses(
    serving: ServingHouse, flow: Flow, build: Builder
):
    """Google's library raises what it does not promise when a token is no token."""
    came = []

    async def nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\n"text"')
        writer.close()

    async with await asyncio.start_server(nonsense, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        key = {"json_key_file": servers.BigQuery(url=url).key_file(), "endpoint": url}
        connector = await build.connector("gcp_bigquery", key, {"dataset": "d", "table": "t"}, NUMBER)
        found = await verified(serving, connector)
        assert found.status is Verification.FAILED
        assert "library of the connector failed" in found.error_message
        assert await flow.ask(await into(build, connector), {"number": 1}) == []

        async def put_off() -> list[str]:
            return await log_lines(serving, "Not written, tried again in 0.4 s%library of the connector%")

        assert await serving.until(put_off)
    assert len(came) >= 3


async def test_row_that_is_refused_is_given_up_alone_and_named(
    serving: ServingHouse, flow: Flow, build: Builder, target: Target
):
    target.run("CREATE TABLE t (number float8 CHECK (number <> 7))")
    connector = await build.connector("postgresql", target.credentials, target.configuration, NUMBER)
    path = await into(build, connector)
    found = await build.finished(path, await build.submit(path, *({"number": n} for n in range(20))))
    # The failure of a connector shows in the log, not in the answer.
    assert {item.state for item in found} == {RequestState.COMPLETED}
    assert sorted(target.run("SELECT number::int FROM t")) == [(n,) for n in range(20) if n != 7]

    async def told() -> list[str]:
        return await log_lines(serving, "Given up%")

    (line,) = await serving.until(told)
    assert "t_number_check" in line
    assert 'Data: {"number":7}' in line
    assert await waiting(serving) == 0


async def test_message_is_given_up_after_its_time(serving: ServingHouse, build: Builder, target: Target):
    credentials = {**target.credentials, "host": "127.0.0.1", "port": str(servers.free_port())}
    connector = await build.connector("postgresql", credentials, target.configuration, NUMBER)
    path = await into(build, connector)
    timing = CourierTiming(lease_s=2, renew_s=0.2, first_pause_s=0.1, longest_pause_s=0.2, give_up_s=0.5, retry_s=0.1)
    async with run_flow(serving, courier_timing=timing) as flow:
        # The request does not wait for more than the first attempt.
        assert await flow.ask(path, {"number": 1}) == []

        async def told() -> list[str]:
            return await log_lines(serving, "Given up%")

        assert len(await serving.until(told)) == 1
        assert len(await log_lines(serving, "Not written, tried again%")) >= 2
    assert await waiting(serving) == 0


async def test_message_of_a_lost_server_is_brought_by_the_next(serving: ServingHouse, build: Builder, target: Target):
    """Accepted under the lease of an engine that is gone."""
    target.run("CREATE TABLE t (number float8)")
    connector = await build.connector("postgresql", target.credentials, target.configuration, NUMBER)
    async with serving.db.begin() as tx:
        statement = text(
            "INSERT INTO serving.delivery"
            " (id, connector_id, object_name, pipeline_request_id, data, lease_owner, due_at)"
            " VALUES (gen_random_uuid(), :to, 'sink', gen_random_uuid(), :data, gen_random_uuid(),"
            " now() + interval '1 second')"
        )
        await tx.execute(statement, {"to": connector.id, "data": b'{"number": 2.5}'})
    async with run_flow(serving):

        async def arrived() -> bool:
            return target.run("SELECT * FROM t") == [(2.5,)]

        await serving.until(arrived)

        async def forgotten() -> bool:
            return await waiting(serving) == 0

        await serving.until(forgotten)


async def test_what_has_arrived_is_not_brought_again_because_its_row_could_not_be_removed(
    serving: ServingHouse, flow: Flow, build: Builder, target: Target
):
    target.run("CREATE TABLE t (number float8)")
    connector = await build.connector("postgresql", target.credentials, target.configuration, NUMBER)
    path = await into(build, connector)
    # The number of a sequence stays taken when its transaction is rolled back: the first three removals fail.
    async with serving.db.begin() as tx:
        await tx.execute(text("CREATE SEQUENCE serving.removal"))
        await tx.execute(
            text(
                "CREATE FUNCTION serving.refuse_removal() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                " IF nextval('serving.removal') <= 3 THEN RAISE SQLSTATE '40P01'; END IF; RETURN NULL; END $$"
            )
        )
        await tx.execute(
            text(
                "CREATE TRIGGER refuse_removal AFTER DELETE ON serving.delivery"
                " EXECUTE FUNCTION serving.refuse_removal()"
            )
        )
    try:
        assert await flow.ask(path, {"number": 1}) == []
        assert await flow.ask(path, {"number": 2}) == []
        assert await waiting(serving) == 0
    finally:
        async with serving.db.begin() as tx:
            await tx.execute(text("DROP FUNCTION serving.refuse_removal CASCADE"))
            await tx.execute(text("DROP SEQUENCE serving.removal"))
    assert sorted(target.run("SELECT number::int FROM t")) == [(1,), (2,)]


async def outage(
    serving: ServingHouse, build: Builder, path: PipelinePath, go_away: Any, come_back: Any, count: Any
) -> None:
    """1,000 messages; the server is gone in the middle of them, and comes back."""
    ids = await build.submit(path, *({"number": n} for n in range(1000)))

    async def some() -> bool:
        return bool(await asyncio.to_thread(count) > 20)

    await serving.until(some)
    await asyncio.to_thread(go_away)
    found = await build.finished(path, ids)
    assert {item.state for item in found} == {RequestState.COMPLETED}
    await asyncio.to_thread(come_back)

    async def forgotten() -> bool:
        return await waiting(serving) == 0

    await serving.until(forgotten)


async def test_postgresql_that_goes_away_and_comes_back_has_each_row_once(
    serving: ServingHouse, build: Builder, target: Target, target_server: EmbeddedPostgres
):
    target.run("CREATE TABLE t (number float8, quadrat_message_id uuid PRIMARY KEY)")
    connector = await build.connector("postgresql", target.credentials, target.configuration, NUMBER)
    path = await into(build, connector)
    timing = CourierTiming(lease_s=5, renew_s=0.3, first_pause_s=0.2, longest_pause_s=0.5, most_at_a_time=20)
    async with run_flow(serving, courier_timing=timing):

        def count() -> int:
            return int(target.run("SELECT count(*) FROM t")[0][0])

        await outage(serving, build, path, lambda: kill(target_server), target_server.start, count)
    assert sorted(target.run("SELECT number::int FROM t")) == [(n,) for n in range(1000)]


@pytest.mark.slow
@pytest.mark.skipif(not servers.has("mariadbd"), reason="needs mariadbd (Debian: mariadb-server-core)")
async def test_mysql_that_goes_away_and_comes_back_has_each_row_once(
    serving: ServingHouse, build: Builder, tmp_path: Path
):
    folder = Path(tempfile.mkdtemp(prefix="qm-"))
    with servers.mariadb(folder) as server:
        server.run("CREATE TABLE target.t (number double, quadrat_message_id char(36) PRIMARY KEY)")
        configuration = {"database": "target", "table": "t"}
        connector = await build.connector("mysql", server.credentials, configuration, NUMBER)
        path = await into(build, connector)
        timing = CourierTiming(lease_s=5, renew_s=0.3, first_pause_s=0.2, longest_pause_s=0.5, most_at_a_time=20)
        async with run_flow(serving, courier_timing=timing):

            def count() -> int:
                return int(server.run("SELECT count(*) FROM target.t")[0][0])

            await outage(serving, build, path, server.kill, server.start, count)
        rows = server.run("SELECT CAST(number AS SIGNED) FROM target.t ORDER BY number")
        assert rows == [(n,) for n in range(1000)]
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.slow
async def test_table_without_message_ids_has_each_row_at_least_once(
    serving: ServingHouse, build: Builder, target: Target, target_server: EmbeddedPostgres
):
    target.run("CREATE TABLE t (number float8)")
    connector = await build.connector("postgresql", target.credentials, target.configuration, NUMBER)
    path = await into(build, connector)
    timing = CourierTiming(lease_s=5, renew_s=0.3, first_pause_s=0.2, longest_pause_s=0.5, most_at_a_time=20)
    async with run_flow(serving, courier_timing=timing):

        def count() -> int:
            return int(target.run("SELECT count(*) FROM t")[0][0])

        await outage(serving, build, path, lambda: kill(target_server), target_server.start, count)
    # Only the write that was cut off may be there twice.
    assert {n for (n,) in target.run("SELECT number::int FROM t")} == set(range(1000))
    assert target.run("SELECT count(*) FROM t")[0][0] <= 1020


def kill(server: EmbeddedPostgres) -> None:
    """As when its machine is gone."""
    pid = int((server._cluster / "postmaster.pid").read_text().splitlines()[0])
    os.kill(pid, signal.SIGQUIT)
    while server.is_running():
        continue


async def test_blob_connector_gets_the_file_of_a_blob(serving: ServingHouse, flow: Flow, build: Builder):
    folder = Path(tempfile.mkdtemp(prefix="qs-"))
    with servers.moto(folder) as url:
        assert httpx2.put(f"{url}/pictures").status_code == 200
        credentials = {"access_key": "A", "secret_key": "s", "region": "eu-central-1", "endpoint": url}
        connector = await build.connector("aws_s3", credentials, {"bucket": "pictures", "path_prefix": "in"})
        blob = await flow.engine.files.add_blob(serving.project.id, "a picture.png", b"PNG")
        path = await build.pipeline({"picture": FieldType.BLOB})
        await build.add_connector(path, "sink", connector)
        await build.attach(path, START, "sink")
        assert await flow.ask(path, {"picture": str(blob.id)}) == []
        config = {"endpoint": url, "access_key_id": "A", "secret_access_key": "s", "region": "eu-central-1"}
        store = obstore.store.S3Store("pictures", config=config, client_options={"allow_http": True})
        assert bytes(obstore.get(store, "in/a picture.png").bytes()) == b"PNG"
    shutil.rmtree(folder, ignore_errors=True)
