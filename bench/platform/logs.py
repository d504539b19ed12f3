"""Ten million lines of logs in one project: how long any filtered page takes.

    python bench/platform/logs.py [--lines 10000000]

Lines go in by COPY, the indexes of filters are made after them; 900 of 1000 lines are of one busy version, the others
spread over 50 quiet ones. Each question is asked as the API asks it, planning and names included; the slowest of five
counts. Ends with 1 when one takes longer than the aim.
"""

import argparse
import asyncio
import random
import secrets
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.db.embedded import EmbeddedPostgres
from quadrat.db.engine import Database
from quadrat.identity.types import ProjectId
from quadrat.migrations.upgrade import upgrade
from quadrat.serving.log_types import LogFilter, LogPlace
from quadrat.serving.rules.logs import window
from quadrat.serving.store import logs as store
from quadrat.serving.types import VersionId

AIM_MS = 50.0
PROJECT = ProjectId(1)
START = datetime(2026, 1, 1, tzinfo=UTC)
QUIET = 50
BLOCK = 50_000
COPY = "COPY serving.log (source_id, id, project_id, system, request_id, text) FROM STDIN"
FILTER_INDEXES = "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'log' AND indexname LIKE 'ix_log_%'"


async def write(db: Database, count: int) -> list[UUID]:
    """All lines of one day, in order; returns some requests."""
    dice = random.Random(3)
    places = [LogPlace(PROJECT, VersionId(number)) for number in range(1, QUIET + 2)]
    async with db.begin() as tx:
        sources = [
            (await store.find_source(tx, place, system=False), await store.find_source(tx, place, system=True))
            for place in places
        ]
    requests = [uuid4() for _ in range(1000)]
    start_ns, step_ns, process = int(START.timestamp()) * 10**9, 86_400 * 10**9 // count, secrets.token_hex(4)
    async with db.begin() as tx:
        # The definition of a partitioned index is for the table alone; without ONLY it is for the parts as well.
        filters = [(name, made.replace(" ON ONLY ", " ON ")) for name, made in await tx.execute(text(FILTER_INDEXES))]
        for name, _definition in filters:
            await tx.execute(text(f"DROP INDEX serving.{name}"))
        raw = await tx.get_raw_connection()
        async with raw.driver_connection.cursor() as cursor, cursor.copy(COPY) as copy:
            for first in range(0, count, BLOCK):
                block = []
                for number in range(first, min(first + BLOCK, count)):
                    source = sources[0] if number % 10 else dice.choice(sources)
                    system = number % 997 == 0
                    request_id = requests[number // 10_000 % 1000] if number % 3 else "\\N"
                    id_ = f"\\\\x{start_ns + number * step_ns:016x}{process}"
                    of = f"{source[system]}\t{id_}\t{PROJECT}\t{system:d}\t{request_id}"
                    block.append(f"{of}\tline {number} of the model\n")
                await copy.write("".join(block))
    async with db.begin() as tx:
        for _name, definition in filters:
            await tx.execute(text(definition))
    return requests


def settle(dsn: str) -> None:
    """As after a while of rest: what was written is on the disk, and autovacuum has been there."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE) serving.log")
        connection.execute("CHECKPOINT")


async def ask(tx: AsyncConnection, wanted: LogFilter, range_s: int, at: datetime) -> int:
    """One page of 500."""
    sources = await store.list_sources(tx, PROJECT, wanted) if wanted.is_for_sources else None
    if sources == []:
        return 0
    page = (window(at, range_s), 500)
    lines = await store.list_lines(tx, PROJECT, wanted, sources, page)
    await store.find_places(tx, {line[0] for line in lines})
    return len(lines)


async def measure(db: Database, requests: list[UUID]) -> bool:
    quiet, all_versions = [7], list(range(1, QUIET + 2))
    questions = {
        "everything": LogFilter(),
        "the system's": LogFilter(system=True),
        "the users'": LogFilter(system=False),
        "busy version": LogFilter(version_ids=[1]),
        "quiet version": LogFilter(version_ids=quiet),
        "quiet version, system": LogFilter(version_ids=quiet, system=True),
        "model of 51 versions": LogFilter(version_ids=all_versions),
        "model of 51 versions, users'": LogFilter(version_ids=all_versions, system=False),
        "unknown version": LogFilter(version_ids=[999]),
        "request": LogFilter(request_id=requests[500]),
        "request of a quiet version": LogFilter(request_id=requests[500], version_ids=quiet),
        "unknown request": LogFilter(request_id=uuid4()),
    }
    fine = True
    for name, wanted in questions.items():
        for direction, range_s, at in (("back", -86_400, START + timedelta(days=1)), ("on", 86_400, START)):
            times_ms = []
            for _ in range(5):
                async with db.begin() as tx:
                    began = time.perf_counter()
                    found = await ask(tx, wanted, range_s, at)
                    times_ms.append((time.perf_counter() - began) * 1000)
            slowest = max(times_ms)
            fine = fine and slowest < AIM_MS
            print(f"{name:<30} {direction:<5} {found:>4} lines  {slowest:7.1f} ms  {slowest / AIM_MS:5.2f} of the aim")
    return fine


async def main(count: int) -> int:
    with tempfile.TemporaryDirectory(prefix="quadrat-bench-") as folder:
        Path(folder).chmod(0o755)  # noqa: ASYNC240
        server = EmbeddedPostgres(Path(folder) / "data")
        server.start()
        try:
            upgrade(server.url)
            db = Database(server.url, pool_size=2)
            began = time.perf_counter()
            requests = await write(db, count)
            seconds = time.perf_counter() - began
            print(f"{count:,} lines written in {seconds:.0f} s, {count / seconds:,.0f} in a second")
            await asyncio.to_thread(settle, db.dsn)
            fine = await measure(db, requests)
            await db.close()
        finally:
            server.stop()
    return 0 if fine else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=10_000_000)
    sys.exit(asyncio.run(main(parser.parse_args().lines)))
