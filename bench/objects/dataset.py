"""A million objects, written straight into the tables with COPY."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import psycopg

EPOCH_2000_US = 946_684_800_000_000
FLOAT8_OID, TEXT_OID = 701, 25
CHUNK = 50_000


@dataclass(frozen=True)
class Scale:
    """How much there is to be."""

    n_objects: int = 1_000_000
    n_numbers: int = 50
    n_texts: int = 5
    n_taxa: int = 200
    n_samples: int = 500


def copy_rows(conn: psycopg.Connection, table: str, names: str, chunks: Iterator[np.ndarray]) -> None:
    """Rows of one width, as PostgreSQL's binary COPY has them."""
    with conn.cursor().copy(f"COPY {table} ({names}) FROM STDIN (FORMAT BINARY)") as copy:
        copy.write(b"PGCOPY\n\xff\r\n\0" + bytes(8))
        for chunk in chunks:
            copy.write(chunk.tobytes())
        copy.write(b"\xff\xff")


def rows(fields: list[tuple[str, str, np.ndarray | None, int | None]], n: int) -> np.ndarray:
    """Structured rows from columns; a column without values is NULL."""
    dtype: list[tuple[str, str]] = [("n", ">i2")]
    for name, form, values, _ in fields:
        dtype.append((f"l_{name}", ">i4"))
        if values is not None:
            dtype.append((name, form))
    made = np.zeros(n, dtype=dtype)
    made["n"] = len(fields)
    for name, form, values, _ in fields:
        if values is None:
            made[f"l_{name}"] = -1
        else:
            made[f"l_{name}"] = np.dtype(form).itemsize
            made[name] = values
    return made


def float_array(values: np.ndarray) -> np.ndarray:
    """float8[] cells of one length without NULL."""
    n, width = values.shape
    dtype = np.dtype(
        [("dims", ">i4"), ("nulls", ">i4"), ("oid", ">i4"), ("size", ">i4"), ("first", ">i4")]
        + [("cells", [("length", ">i4"), ("value", ">f8")], (width,))]
    )
    made = np.zeros(n, dtype=dtype)
    made["dims"], made["oid"], made["size"], made["first"] = 1, FLOAT8_OID, width, 1
    made["cells"]["length"] = 8
    made["cells"]["value"] = values
    return made


def text_array(values: np.ndarray) -> np.ndarray:
    """text[] cells, each text of one width in bytes."""
    n, width = values.shape
    size = values.dtype.itemsize
    dtype = np.dtype(
        [("dims", ">i4"), ("nulls", ">i4"), ("oid", ">i4"), ("size", ">i4"), ("first", ">i4")]
        + [("cells", [("length", ">i4"), ("value", f"S{size}")], (width,))]
    )
    made = np.zeros(n, dtype=dtype)
    made["dims"], made["oid"], made["size"], made["first"] = 1, TEXT_OID, width, 1
    made["cells"]["length"] = size
    made["cells"]["value"] = values
    return made


