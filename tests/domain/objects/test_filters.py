"""Every filter and order, freely combined: columns in memory, SQL and a naive reading of the rules agree."""

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.db.engine import Database
from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity.types import Caller
from quadrat.objects.actions import queries
from quadrat.objects.actions.queries import ListRequest, count_objects, list_objects, read_selection, select_objects
from quadrat.objects.columns.cache import ColumnCache
from quadrat.objects.frames import specs
from quadrat.objects.frames.sorting import Window
from quadrat.objects.rules.fields import FIELDS, read_order
from quadrat.objects.store import columns as column_store
from quadrat.objects.store import listing
from quadrat.objects.store.projects import free_columns
from support.naive_objects import Naive
from support.object_sets import ObjectSet, add_image, add_objects, make_object_set, random_row
from support.people import make_caller

Choice = Callable[[random.Random, ObjectSet, list[Caller]], dict[str, str]]


def ids(values: list[int]) -> str:
    return ",".join(map(str, values))


CHOICES: list[Choice] = [
    lambda c, s, p: {"taxo": ids(c.sample(s.taxa, c.randint(1, 3)))} | c.choice([{}, {"taxochild": "Y"}]),
    lambda c, s, p: {"statusfilter": c.choice(["NV", "PV", "PVD", "NVM", "VM", "U", "UP", "P", "V", "D", "X"])},
    lambda c, s, p: {"MapN": c.choice(["2", "0"]), "MapS": "-1", "MapE": "3", "MapW": c.choice(["-2", "0"])},
    lambda c, s, p: {"MapN": "1"},
    lambda c, s, p: {"depthmin": c.choice(["0", "1"]), "depthmax": c.choice(["3", "4.5", "0"])},
    lambda c, s, p: {"samples": ids([*c.sample(s.samples, 1), 999999999])},
    lambda c, s, p: {"instrum": c.choice(["zooscan", "SCAN 2", "uvp", "%"])},
    lambda c, s, p: {"daytime": ",".join(c.sample("DUNA?x", 2))},
    lambda c, s, p: {"month": ids(c.sample(range(1, 13), 4))},
    lambda c, s, p: (
        c.choice([{"fromdate": "2023-12-01"}, {"todate": "2024-01-15"}]) | c.choice([{}, {"todate": "2024-02-01"}])
    ),
    lambda c, s, p: (
        {"fromtime": c.choice(["06:00:00", "18:30:00"])} | c.choice([{}, {"totime": "20:00:00"}, {"inverttime": "1"}])
    ),
    lambda c, s, p: {"fromtime": "06:00:00", "totime": c.choice(["18:00:00", "05:00:00"]), "inverttime": "1"},
    lambda c, s, p: {c.choice(["validfromdate", "validtodate"]): c.choice(["2024-01-02 03:00", "2024-01-01 20:00:00"])},
    lambda c, s, p: {"statusfilter": "PVD", "validfromdate": "2024-01-02 03:00"},
    lambda c, s, p: (
        {"freenum": c.choice(["on01", "on02", "n01", "on04", "oscore", "on09", "zz"])}
        | c.choice([{"freenumst": "0"}, {"freenumend": "1"}, {"freenumst": "0", "freenumend": "0.5"}, {}])
    ),
    lambda c, s, p: {
        "freetxt": c.choice(["ot01", "ot02", "st01", "at01", "pt01", "ot09", "st09", "zz"]),
        "freetxtval": c.choice(["cope", "^COPE", "pod$", "_pod", "5%", "\\", "tara", "^net 1$", "soft", "^$", "é"]),
    },
    lambda c, s, p: {"filt_annot": ids([c.choice(p).user_id, 999999])},
    lambda c, s, p: {"filt_last_annot": ids([c.choice(p).user_id])},
]
ORDERS = [
    *(f"obj.{name}" for name in (
        "objid", "acquisid", "orig_id", "objdate", "objtime", "latitude", "depth_max", "sunpos", "classif_id",
        "classif_qual", "classif_who", "classif_when", "classif_auto_id", "classif_auto_score", "classif_auto_when",
        "complement_info", "random_value", "object_link", "imgcount",
    )),
    "fre.area", "fre.fractal", "fre.note", "txo.display_name", "txo.creator_email", "txp.id", "txo.creation_datetime",
    "usr.email", "sam.orig_id", "sam.latitude", "sam.t01", "acq.orig_id", "acq.t01", "img.file_name", "img.width",
    "nothing", "obj.nothing", "usr.password", None,
]  # fmt: skip


async def make_varied(tx: AsyncConnection, people: list[Caller], seed: int, n: int = 60) -> ObjectSet:
    """Objects in all states with all facts, former states, a few images."""
    chance = random.Random(seed)
    made = await make_object_set(tx, people[0], 0, n_samples=3)
    await add_objects(tx, made, [random_row(chance, made, [p.user_id for p in people]) for _ in range(n)])
    for object_id in chance.sample(made.objects, 15):
        await tx.execute(
            text("INSERT INTO objects.history VALUES (:o, 0, now(), :t, :a, NULL, 'V')"),
            {"o": object_id, "t": made.taxa[0], "a": chance.choice(people).user_id},
        )
        await add_image(tx, made, object_id, chance.randrange(3), thumbnail=chance.random() < 0.5)
    return made


