"""Rows into a table of MySQL or MariaDB."""

import asyncio
import json
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from quadrat.serving.connector_types import MESSAGE_ID_COLUMN, ConnectorSpec
from quadrat.serving.rules.connectors import cut_error
from quadrat.serving.targets.base import (
    CONNECT_S,
    WRITE_S,
    Message,
    MissingExtraError,
    RefusedError,
    UnreachableError,
)
from quadrat.serving.targets.guard import Guard
from quadrat.serving.types import FieldType

try:
    import pymysql
except ImportError:  # the extra is not installed
    pymysql = None

_COLUMNS = """
SELECT c.COLUMN_NAME, c.DATA_TYPE, EXISTS (
    SELECT 1 FROM information_schema.STATISTICS s
    WHERE s.TABLE_SCHEMA = c.TABLE_SCHEMA AND s.TABLE_NAME = c.TABLE_NAME AND s.COLUMN_NAME = c.COLUMN_NAME
      AND s.NON_UNIQUE = 0 AND s.INDEX_NAME NOT IN (
        SELECT o.INDEX_NAME FROM information_schema.STATISTICS o
        WHERE o.TABLE_SCHEMA = c.TABLE_SCHEMA AND o.TABLE_NAME = c.TABLE_NAME AND o.SEQ_IN_INDEX > 1
      )
)
FROM information_schema.COLUMNS c WHERE c.TABLE_SCHEMA = %s AND c.TABLE_NAME = %s
"""
_WHOLE = {"tinyint", "smallint", "mediumint", "int", "bigint", "decimal", "float", "double"}
_TEXTS = {"char", "varchar", "tinytext", "text", "mediumtext", "longtext", "json"}
FITTING: Mapping[FieldType, set[str]] = {
    FieldType.INT: _WHOLE | _TEXTS,
    FieldType.DOUBLE: {"decimal", "float", "double"} | _TEXTS,
    FieldType.STRING: _TEXTS | {"uuid"},
    FieldType.BOOL: {"tinyint", "bit"} | _TEXTS,
    FieldType.TIMESTAMP: {"datetime", "timestamp", "date"} | _TEXTS,
    FieldType.ARRAY_INT: _TEXTS,
    FieldType.ARRAY_DOUBLE: _TEXTS,
    FieldType.ARRAY_STRING: _TEXTS,
    FieldType.BLOB: _TEXTS | {"uuid"},
}
# Numbers from the server's manual: lost or refused connections, shut-downs, deadlocks and lock waits.
_PASSING = {1040, 1041, 1042, 1044, 1045, 1053, 1080, 1129, 1130, 1152, 1158, 1159, 1160, 1161, 1203, 1205, 1213, 1927}
_FROM_CLIENT = range(2000, 3000)