def load(conn: psycopg.Connection, project_id: int, authors: list[int], scale: Scale) -> None:
    """Fill an empty project; the caller commits."""
    random = np.random.default_rng(7)
    taxa = _taxa(conn, scale)
    names = [f"feature_{i:02d}" for i in range(scale.n_numbers)]
    texts = [f"text_{i:02d}" for i in range(scale.n_texts)]
    conn.execute(
        "INSERT INTO objects.project (project_id, object_numbers, object_texts, instrument) VALUES (%s, %s, %s, %s) "
        "ON CONFLICT (project_id) DO UPDATE SET object_numbers = excluded.object_numbers, "
        "object_texts = excluded.object_texts, instrument = excluded.instrument",
        (project_id, names, texts, "Zooscan"),
    )
    samples = [
        row[0]
        for row in conn.execute(
            "INSERT INTO objects.net_sample (project_id, orig_id) SELECT %s, 'haul_' || i FROM generate_series(1, %s) i "
            "RETURNING id",
            (project_id, scale.n_samples),
        )
    ]
    acquisitions = [
        row[0]
        for row in conn.execute(
            "INSERT INTO objects.acquisition (project_id, sample_id, orig_id) SELECT project_id, id, 'acq_' || orig_id "
            "FROM objects.net_sample WHERE project_id = %s ORDER BY id RETURNING id",
            (project_id,),
        )
    ]
    conn.execute(
        "INSERT INTO objects.clock (project_id, last) VALUES (%s, 1) ON CONFLICT (project_id) DO UPDATE SET "
        "last = clock.last + 1, horizon = clock.last + 1, content = gen_random_uuid()",
        (project_id,),
    )
    first = conn.execute(
        "SELECT setval(pg_get_serial_sequence('objects.object', 'id'), "
        "nextval(pg_get_serial_sequence('objects.object', 'id')) + %s)",
        (scale.n_objects,),
    ).fetchone()[0]
    first -= scale.n_objects
    parts = [(first + at, min(CHUNK, scale.n_objects - at)) for at in range(0, scale.n_objects, CHUNK)]
    owner = {}
    for start, n in parts:
        where = (
            np.sort(random.integers(0, scale.n_samples, n))
            if start == -1
            else ((np.arange(start, start + n) - first) * scale.n_samples // scale.n_objects)
        )
        owner[start] = where
    state_parts = {
        start: random.choice(np.frombuffer(b"VPDU", "S1"), n, p=[0.4, 0.4, 0.05, 0.15]) for start, n in parts
    }
    weights = 1 / np.arange(1, scale.n_taxa + 1)
    taxon_parts = {
        start: np.array(taxa)[random.choice(scale.n_taxa, n, p=weights / weights.sum())] for start, n in parts
    }

    def objects() -> Iterator[np.ndarray]:
        now = 830_000_000_000_000  # microseconds after 2000
        for start, n in parts:
            states, chosen = state_parts[start], taxon_parts[start]
            everything = np.zeros(n, object)
            del everything
            for letter in b"VPDU":
                at = np.flatnonzero(states == bytes([letter]))
                human, machine = letter in b"VD", letter in b"P"
                ids = start + at
                fields = [
                    ("id", ">i8", ids, None),
                    ("project", ">i8", np.full(len(at), project_id), None),
                    ("sample", ">i8", np.array(samples)[owner[start][at]], None),
                    ("acquisition", ">i8", np.array(acquisitions)[owner[start][at]], None),
                    ("author", ">i8", random.choice(authors, len(at)) if human else None, None),
                    ("decided", ">i8", now - random.integers(0, 10**14, len(at)) if human else None, None),
                    ("ptaxon", ">i8", chosen[at] if machine else None, None),
                    ("score", ">f8", random.random(len(at)) if machine else None, None),
                    ("predicted", ">i8", now - random.integers(0, 10**14, len(at)) if machine else None, None),
                    ("taxon", ">i8", chosen[at] if letter not in b"U" else None, None),
                    ("state", "S1", np.full(len(at), bytes([letter])), None),
                ]
                yield rows(fields, len(at))

    copy_rows(
        conn,
        "objects.object",
        "id, project_id, sample_id, acquisition_id, author_id, decided_at, "
        "predicted_taxon_id, predicted_score, predicted_at, taxon_id, state",
        objects(),
    )

    def facts() -> Iterator[np.ndarray]:
        for start, n in parts:
            number = np.arange(start, start + n) - first
            orig = np.char.add(b"object_", np.char.zfill(number.astype("S8"), 8))
            depth = random.random(n) * 500
            yield rows(
                [
                    ("id", ">i8", number + first, None),
                    ("project", ">i8", np.full(n, project_id), None),
                    ("orig", orig.dtype.str, orig, None),
                    ("random", ">i4", random.integers(-(2**31), 2**31 - 1, n), None),
                    ("lat", ">f8", random.uniform(-60, 60, n), None),
                    ("lon", ">f8", random.uniform(-180, 180, n), None),
                    ("dmin", ">f8", depth, None),
                    ("dmax", ">f8", depth + random.random(n) * 50, None),
                    ("date", ">i4", random.integers(5000, 9600, n), None),
                    ("time", ">i8", random.integers(0, 86_400, n) * 1_000_000, None),
                    ("sun", "S1", random.choice(np.frombuffer(b"DUNA?", "S1"), n), None),
                ],
                n,
            )

    copy_rows(
        conn,
        "objects.fact",
        "object_id, project_id, orig_id, random_value, latitude, longitude, depth_min, "
        "depth_max, date, time, sun_position",
        facts(),
    )

    def features() -> Iterator[np.ndarray]:
        for start, n in parts:
            numbers = float_array(random.lognormal(3, 1, (n, scale.n_numbers)))
            words = np.char.add(b"word_", np.char.zfill(random.integers(0, 1000, (n, scale.n_texts)).astype("S4"), 4))
            cells = text_array(words)
            dtype = np.dtype(
                [
                    ("n", ">i2"),
                    ("l0", ">i4"),
                    ("id", ">i8"),
                    ("l1", ">i4"),
                    ("project", ">i8"),
                    ("l2", ">i4"),
                    ("numbers", numbers.dtype),
                    ("l3", ">i4"),
                    ("texts", cells.dtype),
                ]
            )
            made = np.zeros(n, dtype)
            made["n"], made["l0"], made["l1"] = 4, 8, 8
            made["id"], made["project"] = np.arange(start, start + n), project_id
            made["l2"], made["l3"] = numbers.dtype.itemsize, cells.dtype.itemsize
            made["numbers"], made["texts"] = numbers, cells
            yield made

    copy_rows(conn, "objects.feature", "object_id, project_id, numbers, texts", features())
    conn.execute(
        "INSERT INTO objects.project_taxon SELECT project_id, coalesce(taxon_id, -1), count(*), "
        "count(*) FILTER (WHERE state = 'P'), count(*) FILTER (WHERE state = 'V'), count(*) FILTER (WHERE state = 'D') "
        "FROM objects.object WHERE project_id = %s GROUP BY 1, 2",
        (project_id,),
    )


def _taxa(conn: psycopg.Connection, scale: Scale) -> list[int]:
    root = conn.execute(
        "INSERT INTO objects.taxon (path, name, display_name) VALUES ('{}', 'bench', 'bench') RETURNING id"
    ).fetchone()[0]
    conn.execute("UPDATE objects.taxon SET path = ARRAY[id] WHERE id = %s", (root,))
    made = [
        row[0]
        for row in conn.execute(
            "INSERT INTO objects.taxon (parent_id, path, name, display_name) "
            "SELECT %s, '{}', 'taxon ' || i, 'taxon ' || i FROM generate_series(1, %s) i RETURNING id",
            (root, scale.n_taxa),
        )
    ]
    conn.execute("UPDATE objects.taxon SET path = ARRAY[%s, id] WHERE parent_id = %s", (root, root))
    return made
