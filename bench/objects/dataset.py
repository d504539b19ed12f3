"""A million objects, written straight into the tables with COPY."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import psycopg

FLOAT8_OID, TEXT_OID = 701, 25
CHUNK = 50_000
NOW_US = 830_000_000_000_000  # microseconds after 2000
STATES = np.frombuffer(b"VPDU", "S1")
SHARES = [0.4, 0.4, 0.05, 0.15]
_HEADER = [("dims", ">i4"), ("nulls", ">i4"), ("oid", ">i4"), ("size", ">i4"), ("first", ">i4")]


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


def packed(columns: Sequence[tuple[str | np.dtype, np.ndarray | None]], n: int) -> np.ndarray:
    """Rows from columns; a column without values is NULL."""
    dtype: list[tuple] = [("n", ">i2")]
    for place, (form, values) in enumerate(columns):
        dtype.append((f"l{place}", ">i4"))
        if values is not None:
            dtype.append((f"v{place}", form))
    made = np.zeros(n, dtype=dtype)
    made["n"] = len(columns)
    for place, (form, values) in enumerate(columns):
        made[f"l{place}"] = -1 if values is None else np.dtype(form).itemsize
        if values is not None:
            made[f"v{place}"] = values
    return made


def arrays(values: np.ndarray, form: str, oid: int) -> np.ndarray:
    """Array cells of one length and width without NULL."""
    n, width = values.shape
    made = np.zeros(n, [*_HEADER, ("cells", [("length", ">i4"), ("value", form)], (width,))])
    made["dims"], made["oid"], made["size"], made["first"] = 1, oid, width, 1
    made["cells"]["length"] = np.dtype(form).itemsize
    made["cells"]["value"] = values
    return made


class Loader:
    """Fills an empty project; the caller commits."""

    def __init__(self, conn: psycopg.Connection, project_id: int, authors: list[int], scale: Scale) -> None:
        self.conn, self.project_id, self.authors, self.scale = conn, project_id, authors, scale
        self.random = np.random.default_rng(7)

    def load(self) -> None:
        """Write everything."""
        self._settings()
        self.taxa = np.array(self._taxa())
        self.samples, self.acquisitions = (np.array(ids) for ids in self._places())
        self.first = self._take_ids()
        self._objects()
        self._facts()
        self._features()
        self.conn.execute(
            "INSERT INTO objects.project_taxon SELECT project_id, coalesce(taxon_id, -1), count(*), "
            "count(*) FILTER (WHERE state = 'P'), count(*) FILTER (WHERE state = 'V'), "
            "count(*) FILTER (WHERE state = 'D') FROM objects.object WHERE project_id = %s GROUP BY 1, 2",
            (self.project_id,),
        )

    def _ids(self, statement: str, parameters: tuple) -> list[int]:
        return [row[0] for row in self.conn.execute(statement, parameters)]

    def _settings(self) -> None:
        numbers = [f"feature_{i:02d}" for i in range(self.scale.n_numbers)]
        texts = [f"text_{i:02d}" for i in range(self.scale.n_texts)]
        self.conn.execute(
            "INSERT INTO objects.project (project_id, object_numbers, object_texts, instrument) "
            "VALUES (%s, %s, %s, %s) "
            "ON CONFLICT (project_id) DO UPDATE SET object_numbers = excluded.object_numbers, "
            "object_texts = excluded.object_texts, instrument = excluded.instrument",
            (self.project_id, numbers, texts, "Zooscan"),
        )
        self.conn.execute(
            "INSERT INTO objects.clock (project_id, last) VALUES (%s, 1) ON CONFLICT (project_id) DO UPDATE SET "
            "last = clock.last + 1, horizon = clock.last + 1, content = gen_random_uuid()",
            (self.project_id,),
        )

    def _taxa(self) -> list[int]:
        root = self._ids(
            "INSERT INTO objects.taxon (path, name, display_name) VALUES ('{}', 'bench', 'bench') RETURNING id", ()
        )[0]
        self.conn.execute("UPDATE objects.taxon SET path = ARRAY[id] WHERE id = %s", (root,))
        made = self._ids(
            "INSERT INTO objects.taxon (parent_id, path, name, display_name) "
            "SELECT %s, '{}', 'taxon ' || i, 'taxon ' || i FROM generate_series(1, %s) i RETURNING id",
            (root, self.scale.n_taxa),
        )
        self.conn.execute("UPDATE objects.taxon SET path = ARRAY[%s, id] WHERE parent_id = %s", (root, root))
        return made

    def _places(self) -> tuple[list[int], list[int]]:
        samples = self._ids(
            "INSERT INTO objects.net_sample (project_id, orig_id) "
            "SELECT %s, 'haul_' || i FROM generate_series(1, %s) i RETURNING id",
            (self.project_id, self.scale.n_samples),
        )
        acquisitions = self._ids(
            "INSERT INTO objects.acquisition (project_id, sample_id, orig_id) SELECT project_id, id, 'acq_' || orig_id "
            "FROM objects.net_sample WHERE project_id = %s ORDER BY id RETURNING id",
            (self.project_id,),
        )
        return samples, acquisitions

    def _take_ids(self) -> int:
        sequence = "pg_get_serial_sequence('objects.object', 'id')"
        last = self._ids(f"SELECT setval({sequence}, nextval({sequence}) + %s)", (self.scale.n_objects,))[0]
        return last - self.scale.n_objects

    def _chunks(self) -> Iterator[np.ndarray]:
        for start in range(0, self.scale.n_objects, CHUNK):
            yield self.first + np.arange(start, min(start + CHUNK, self.scale.n_objects))

    def _objects(self) -> None:
        names = (
            "id, project_id, sample_id, acquisition_id, author_id, decided_at, predicted_taxon_id, predicted_score, "
            "predicted_at, taxon_id, state"
        )
        copy_rows(self.conn, "objects.object", names, self._object_rows())

    def _object_rows(self) -> Iterator[np.ndarray]:
        weights = 1 / np.arange(1, self.scale.n_taxa + 1)
        for chunk in self._chunks():
            states = self.random.choice(STATES, len(chunk), p=SHARES)
            for letter in STATES:
                ids = chunk[states == letter]
                place = (ids - self.first) * self.scale.n_samples // self.scale.n_objects
                taxa = self.taxa[self.random.choice(self.scale.n_taxa, len(ids), p=weights / weights.sum())]
                times = NOW_US - self.random.integers(0, 10**14, len(ids))
                human, machine = letter in (b"V", b"D"), letter == b"P"
                columns = [
                    (">i8", ids),
                    (">i8", np.full(len(ids), self.project_id)),
                    (">i8", self.samples[place]),
                    (">i8", self.acquisitions[place]),
                    (">i8", self.random.choice(self.authors, len(ids)) if human else None),
                    (">i8", times if human else None),
                    (">i8", taxa if machine else None),
                    (">f8", self.random.random(len(ids)) if machine else None),
                    (">i8", times if machine else None),
                    (">i8", taxa if human or machine else None),
                    ("S1", np.full(len(ids), letter)),
                ]
                yield packed(columns, len(ids))

    def _facts(self) -> None:
        names = (
            "object_id, project_id, orig_id, random_value, latitude, longitude, depth_min, depth_max, date, time, "
            "sun_position"
        )
        copy_rows(self.conn, "objects.fact", names, self._fact_rows())

    def _fact_rows(self) -> Iterator[np.ndarray]:
        for chunk in self._chunks():
            n = len(chunk)
            names = np.char.add(b"object_", np.char.zfill((chunk - self.first).astype("S8"), 8))
            depth = self.random.random(n) * 500
            columns = [
                (">i8", chunk),
                (">i8", np.full(n, self.project_id)),
                (names.dtype, names),
                (">i4", self.random.integers(-(2**31), 2**31 - 1, n)),
                (">f8", self.random.uniform(-60, 60, n)),
                (">f8", self.random.uniform(-180, 180, n)),
                (">f8", depth),
                (">f8", depth + self.random.random(n) * 50),
                (">i4", self.random.integers(5000, 9600, n)),
                (">i8", self.random.integers(0, 86_400, n) * 1_000_000),
                ("S1", self.random.choice(np.frombuffer(b"DUNA?", "S1"), n)),
            ]
            yield packed(columns, n)

    def _features(self) -> None:
        copy_rows(self.conn, "objects.feature", "object_id, project_id, numbers, texts", self._feature_rows())

    def _feature_rows(self) -> Iterator[np.ndarray]:
        for chunk in self._chunks():
            n = len(chunk)
            numbers = arrays(self.random.lognormal(3, 1, (n, self.scale.n_numbers)), ">f8", FLOAT8_OID)
            words = self.random.integers(0, 1000, (n, self.scale.n_texts)).astype("S4")
            texts = arrays(np.char.add(b"word_", np.char.zfill(words, 4)), "S9", TEXT_OID)
            columns = [
                (">i8", chunk),
                (">i8", np.full(n, self.project_id)),
                (numbers.dtype, numbers),
                (texts.dtype, texts),
            ]
            yield packed(columns, n)


def load(conn: psycopg.Connection, project_id: int, authors: list[int], scale: Scale) -> None:
    """Fill an empty project; the caller commits."""
    Loader(conn, project_id, authors, scale).load()
