"""Every type of connector against a real server or the best-kept emulator."""

import asyncio
import hmac
import json
import shutil
import tempfile
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx2
import obstore
import psycopg
import pytest
from botocore.session import Session
from obstore.store import AzureStore
from sqlalchemy import make_url

from quadrat.serving.connector_types import ConnectorSpec, ConnectorType
from quadrat.serving.targets import bigquery as bigquery_module
from quadrat.serving.targets import kinesis as kinesis_module
from quadrat.serving.targets.base import Message, MissingExtraError, RefusedError, Target, UnreachableError
from quadrat.serving.targets.places import Places
from quadrat.serving.targets.store import mysql as mysql_module
from quadrat.serving.types import Field, FieldType
from support import servers
from support.places import open_places

pytestmark = pytest.mark.anyio

FIELDS: dict[FieldType, Any] = {
    FieldType.INT: 2**40,
    FieldType.STRING: "ä'\"; DROP TABLE x; %s %(a)s",
    FieldType.DOUBLE: 0.1,
    FieldType.BOOL: True,
    FieldType.TIMESTAMP: "2020-05-12T16:23:15.456812+02:00",
    FieldType.ARRAY_INT: [1, 2],
    FieldType.ARRAY_DOUBLE: [0.5, 1.5],
    FieldType.ARRAY_STRING: ["a", "b"],
}
ODD = 'odd"; `name%'


@dataclass
class Blobs:
    folder: Path
    files: dict[UUID, tuple[str, bytes]] = field(default_factory=dict)

    @asynccontextmanager
    async def fetch(self, blob_id: UUID) -> AsyncIterator[tuple[str, Path]]:
        name, content = self.files[blob_id]
        path = self.folder / "blob"
        path.write_bytes(content)
        yield name, path