class MysqlTarget:
    """A table.

    With a unique column ``quadrat_message_id`` each message is written once, as in PostgreSQL.

    Args:
        spec: What opens the database, and the columns.
        guard: Says which addresses may be reached.
    """

    def __init__(self, spec: ConnectorSpec, guard: Guard) -> None:
        if pymysql is None:
            raise MissingExtraError("mysql", "mysql")
        self._driver = pymysql
        self._spec = spec
        self._guard = guard
        self._conn: Any = None
        self._types: dict[str, str] = {}
        self._has_message_id = False

    async def verify(self) -> None:
        """Connect; with a table, look at its columns."""
        await self._do(lambda _conn: None)

    async def write(self, messages: Sequence[Message]) -> None:
        """One row for each message, in one statement, which is one transaction."""
        await self._do(lambda conn: self._insert(conn, messages))

    async def close(self) -> None:
        """Close the connection."""
        conn, self._conn = self._conn, None
        if conn is not None:
            with suppress(Exception):
                await asyncio.to_thread(conn.close)

    async def _do(self, work: Any) -> None:
        values = self._spec.values
        port = int(values["port"])
        if self._conn is None:
            addresses = await self._guard.resolve(values["host"], port)
            await self._run(self._connect, addresses, port)
        await self._run(lambda: work(self._conn))

    async def _run(self, work: Any, *given: Any) -> None:
        try:
            await asyncio.to_thread(work, *given)
        except (OSError, self._driver.InterfaceError) as error:
            await self.close()
            raise UnreachableError(_text(error)) from error
        except self._driver.MySQLError as error:
            number = error.args[0] if error.args and isinstance(error.args[0], int) else 0
            if number in _PASSING or number in _FROM_CLIENT or number == 0:
                await self.close()
                raise UnreachableError(_text(error)) from error
            if number in (1054, 1146):
                await self.close()  # the table has changed: it is looked at anew
            raise RefusedError(f"MySQL refused the row: {_text(error)}") from error

    def _connect(self, addresses: Sequence[str], port: int) -> None:
        values = self._spec.values
        conn = self._driver.connect(
            host=values["host"].strip("[]"),
            port=port,
            user=values["username"],
            password=values["password"],
            database=values.get("database"),
            charset="utf8mb4",
            autocommit=True,
            connect_timeout=int(CONNECT_S),
            read_timeout=int(WRITE_S),
            write_timeout=int(WRITE_S),
            local_infile=False,
            defer_connect=True,
        )
        # The connection goes to the address that was looked at.
        conn.connect(_open_socket(addresses, port))
        try:
            if "table" in values:
                self._look(conn)
        except BaseException:
            conn.close()
            raise
        self._conn = conn

    def _look(self, conn: Any) -> None:
        values = self._spec.values
        name = values["table"]
        with conn.cursor() as cursor:
            cursor.execute(_COLUMNS, (values["database"], name))
            rows = cursor.fetchall()
        if not rows:
            raise RefusedError(f"There is no table {name} in the database, or its user may not see it.")
        self._types = {str(column): str(type_).lower() for column, type_, _unique in rows}
        for field in self._spec.fields:
            type_ = self._types.get(field.name)
            if type_ is None:
                raise RefusedError(f"The table {name} has no column {field.name}.")
            if type_ not in FITTING[field.type]:
                raise RefusedError(f"The column {field.name} of table {name} is {type_} and cannot hold {field.type}.")
        self._has_message_id = any(column == MESSAGE_ID_COLUMN and unique for column, _type, unique in rows)

    def _insert(self, conn: Any, messages: Sequence[Message]) -> None:
        names = [field.name for field in self._spec.fields]
        if self._has_message_id:
            names.append(MESSAGE_ID_COLUMN)
        columns = ", ".join(map(_quoted, names))
        marks = ", ".join(["%s"] * len(names))
        if self._has_message_id:
            # Not `IGNORE` or `ON DUPLICATE KEY`, which would also pass over what other keys of the table refuse.
            messages = self._without_known(conn, messages)
        if not messages:
            return
        rows = ", ".join([f"({marks})"] * len(messages))
        statement = f"INSERT INTO {_quoted(self._spec.values['table'])} ({columns}) VALUES {rows}"  # noqa: S608
        given = [value for message in messages for value in self._row(message)]
        with conn.cursor() as cursor:
            cursor.execute(statement, given)

    def _without_known(self, conn: Any, messages: Sequence[Message]) -> list[Message]:
        """Those that have not arrived yet."""
        table, column = _quoted(self._spec.values["table"]), _quoted(MESSAGE_ID_COLUMN)
        marks = ", ".join(["%s"] * len(messages))
        query = f"SELECT {column} FROM {table} WHERE {column} IN ({marks})"  # noqa: S608
        with conn.cursor() as cursor:
            cursor.execute(query, [str(message.id) for message in messages])
            known = {str(row[0]) for row in cursor.fetchall()}
        return [message for message in messages if str(message.id) not in known]

    def _row(self, message: Message) -> list[Any]:
        row = [self._fit(message.values[field.name], field.name, field.type) for field in self._spec.fields]
        return [*row, str(message.id)] if self._has_message_id else row

    def _fit(self, value: Any, name: str, field_type: FieldType) -> Any:
        type_ = self._types[name]
        if type_ == "json" or (type_ in _TEXTS and not isinstance(value, str)):
            return json.dumps(value)
        if field_type is FieldType.TIMESTAMP and type_ not in _TEXTS:
            at = datetime.fromisoformat(value)
            return at.astimezone(UTC).replace(tzinfo=None) if at.tzinfo is not None else at
        return value


def _open_socket(addresses: Sequence[str], port: int) -> socket.socket:
    error: OSError | None = None
    for address in addresses:
        try:
            return socket.create_connection((address, port), timeout=CONNECT_S)
        except OSError as failed:
            error = failed
    raise error or OSError("The host has no address.")


def _quoted(name: str) -> str:
    # The percent sign would be taken for a mark by the driver.
    return "`" + name.replace("`", "``").replace("%", "%%") + "`"


def _text(error: BaseException) -> str:
    return cut_error(str(error.args[-1]) if error.args else type(error).__name__)