@pytest.mark.parametrize("seed", range(2))
async def test_filters_and_orders_agree_with_the_naive_reading(seed: int, db: Database, cache: ColumnCache):
    chance = random.Random(seed)
    async with db.begin() as tx:
        people = [await make_caller(tx) for _ in range(3)]
        made = await make_varied(tx, people, seed)
        naive = await Naive.read(tx, made.project_id)
        free = await free_columns(tx, made.project_id)
        me = people[0]
        for number in range(150):
            filters: dict[str, str] = {}
            # Each alone first, then several together.
            chosen = [CHOICES[number % len(CHOICES)]] if number < 3 * len(CHOICES) else chance.sample(CHOICES, 2)
            for choice in chosen:
                filters |= choice(chance, made, people)
            order, start, size = ORDERS[number % len(ORDERS)], chance.choice([0, 0, 5]), chance.choice([7, None])
            order = f"-{order}" if order and chance.random() < 0.5 else order
            expected = naive.select(filters, me.user_id)
            in_order = naive.sort(expected, order, free)
            window = Window(start, size)
            found = await list_objects(tx, cache, me, made.project_id, ListRequest(filters, None, order, window))
            end = None if size is None else start + size
            assert found.object_ids.tolist() == in_order[start:end], (filters, order)
            assert found.total == len(expected), filters
            assert found.sample_ids.tolist() == [naive.rows[id_]["sample_id"] for id_ in in_order[start:end]]
            selection = await read_selection(tx, me, made.project_id, filters)
            in_sql = await listing.select_window(tx, selection, read_order(order, free), (start, size))
            assert [row[0] for row in in_sql] == in_order[start:end], (filters, order)
            assert (await select_objects(tx, cache, selection)).tolist() == sorted(expected)
            counts = await count_objects(tx, cache, me, made.project_id, filters)
            states = [naive.rows[id_]["state"] for id_ in expected]
            assert (counts.total, counts.validated, counts.dubious, counts.predicted) == (
                len(states), states.count("V"), states.count("D"), states.count("P"),
            )  # fmt: skip


async def test_project_beyond_the_budget_is_queried_in_sql(db: Database, cache: ColumnCache, tmp_path: Any):
    small = ColumnCache(db, tmp_path / "small", 100)
    async with db.begin() as tx:
        people = [await make_caller(tx) for _ in range(3)]
        made = await make_varied(tx, people, 5)
        wanted = ListRequest({"statusfilter": "PV"}, None, "-fre.area", Window(2, 9))
        large = await list_objects(tx, cache, people[0], made.project_id, wanted)
        found = await list_objects(tx, small, people[0], made.project_id, wanted)
        assert found.object_ids.tolist() == large.object_ids.tolist()
        assert found.total == large.total
        counted = [await count_objects(tx, c, people[0], made.project_id, wanted.filters) for c in (small, cache)]
        assert counted[0] == counted[1]
        selection = await read_selection(tx, people[0], made.project_id, wanted.filters)
        both = [(await select_objects(tx, c, selection)).tolist() for c in (small, cache)]
        assert both[0] == both[1]
        assert small.nbytes == 0


async def test_stranger_sees_validated_objects_of_visible_projects_only(db: Database, cache: ColumnCache):
    async with db.begin() as tx:
        owner = await make_caller(tx)
        hidden = await make_object_set(tx, owner, 1)
        visible = await make_object_set(tx, owner, 0, visible=True)
        rows = [random_row(random.Random(3), visible, [owner.user_id]) for _ in range(20)]
        await add_objects(tx, visible, rows)
        naive = await Naive.read(tx, visible.project_id)
        for filters in ({}, {"statusfilter": "P"}):
            found = await list_objects(tx, cache, None, visible.project_id, ListRequest(filters))
            assert found.object_ids.tolist() == sorted(naive.select({"statusfilter": "V"}, None))
        assert (await count_objects(tx, cache, None, visible.project_id, {})).predicted == 0
        with pytest.raises(QuadratError) as refused:
            await list_objects(tx, cache, None, hidden.project_id, ListRequest({}))
        assert refused.value.kind is ErrorKind.FORBIDDEN


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("taxo", "1;2"), ("taxo", "1,,2"), ("taxo", str(2**64)), ("samples", "x"), ("month", "May"), ("MapN", "north"),
        ("depthmin", "nan"), ("fromdate", "2024-13-01"), ("todate", "x"), ("fromtime", "25:00"), ("totime", "12:00Z"),
        ("validfromdate", "soon"), ("freenumst", "1,5"), ("filt_annot", "me"), ("filt_last_annot", "1.0"),
    ],
)  # fmt: skip
async def test_filter_that_cannot_be_understood_is_refused(field: str, value: str, tx: AsyncConnection):
    owner = await make_caller(tx)
    made = await make_object_set(tx, owner, 0)
    with pytest.raises(QuadratError) as refused:
        await queries.read_selection(tx, owner, made.project_id, {field: value})
    assert (refused.value.kind, refused.value.field) == (ErrorKind.INVALID, field)