@pytest.fixture
async def places() -> AsyncIterator[Places]:
    found = open_places()
    await found.proxy.start()
    yield found
    await found.proxy.stop()


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Short, since paths of sockets are."""
    found = Path(tempfile.mkdtemp(prefix="qt-"))
    yield found
    shutil.rmtree(found, ignore_errors=True)


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path)


def columns(**fields: FieldType) -> tuple[Field, ...]:
    return tuple(Field(name, type_) for name, type_ in fields.items())


def message(**values: Any) -> Message:
    return Message(uuid4(), values)


# PostgreSQL.


@dataclass
class Table:
    """A table of a PostgreSQL database of its own."""

    url: str
    values: dict[str, str]

    def run(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(make_url(self.url).render_as_string(hide_password=False), autocommit=True) as conn:
            cursor = conn.execute(statement.encode())
            return [] if cursor.description is None else cursor.fetchall()


@pytest.fixture
def table(new_database: Any) -> Table:
    url = make_url(new_database())
    host = url.host or url.query["host"]
    values = {
        "username": url.username,
        "password": url.password or "",
        "host": host,
        "port": str(url.port or 5432),
        "database": url.database,
        "schema": "public",
        "table": "t",
    }
    return Table(url.render_as_string(hide_password=False), values)  # type: ignore[arg-type]


async def postgresql(places: Places, at: Table, fields: tuple[Field, ...], **changes: str) -> Target:
    return await places.open(ConnectorSpec(ConnectorType.POSTGRESQL, {**at.values, **changes}, fields), None)  # type: ignore[arg-type]


async def test_postgresql_takes_every_data_type(places: Places, table: Table):
    table.run(
        "CREATE TABLE t (int bigint, string text, double float8, bool boolean, timestamp timestamptz, "
        "array_int int[], array_double float8[], array_string text[])"
    )
    target = await postgresql(places, table, tuple(Field(type_.value, type_) for type_ in FIELDS))
    await target.verify()
    await target.write([Message(uuid4(), {type_.value: value for type_, value in FIELDS.items()})] * 2)
    await target.close()
    first, second = table.run("SELECT * FROM t")
    assert first == second
    *values, _a, _b, _c = first
    assert values[:4] == [FIELDS[type_] for type_ in list(FieldType)[:1]] + list(FIELDS.values())[1:4]
    assert values[4].isoformat() == "2020-05-12T14:23:15.456812+00:00" or values[4].timestamp() == 1589293395.456812
    assert first[5:] == ([1, 2], [0.5, 1.5], ["a", "b"])


async def test_postgresql_writes_anything_into_text_and_json(places: Places, table: Table):
    table.run("CREATE TABLE t (a text, b jsonb, c json, d varchar)")
    fields = columns(a=FieldType.ARRAY_INT, b=FieldType.ARRAY_STRING, c=FieldType.STRING, d=FieldType.DOUBLE)
    target = await postgresql(places, table, fields)
    await target.write([message(a=[1], b=["x"], c="y", d=1.5)])
    await target.close()
    assert table.run("SELECT * FROM t") == [("[1]", ["x"], "y", "1.5")]


async def test_postgresql_quotes_names(places: Places, table: Table):
    quoted = ODD.replace('"', '""')
    table.run(f'CREATE SCHEMA "{quoted}"')
    table.run(f'CREATE TABLE "{quoted}"."{quoted}" ("Select-1" int)')
    target = await postgresql(places, table, (Field("Select-1", FieldType.INT),), schema=ODD, table=ODD)
    await target.write([Message(uuid4(), {"Select-1": 5.0})])
    await target.close()
    assert table.run(f'SELECT * FROM "{quoted}"."{quoted}"') == [(5,)]


async def test_postgresql_names_what_does_not_fit(places: Places, table: Table):
    with pytest.raises(RefusedError, match=r'no table "public"\."t"'):
        await (await postgresql(places, table, columns(a=FieldType.INT))).verify()
    table.run("CREATE TABLE t (a int, b text NOT NULL)")
    with pytest.raises(RefusedError, match="no column c"):
        await (await postgresql(places, table, columns(c=FieldType.INT))).verify()
    with pytest.raises(RefusedError, match=r"column a of table .* is integer and cannot hold string"):
        await (await postgresql(places, table, columns(a=FieldType.STRING))).verify()
    target = await postgresql(places, table, columns(a=FieldType.INT))
    with pytest.raises(RefusedError, match='"b"'):
        await target.write([message(a=1)])
    with pytest.raises(RefusedError, match="out of range"):
        await target.write([message(a=2**40)])
    await target.close()
    assert table.run("SELECT count(*) FROM t") == [(0,)]


async def test_postgresql_with_message_ids_writes_each_message_once(places: Places, table: Table):
    table.run("CREATE TABLE t (a int, quadrat_message_id uuid UNIQUE)")
    target = await postgresql(places, table, columns(a=FieldType.INT))
    first, second = message(a=1), message(a=2)
    await target.write([first])
    await target.write([first, second])
    await target.close()
    assert table.run("SELECT a FROM t ORDER BY a") == [(1,), (2,)]


async def test_postgresql_that_does_not_let_in_is_unreachable(places: Places, table: Table):
    table.run("CREATE TABLE t (a int)")
    for changes in (
        {"password": "wrong"},
        {"database": "none"},
        {"host": "127.0.0.1", "port": str(servers.free_port())},
    ):
        with pytest.raises(UnreachableError) as refused:
            await (await postgresql(places, table, columns(a=FieldType.INT), **changes)).verify()
        assert "wrong" not in str(refused.value)
    denying = open_places(deny_private=True)
    with pytest.raises(RefusedError, match=r"socket|private"):
        await (await postgresql(denying, table, columns(a=FieldType.INT))).verify()


# MySQL, as MariaDB.

needs_mariadb = pytest.mark.skipif(not servers.has("mariadbd"), reason="needs mariadbd (Debian: mariadb-server-core)")


@pytest.fixture(scope="module")
def mariadb(folder: Path) -> Iterator[servers.MariaDb]:
    (folder / "m").mkdir()
    with servers.mariadb(folder / "m") as server:
        yield server


async def mysql(
    places: Places, server: servers.MariaDb, fields: tuple[Field, ...], table: str, **changes: str
) -> Target:
    values = {**server.credentials, "database": "target", "table": table, **changes}
    return await places.open(ConnectorSpec(ConnectorType.MYSQL, values, fields), None)  # type: ignore[arg-type]


@needs_mariadb
async def test_mysql_takes_every_data_type(places: Places, mariadb: servers.MariaDb):
    mariadb.run(
        "CREATE TABLE target.every (`int` bigint, `string` text, `double` double, `bool` tinyint(1), "
        "`timestamp` datetime(6), array_int json, array_double json, array_string text)"
    )
    target = await mysql(places, mariadb, tuple(Field(type_.value, type_) for type_ in FIELDS), "every")
    await target.verify()
    await target.write([Message(uuid4(), {type_.value: value for type_, value in FIELDS.items()})])
    await target.close()
    (row,) = mariadb.run("SELECT * FROM target.every")
    assert row[:4] == (2**40, FIELDS[FieldType.STRING], 0.1, 1)
    assert row[4].isoformat() == "2020-05-12T14:23:15.456812"
    assert [json.loads(value) for value in row[5:]] == [[1, 2], [0.5, 1.5], ["a", "b"]]


@needs_mariadb
async def test_mysql_quotes_names(places: Places, mariadb: servers.MariaDb):
    quoted = ODD.replace("`", "``")
    mariadb.run(f"CREATE TABLE target.`{quoted}` (`a-1` int)")
    target = await mysql(places, mariadb, (Field("a-1", FieldType.INT),), ODD)
    await target.write([Message(uuid4(), {"a-1": 5})])
    await target.close()
    assert mariadb.run(f"SELECT * FROM target.`{quoted}`") == [(5,)]


@needs_mariadb
async def test_mysql_names_what_does_not_fit(places: Places, mariadb: servers.MariaDb):
    with pytest.raises(RefusedError, match="no table none"):
        await (await mysql(places, mariadb, columns(a=FieldType.INT), "none")).verify()
    mariadb.run("CREATE TABLE target.picky (a int, b text NOT NULL)")
    with pytest.raises(RefusedError, match="no column c"):
        await (await mysql(places, mariadb, columns(c=FieldType.INT), "picky")).verify()
    with pytest.raises(RefusedError, match="column a of table picky is int and cannot hold string"):
        await (await mysql(places, mariadb, columns(a=FieldType.STRING), "picky")).verify()
    target = await mysql(places, mariadb, columns(a=FieldType.INT), "picky")
    with pytest.raises(RefusedError, match="'b'"):
        await target.write([message(a=1)])
    await target.close()
    target = await mysql(places, mariadb, columns(a=FieldType.INT, b=FieldType.STRING), "picky")
    with pytest.raises(RefusedError, match="'a'"):
        await target.write([message(a=1, b=""), message(a=2**40, b="")])
    await target.close()
    assert mariadb.run("SELECT count(*) FROM target.picky") == [(0,)]


@needs_mariadb
async def test_mysql_with_message_ids_writes_each_message_once(places: Places, mariadb: servers.MariaDb):
    mariadb.run("CREATE TABLE target.once (a int UNIQUE, quadrat_message_id char(36) UNIQUE)")
    target = await mysql(places, mariadb, columns(a=FieldType.INT), "once")
    first, second = message(a=1), message(a=2)
    await target.write([first])
    await target.write([first, second])
    # Another key of the table still counts.
    with pytest.raises(RefusedError, match="Duplicate"):
        await target.write([message(a=1)])
    await target.close()
    assert mariadb.run("SELECT a FROM target.once ORDER BY a") == [(1,), (2,)]


@needs_mariadb
async def test_mysql_that_does_not_let_in_is_unreachable(places: Places, mariadb: servers.MariaDb):
    for changes in ({"password": "wrong"}, {"port": str(servers.free_port())}):
        with pytest.raises(UnreachableError):
            await (await mysql(places, mariadb, columns(a=FieldType.INT), "every", **changes)).verify()
    with pytest.raises(RefusedError, match="private"):
        await (await mysql(open_places(deny_private=True), mariadb, columns(a=FieldType.INT), "every")).verify()


# Object stores.


@pytest.fixture(scope="module")
def moto(folder: Path) -> Iterator[str]:
    (folder / "aws").mkdir()
    with servers.moto(folder / "aws") as url:
        yield url


def aws(url: str, **values: str) -> dict[str, str]:
    return {"access_key": "AKIA", "secret_key": "s", "region": "eu-central-1", "endpoint": url, **values}


def bucket_of(url: str, name: str) -> obstore.store.S3Store:
    """To look into a bucket past the connector."""
    config = {"endpoint": url, "access_key_id": "AKIA", "secret_access_key": "s", "region": "eu-central-1"}
    return obstore.store.S3Store(name, config=config, client_options={"allow_http": True})


async def check_objects(places: Places, blobs: Blobs, spec: ConnectorSpec, missing: dict[str, str]) -> None:
    """Verified, written under prefix and name, written again; and a bucket that is not there."""
    target = await places.open(spec, blobs)
    await target.verify()
    first, second = uuid4(), uuid4()
    blobs.files = {first: ("a b.png", b"one"), second: ("ä.bin", bytes(range(256)) * 40_000)}
    messages = [message(blob=str(first)), message(blob=str(second))]
    await target.write(messages)
    await target.write(messages)
    nowhere = await places.open(ConnectorSpec(spec.type, {**spec.values, **missing}, spec.fields), blobs)
    with pytest.raises(RefusedError, match="does not exist"):
        await nowhere.verify()
    denying = open_places(deny_private=True)
    await denying.proxy.start()
    with pytest.raises(UnreachableError, match="private"):
        await (await denying.open(spec, blobs)).verify()
    await denying.proxy.stop()


async def test_s3_gets_files_under_prefix_and_name(places: Places, blobs: Blobs, moto: str):
    store = bucket_of(moto, "my-bucket")
    assert httpx2.put(f"{moto}/my-bucket").status_code == 200
    spec = ConnectorSpec(ConnectorType.AWS_S3, aws(moto, bucket="my-bucket", path_prefix="/some/folder/"))
    await check_objects(places, blobs, spec, {"bucket": "no-such-bucket"})
    names = [item["path"] for item in obstore.list(store).collect()]
    assert sorted(names) == ["some/folder/a b.png", "some/folder/ä.bin"]
    assert bytes(obstore.get(store, "some/folder/a b.png").bytes()) == b"one"


async def test_s3_credentials_alone_are_tried(places: Places, moto: str):
    """They name no bucket, so the service is asked about one that nobody has."""

    async def verify(**changes: str) -> None:
        spec = ConnectorSpec(ConnectorType.AWS_S3, {**aws(moto), **changes})
        await (await places.open(spec, None)).verify()  # type: ignore[arg-type]

    iam = Session().create_client(
        "iam", region_name="eu-central-1", endpoint_url=moto, aws_access_key_id="AKIA", aws_secret_access_key="s"
    )
    iam.create_user(UserName="writer")
    made = iam.create_access_key(UserName="writer")["AccessKey"]
    keys = {"access_key": made["AccessKeyId"], "secret_key": made["SecretAccessKey"]}
    httpx2.post(f"{moto}/moto-api/reset-auth", content="0")
    try:
        # Whoever may not list buckets can still write into one.
        await verify(**keys)
        with pytest.raises(UnreachableError, match=r"refuses the credentials: .*\(InvalidAccessKeyId\)"):
            await verify()
        with pytest.raises(UnreachableError, match=r"\(SignatureDoesNotMatch\)") as refused:
            await verify(**{**keys, "secret_key": "wrong"})
        assert "wrong" not in str(refused.value)
    finally:
        httpx2.post(f"{moto}/moto-api/reset-auth", content="inf")
    await verify()
    with pytest.raises(UnreachableError, match="No connection"):
        await verify(endpoint=f"http://127.0.0.1:{servers.free_port()}")


async def test_endpoint_that_leads_elsewhere_does_not_lead_past_the_guard(places: Places):
    """A service that may be reached sends who comes to it to an address that may not, behind which somebody listens."""
    came: list[bytes] = []
    inside_came: list[bytes] = []

    async def inside(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inside_came.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    async def outside(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(await reader.readuntil(b"\r\n\r\n"))
        location = f"Location: http://0.0.0.0:{port_of(hidden)}/secrets\r\n"
        writer.write(f"HTTP/1.1 307 Moved\r\n{location}Content-Length: 0\r\nConnection: close\r\n\r\n".encode())
        writer.close()

    def port_of(server: asyncio.Server) -> int:
        return int(server.sockets[0].getsockname()[1])

    async with (
        await asyncio.start_server(inside, "127.0.0.1", 0) as hidden,
        await asyncio.start_server(outside, "127.0.0.1", 0) as open_one,
    ):
        endpoint = f"http://127.0.0.1:{port_of(open_one)}"
        key = {"json_key_file": servers.BigQuery(url=endpoint).key_file(), "dataset": "d", "table": "t"}
        for spec in (
            ConnectorSpec(ConnectorType.AWS_S3, aws(endpoint, bucket="b")),
            ConnectorSpec(ConnectorType.GCP_BIGQUERY, {**key, "endpoint": endpoint}, columns(a=FieldType.INT)),
        ):
            came.clear()
            with pytest.raises((UnreachableError, RefusedError)):
                await (await places.open(spec, None)).verify()  # type: ignore[arg-type]
            assert (bool(came), inside_came) == (True, [])
        # That of S3 follows nobody; that of BigQuery does, and is stopped.
        assert "reserved" in places.proxy.refusals["0.0.0.0"]


async def test_google_storage_gets_files(places: Places, blobs: Blobs, moto: str):
    """No emulator in the registries speaks the XML interface; it is that of S3 but for the credential."""
    assert httpx2.put(f"{moto}/googlebucket").status_code == 200
    key = servers.BigQuery(url=moto).key_file()
    values = {"json_key_file": key, "endpoint": moto, "bucket": "googlebucket", "path_prefix": "p"}
    spec = ConnectorSpec(ConnectorType.GCP_CLOUD_STORAGE, values)
    await check_objects(places, blobs, spec, {"bucket": "no-such-bucket"})
    store = bucket_of(moto, "googlebucket")
    assert sorted(item["path"] for item in obstore.list(store).collect()) == ["p/a b.png", "p/ä.bin"]
    assert bytes(obstore.get(store, "p/a b.png").bytes()) == b"one"
    with pytest.raises(RefusedError, match="key file"):
        await (await places.open(ConnectorSpec(spec.type, {**values, "json_key_file": "{}"}), blobs)).verify()
    alone = {"json_key_file": key, "endpoint": moto}
    await (await places.open(ConnectorSpec(spec.type, alone), blobs)).verify()
    with pytest.raises(UnreachableError, match="No connection"):
        nobody = {**alone, "endpoint": f"http://127.0.0.1:{servers.free_port()}"}
        await (await places.open(ConnectorSpec(spec.type, nobody), blobs)).verify()


@pytest.mark.skipif(not servers.has("azurite-blob"), reason="needs azurite (npm: azurite)")
async def test_azure_gets_files(places: Places, blobs: Blobs, folder: Path):
    (folder / "azure").mkdir()
    with servers.azurite(folder / "azure") as connection:
        values = {"connection_string": connection, "container": "my-container"}
        await make_container(connection)
        spec = ConnectorSpec(ConnectorType.AZURE_BLOB_STORAGE, values)
        await check_objects(places, blobs, spec, {"container": "no-such-container"})
        parts = dict(part.split("=", 1) for part in connection.strip(";").split(";"))
        store = AzureStore(
            "my-container",
            config={
                "account_name": parts["AccountName"],
                "account_key": parts["AccountKey"],
                "endpoint": parts["BlobEndpoint"],
            },
            client_options={"allow_http": True},
        )
        assert sorted(item["path"] for item in obstore.list(store).collect()) == ["a b.png", "ä.bin"]
        await (await places.open(ConnectorSpec(spec.type, {"connection_string": connection}), blobs)).verify()
        wrong = connection.replace("AccountKey=Eb", "AccountKey=Ab")
        with pytest.raises(UnreachableError, match="refuses the credentials: Server failed to authenticate"):
            await (await places.open(ConnectorSpec(spec.type, {"connection_string": wrong}), blobs)).verify()


async def make_container(connection: str) -> None:
    """With a signature of the shared key, as the service's manual describes it."""
    parts = dict(part.split("=", 1) for part in connection.strip(";").split(";"))
    account, date = parts["AccountName"], formatdate(usegmt=True)
    headers = f"x-ms-date:{date}\nx-ms-version:2021-08-06"
    resource = f"/{account}/{account}/my-container\nrestype:container"
    text = "\n".join(["PUT", *[""] * 11, headers, resource])
    signature = b64encode(hmac.digest(b64decode(parts["AccountKey"]), text.encode(), "sha256")).decode()
    async with httpx2.AsyncClient() as client:
        made = await client.put(
            f"{parts['BlobEndpoint']}/my-container?restype=container",
            headers={
                "x-ms-date": date,
                "x-ms-version": "2021-08-06",
                "Authorization": f"SharedKey {account}:{signature}",
                "Content-Length": "0",
            },
        )
    assert made.status_code == 201, made.text


