import asyncio

import psycopg
import pytest
from sqlalchemy import text

from quadrat.db.engine import Database, psycopg_dsn
from quadrat.errors import ErrorKind, QuadratError

pytestmark = pytest.mark.anyio


async def test_begin_block_raises_nothing_is_kept(db: Database) -> None:
    with pytest.raises(ZeroDivisionError):
        async with db.begin() as tx:
            await tx.execute(text("CREATE TABLE public.half_done (n int)"))
            raise ZeroDivisionError
    async with db.begin() as tx:
        assert (await tx.execute(text("SELECT to_regclass('public.half_done')"))).scalar_one() is None


async def test_begin_database_unreachable_says_unavailable() -> None:
    nowhere = Database("postgresql://nobody@127.0.0.1:1/none")
    try:
        with pytest.raises(QuadratError) as refused:
            async with nowhere.begin():
                pass
        assert refused.value.kind is ErrorKind.UNAVAILABLE
        assert refused.value.retry_after_s is not None
        assert not await nowhere.answers()
    finally:
        await nowhere.close()


async def test_begin_lock_that_others_hold_is_said_as_that(db: Database) -> None:
    key = 0x71756164
    async with db.begin() as holder:
        await holder.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})
        with pytest.raises(QuadratError, match="at the same moment") as refused:
            async with db.begin() as tx:
                await tx.execute(text("SET LOCAL lock_timeout = '50ms'"))
                await tx.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})
    assert (refused.value.kind, refused.value.retry_after_s) == (ErrorKind.UNAVAILABLE, 1)


async def test_begin_after_connections_were_cut_works_again(db: Database, database_url: str) -> None:
    async with db.begin() as tx:
        pid = (await tx.execute(text("SELECT pg_backend_pid()"))).scalar_one()
    with psycopg.connect(psycopg_dsn(database_url), autocommit=True) as conn:
        conn.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
    async with db.begin() as tx:
        assert (await tx.execute(text("SELECT 1"))).scalar_one() == 1


async def test_begin_cut_inside_the_block_says_unavailable(db: Database, database_url: str) -> None:
    with pytest.raises(QuadratError) as refused:
        async with db.begin() as tx:
            pid = (await tx.execute(text("SELECT pg_backend_pid()"))).scalar_one()
            with psycopg.connect(psycopg_dsn(database_url), autocommit=True) as conn:
                conn.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
            await tx.execute(text("SELECT 1"))
    assert refused.value.kind is ErrorKind.UNAVAILABLE


async def test_snapshot_refuses_to_write_and_sees_one_moment(db: Database) -> None:
    role = {"name": "seen-by-no-snapshot"}
    async with db.snapshot() as snapshot:
        before = (await snapshot.execute(text("SELECT count(*) FROM identity.role"))).scalar_one()
        async with db.begin() as tx:
            await tx.execute(
                text("INSERT INTO identity.role (uuid, name, permissions) VALUES (gen_random_uuid(), :name, '{}')"),
                role,
            )
        assert (await snapshot.execute(text("SELECT count(*) FROM identity.role"))).scalar_one() == before
    # One without a project is everybody's: the tests beside this one count them.
    async with db.begin() as tx:
        await tx.execute(text("DELETE FROM identity.role WHERE name = :name"), role)
    with pytest.raises(Exception, match="read-only"):
        async with db.snapshot() as snapshot:
            await snapshot.execute(text("DELETE FROM identity.sign_in_failure"))


@pytest.mark.parametrize("value", ["a\0b", "\ud800"])
async def test_begin_text_that_cannot_be_stored_is_the_callers_mistake(db: Database, value: str) -> None:
    with pytest.raises(QuadratError) as refused:
        async with db.begin() as tx:
            await tx.execute(text("SELECT CAST(:value AS text)"), {"value": value})
    assert refused.value.kind is ErrorKind.INVALID


async def test_at_once_gives_the_first_row_of_each_statement_and_keeps_all(db: Database) -> None:
    made = await db.at_once(
        (b"CREATE TABLE public.sent (n bigint)", {}),
        (b"INSERT INTO public.sent SELECT generate_series(%(first)s::bigint, 5)", {"first": 2}),
        (b"SELECT n, %(given)s::text FROM public.sent ORDER BY n", {"given": "x"}),
        (b"SELECT n FROM public.sent WHERE n > 100", {}),
    )
    assert made == [None, None, (2, "x"), None]
    async with db.begin() as tx:
        assert (await tx.execute(text("SELECT count(*) FROM public.sent"))).scalar_one() == 4
        await tx.execute(text("DROP TABLE public.sent"))


@pytest.mark.parametrize("fault", ["a statement", "the commit"])
async def test_at_once_keeps_nothing_when_something_fails(fault: str, db: Database) -> None:
    async with db.begin() as tx:
        await tx.execute(text("CREATE TABLE public.kept (n bigint UNIQUE DEFERRABLE INITIALLY DEFERRED)"))
    broken = {
        "a statement": (b"SELECT 1 / %(n)s::bigint", {"n": 0}),
        "the commit": (b"INSERT INTO public.kept VALUES (1)", {}),
    }[fault]
    expected = psycopg.errors.DivisionByZero if fault == "a statement" else psycopg.errors.UniqueViolation
    for _ in range(7):  # from some time on the driver prepares what comes often
        with pytest.raises(expected):
            await db.at_once((b"INSERT INTO public.kept VALUES (1)", {}), broken)
    async with db.begin() as tx:
        assert (await tx.execute(text("SELECT count(*) FROM public.kept"))).scalar_one() == 0
        await tx.execute(text("DROP TABLE public.kept"))


async def test_at_once_sees_what_was_committed_while_it_waited(db: Database) -> None:
    async with db.begin() as tx:
        await tx.execute(text("CREATE TABLE public.turn (n bigint)"))
        await tx.execute(text("INSERT INTO public.turn VALUES (1)"))
    async with db.begin() as holder:
        await holder.execute(text("UPDATE public.turn SET n = n + 1"))
        pid = (await holder.execute(text("SELECT pg_backend_pid()"))).scalar_one()
        second = asyncio.create_task(
            db.at_once((b"UPDATE public.turn SET n = n * 10", {}), (b"SELECT n FROM public.turn", {}))
        )
        waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted AND :pid = ANY(pg_blocking_pids(pid))")
        async with asyncio.timeout(20):
            while not (await holder.execute(waiting, {"pid": pid})).scalar_one():
                await asyncio.sleep(0.01)
    assert await second == [None, (20,)]
    async with db.begin() as tx:
        await tx.execute(text("DROP TABLE public.turn"))


async def test_at_once_cut_off_says_unavailable_and_works_again(db: Database) -> None:
    with pytest.raises(QuadratError) as refused:
        await db.at_once((b"SELECT pg_terminate_backend(pg_backend_pid())", {}), (b"SELECT 1", {}))
    assert refused.value.kind is ErrorKind.UNAVAILABLE
    assert await db.at_once((b"SELECT 1", {})) == [(1,)]