async def test_columns_let_go_what_was_used_longest_ago(db: Database, tmp_path: Any):
    async with db.begin() as tx:
        owner = await make_caller(tx)
        made = await make_varied(tx, [owner], 1, n=300)
        core = 300 * 25
        cache = ColumnCache(db, tmp_path / "columns", core + 300 * 8 * 2)
        for name in ("latitude", "longitude", "depth_min", "depth_max", "latitude"):
            order = f"obj.{name}"
            wanted = ListRequest({}, None, order, Window(0, 5))
            found = await list_objects(tx, cache, owner, made.project_id, wanted)
            naive = (await Naive.read(tx, made.project_id)).sort(
                made.objects, order, await free_columns(tx, made.project_id)
            )
            assert found.object_ids.tolist() == naive[:5]
            assert cache.nbytes <= core + 300 * 8 * 2
        assert cache.nbytes > core


async def test_columns_are_mapped_from_files_until_features_change(db: Database, tmp_path: Any):
    async with db.begin() as tx:
        owner = await make_caller(tx)
        made = await make_varied(tx, [owner], 2)
        wanted = ListRequest({"freetxt": "ot01", "freetxtval": "pod"}, None, "fre.area", Window())
        first = await list_objects(tx, ColumnCache(db, tmp_path, 10**8), owner, made.project_id, wanted)
        files = {path.name for path in tmp_path.rglob("*") if path.is_file()}
        assert files == {"number-0.npy", "text-0.npy", "text-0.texts"}
        await tx.execute(
            text("UPDATE objects.feature SET numbers = '{}' WHERE project_id = :p"), {"p": made.project_id}
        )
        again = await list_objects(tx, ColumnCache(db, tmp_path, 10**8), owner, made.project_id, wanted)
        assert again.object_ids.tolist() == first.object_ids.tolist(), "a restarted server reads the files"
        await tx.execute(
            text("UPDATE objects.clock SET content = gen_random_uuid() WHERE project_id = :p"), {"p": made.project_id}
        )
        anew = await list_objects(tx, ColumnCache(db, tmp_path, 10**8), owner, made.project_id, wanted)
        assert anew.object_ids.tolist() == sorted(first.object_ids.tolist())
        assert len(list(tmp_path.rglob("number-0.npy"))) == 1, "files of former contents are removed"


async def test_columns_are_in_the_order_of_the_objects_wherever_their_rows_lie(db: Database):
    columns = [specs.STATE, specs.TAXON, specs.PREDICTED_SCORE]
    async with db.begin() as tx:
        people = [await make_caller(tx)]
        made = await make_varied(tx, people, 6)
        # New versions of rows lie behind the others.
        await tx.execute(
            text("UPDATE objects.object SET predicted_score = 0.25 WHERE id = ANY(:ids)"), {"ids": made.objects[::3]}
        )
        for way in ("indexscan", "indexonlyscan", "bitmapscan"):  # small tables are read by them
            await tx.execute(text(f"SET LOCAL enable_{way} = off"))
        expected = await tx.execute(
            text("SELECT id, state, taxon_id, predicted_score FROM objects.object WHERE project_id = :p ORDER BY id"),
            {"p": made.project_id},
        )
        rows = expected.all()
        for most_at_once, rows_at_a_time in ((1_000, 1), (0, 7), (0, 60), (0, 61)):
            found, values = await column_store.load(
                tx, made.project_id, columns, most_at_once=most_at_once, rows_at_a_time=rows_at_a_time
            )
            assert found.tolist() == [row[0] for row in rows]
            assert [chr(letter) for letter in values[specs.STATE]] == [row[1] for row in rows]
            assert values[specs.TAXON].tolist() == [row[2] or specs.NO_ID for row in rows]
            scores = [None if np.isnan(score) else score for score in values[specs.PREDICTED_SCORE].tolist()]
            assert scores == [row[3] for row in rows]


async def test_details_of_what_memory_knows_are_those_of_the_tables_for_every_field(db: Database, cache: ColumnCache):
    async with db.begin() as tx:
        people = [await make_caller(tx, admin=True) for _ in range(3)]
        made = await make_varied(tx, people, 5)
    names = [f"{table}.{name}" for table, fields in FIELDS.items() for name in fields]
    names += ["fre.area", "fre.fractal", "fre.note", "sam.t01", "acq.t01"]
    async with db.begin() as tx:
        for asked in (*names, ",".join(names), ",".join(n for n in names if not n.startswith("usr"))):
            found = await list_objects(
                tx, cache, people[0], made.project_id, ListRequest({}, asked, "-obj.objid", Window(3, 50))
            )
            assert found.known is not None
            assert len(found.object_ids) == 50
            by_id = await listing.details(tx, found.object_ids, found.fields)
            for when in ("read", "remembered"):
                rows = await queries.details(tx, cache, found)
                held = [by_id[id_] for id_ in found.object_ids.tolist()]
                assert [tuple(row) for row in rows] == held, (asked, when)