# Kinesis.


async def test_kinesis_gets_records(places: Places, moto: str):
    client = Session().create_client(
        "kinesis",
        region_name="eu-central-1",
        endpoint_url=moto,
        aws_access_key_id="AKIA",
        aws_secret_access_key="s",
    )
    client.create_stream(StreamName="s", ShardCount=1)
    fields = columns(a=FieldType.INT, b=FieldType.STRING)
    target = await places.open(ConnectorSpec(ConnectorType.AWS_KINESIS, aws(moto, stream="s"), fields), None)  # type: ignore[arg-type]
    await target.verify()
    sent = [message(a=number, b="ä") for number in range(1200)]
    await target.write(sent)
    await target.close()
    shard = client.list_shards(StreamName="s")["Shards"][0]["ShardId"]
    at = client.get_shard_iterator(StreamName="s", ShardId=shard, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
    got = client.get_records(ShardIterator=at, Limit=10_000)["Records"]
    assert [json.loads(record["Data"]) for record in got] == [{"a": number, "b": "ä"} for number in range(1200)]
    assert [record["PartitionKey"] for record in got] == [str(item.id) for item in sent]
    nowhere = await places.open(ConnectorSpec(ConnectorType.AWS_KINESIS, aws(moto, stream="none"), fields), None)  # type: ignore[arg-type]
    with pytest.raises(RefusedError, match="none"):
        await nowhere.verify()
    with pytest.raises(RefusedError, match="bytes"):
        await target.write([message(a=1, b="x" * 2**20)])
    denying = open_places(deny_private=True)
    await denying.proxy.start()
    with pytest.raises(UnreachableError, match="private"):
        spec = ConnectorSpec(ConnectorType.AWS_KINESIS, aws(moto, stream="s"), fields)
        await (await denying.open(spec, None)).verify()  # type: ignore[arg-type]
    await denying.proxy.stop()


# BigQuery.


async def test_bigquery_gets_rows(places: Places):
    with servers.bigquery() as server:
        at = "/projects/p/datasets/d/tables/t"
        server.columns[at] = [{"name": "a", "type": "INTEGER"}, {"name": "b", "type": "STRING", "mode": "REPEATED"}]
        values = {"json_key_file": server.key_file(), "endpoint": server.url, "dataset": "d", "table": "t"}
        fields = columns(a=FieldType.INT, b=FieldType.ARRAY_STRING)
        spec = ConnectorSpec(ConnectorType.GCP_BIGQUERY, values, fields)
        target = await places.open(spec, None)  # type: ignore[arg-type]
        await target.verify()
        messages = [message(a=number, b=["x"]) for number in range(3)]
        await target.write(messages)
        await target.write(messages[:1])
        assert list(server.rows[at].values()) == [{"a": number, "b": ["x"]} for number in range(3)]
        with pytest.raises(RefusedError, match="column a"):
            await target.write([message(a=2**70, b=[])])
        server.failures.append(503)
        with pytest.raises(UnreachableError):
            await target.write(messages)
        for changes, fields_ in (
            ({"table": "u"}, fields),
            ({}, columns(c=FieldType.INT)),
            ({}, columns(b=FieldType.STRING)),
        ):
            bad = ConnectorSpec(ConnectorType.GCP_BIGQUERY, {**values, **changes}, fields_)
            with pytest.raises(RefusedError):
                await (await places.open(bad, None)).verify()  # type: ignore[arg-type]
        nonsense = ConnectorSpec(ConnectorType.GCP_BIGQUERY, {**values, "json_key_file": "{}"}, fields)
        with pytest.raises(RefusedError, match="key file"):
            await (await places.open(nonsense, None)).verify()  # type: ignore[arg-type]
        denying = open_places(deny_private=True)
        await denying.proxy.start()
        with pytest.raises(UnreachableError):
            await (await denying.open(spec, None)).verify()  # type: ignore[arg-type]
        await denying.proxy.stop()


@pytest.mark.parametrize(
    ("module", "name", "type_", "extra"),
    [
        (mysql_module, "pymysql", ConnectorType.MYSQL, "mysql"),
        (kinesis_module, "session", ConnectorType.AWS_KINESIS, "aws"),
        (bigquery_module, "bigquery", ConnectorType.GCP_BIGQUERY, "gcp"),
    ],
)
async def test_missing_library_is_said(
    monkeypatch: pytest.MonkeyPatch, module: Any, name: str, type_: ConnectorType, extra: str
):
    monkeypatch.setattr(module, name, None)
    with pytest.raises(MissingExtraError, match=rf"quadrat\[{extra}\]"):
        await open_places().open(ConnectorSpec(type_, aws("")), None)  # type: ignore[arg-type]
