"""Rows into a table of PostgreSQL."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from quadrat.serving.connector_types import MESSAGE_ID_COLUMN, ConnectorSpec
from quadrat.serving.rules.connectors import cut_error
from quadrat.serving.targets.base import CONNECT_S, WRITE_S, Message, RefusedError, UnreachableError
from quadrat.serving.targets.guard import Guard
from quadrat.serving.types import FieldType

_COLUMNS = """
SELECT a.attname, format_type(a.atttypid, NULL), EXISTS (
    SELECT FROM pg_index i
    WHERE i.indrelid = a.attrelid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL
      AND i.indnkeyatts = 1 AND i.indkey[0] = a.attnum
)
FROM pg_attribute a WHERE a.attrelid = to_regclass(%s) AND a.attnum > 0 AND NOT a.attisdropped
"""
_NUMBERS = {"smallint", "integer", "bigint", "numeric", "real", "double precision"}
_TEXTS = {"text", "character varying", "character", "name"}
_JSON = {"json", "jsonb"}
FITTING: Mapping[FieldType, set[str]] = {
    FieldType.INT: _NUMBERS | _TEXTS | _JSON,
    FieldType.DOUBLE: {"numeric", "real", "double precision"} | _TEXTS | _JSON,
    FieldType.STRING: _TEXTS | _JSON | {"uuid"},
    FieldType.BOOL: {"boolean"} | _TEXTS | _JSON,
    FieldType.TIMESTAMP: {"timestamp with time zone", "timestamp without time zone", "date"} | _TEXTS | _JSON,
    FieldType.ARRAY_INT: {f"{name}[]" for name in _NUMBERS} | _JSON | _TEXTS,
    FieldType.ARRAY_DOUBLE: {"numeric[]", "real[]", "double precision[]"} | _JSON | _TEXTS,
    FieldType.ARRAY_STRING: {f"{name}[]" for name in _TEXTS} | _JSON | _TEXTS,
    FieldType.BLOB: {"uuid"} | _TEXTS | _JSON,
}


class PostgresTarget:
    """A table.

    With a unique column ``quadrat_message_id`` (text or uuid) each message is written once: PostgreSQL alone can know
    whether a commit whose answer was lost has happened, and the column is how it is asked.

    Args:
        spec: What opens the database, and the columns.
        guard: Says which addresses may be reached.
    """

    def __init__(self, spec: ConnectorSpec, guard: Guard) -> None:
        self._spec = spec
        self._guard = guard
        self._conn: psycopg.AsyncConnection[Any] | None = None
        self._types: dict[str, str] = {}
        self._has_message_id = False
        self._table = (spec.values.get("schema", "public"), spec.values.get("table", ""))

    async def verify(self) -> None:
        """Connect; with a table, look at its columns."""
        try:
            async with asyncio.timeout(WRITE_S):
                await self._open()
        except psycopg.Error as error:
            raise _translate(error) from error
        except TimeoutError as error:
            raise UnreachableError("The database did not answer in time.") from error

    async def write(self, messages: Sequence[Message]) -> None:
        """One row for each message, in one transaction."""
        try:
            async with asyncio.timeout(WRITE_S):
                conn = await self._open()
                async with conn.transaction(), conn.cursor() as cursor:
                    await cursor.executemany(self._statement(), [self._row(item) for item in messages])
        except (psycopg.OperationalError, psycopg.InterfaceError, TimeoutError, OSError) as error:
            await self.close()
            raise UnreachableError(_first_line(error) or "The database did not answer in time.") from error
        except psycopg.Error as error:
            if isinstance(error, psycopg.errors.UndefinedTable | psycopg.errors.UndefinedColumn):
                await self.close()  # the table has changed: it is looked at anew
            raise _translate(error) from error
        except RefusedError:
            await self.close()
            raise

    async def close(self) -> None:
        """Close the connection."""
        conn, self._conn = self._conn, None
        if conn is not None:
            await conn.close()

    async def _open(self) -> psycopg.AsyncConnection[Any]:
        if self._conn is not None and not self._conn.closed:
            return self._conn
        values = self._spec.values
        port = int(values["port"])
        host = values["host"]
        places: list[dict[str, Any]]
        if host.startswith("/"):
            self._guard.check_socket(host)
            places = [{"host": host}]
        else:
            # The name stays for certificates; the connection goes to the address that was looked at.
            name = host.strip("[]")
            places = [{"host": name, "hostaddr": address} for address in await self._guard.resolve(host, port)]
        error: psycopg.OperationalError | None = None
        for place in places:
            try:
                conn = await psycopg.AsyncConnection.connect(
                    autocommit=True,
                    port=port,
                    user=values["username"],
                    password=values["password"],
                    dbname=values.get("database", "postgres"),
                    connect_timeout=int(CONNECT_S),
                    application_name="quadrat",
                    # Nothing of the server's own environment: no password file, no service file, no certificates.
                    passfile="/dev/null",
                    sslcert="/dev/null",
                    sslkey="/dev/null",
                    gssencmode="disable",
                    **place,
                )
            except psycopg.OperationalError as failed:
                error = failed
                continue
            if "table" in values:
                try:
                    await self._look(conn)
                except BaseException:
                    await conn.close()
                    raise
            self._conn = conn
            return conn
        raise UnreachableError(_first_line(error) if error else "The database has no address.") from error

    async def _look(self, conn: psycopg.AsyncConnection[Any]) -> None:
        name = sql.Identifier(*self._table).as_string(conn)
        rows = await (await conn.execute(_COLUMNS, (name,))).fetchall()
        if not rows:
            raise RefusedError(f"There is no table {name} in the database, or its user may not see it.")
        self._types = {column: type_ for column, type_, _unique in rows}
        for field in self._spec.fields:
            type_ = self._types.get(field.name)
            if type_ is None:
                raise RefusedError(f"The table {name} has no column {field.name}.")
            if type_ not in FITTING[field.type]:
                raise RefusedError(f"The column {field.name} of table {name} is {type_} and cannot hold {field.type}.")
        self._has_message_id = any(column == MESSAGE_ID_COLUMN and unique for column, _type, unique in rows)

    def _statement(self) -> sql.Composed:
        names = [field.name for field in self._spec.fields]
        ending = sql.Composed([])
        if self._has_message_id:
            names.append(MESSAGE_ID_COLUMN)
            ending = sql.SQL(" ON CONFLICT ({}) DO NOTHING").format(_identifier(MESSAGE_ID_COLUMN))
        return sql.SQL("INSERT INTO {} ({}) VALUES ({}){}").format(
            _identifier(*self._table),
            sql.SQL(", ").join(map(_identifier, names)),
            sql.SQL(", ").join([sql.Placeholder()] * len(names)),
            ending,
        )

    def _row(self, message: Message) -> list[Any]:
        row = [self._fit(message.values[field.name], field.name, field.type) for field in self._spec.fields]
        return [*row, str(message.id)] if self._has_message_id else row

    def _fit(self, value: Any, name: str, field_type: FieldType) -> Any:
        type_ = self._types[name]
        if type_ in _JSON:
            return Jsonb(value)
        if type_ in _TEXTS and not isinstance(value, str):
            return json.dumps(value)
        if field_type is FieldType.TIMESTAMP and type_ not in _TEXTS:
            return datetime.fromisoformat(value)
        if field_type is FieldType.INT and isinstance(value, float):
            return int(value)
        if field_type is FieldType.ARRAY_INT:
            return [int(item) for item in value]
        if field_type in (FieldType.DOUBLE, FieldType.ARRAY_DOUBLE):
            return [float(item) for item in value] if isinstance(value, list) else float(value)
        return value


def _identifier(*parts: str) -> sql.Identifier:
    """A quoted name in a statement with placeholders, where a percent sign would begin one."""
    return sql.Identifier(*(part.replace("%", "%%") for part in parts))


def _translate(error: psycopg.Error) -> Exception:
    message = _first_line(error)
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return UnreachableError(message)
    column = error.diag.column_name
    named = f" (column {column})" if column and column not in message else ""
    return RefusedError(f"PostgreSQL refused the row: {message}{named}")


def _first_line(error: BaseException | None) -> str:
    return cut_error(next(iter(str(error).strip().splitlines()), ""))
