"""Object sets for tests, written straight into the tables."""

import datetime as dt
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.identity.types import Caller, ProjectId
from quadrat.objects.rules.columns import random_value
from support.people import make_project, unique

NUMBERS = ("area", "mean", "n03", "fractal")
TEXTS = ("note", "tag")


@dataclass
class ObjectSet:
    """A project with taxa, samples and objects.

    Args:
        project_id: The project.
        taxa: A root, and below it the others; the last two are below the second.
        samples: Numbers of the samples.
        acquisitions: One for each sample.
        objects: Numbers of the objects, rising.
    """

    project_id: ProjectId
    taxa: list[int]
    samples: list[int] = field(default_factory=list)
    acquisitions: list[int] = field(default_factory=list)
    objects: list[int] = field(default_factory=list)


async def make_taxa(tx: AsyncConnection, n: int = 5) -> list[int]:
    """A root and n below it, the last two under the second."""
    made: list[int] = []
    paths: list[list[int]] = []
    for i in range(n + 1):
        parent = None if i == 0 else (made[1] if i > n - 2 and i > 1 else made[0])
        name = unique(f"taxon{i}")
        row = await tx.execute(
            text(
                "INSERT INTO objects.taxon (parent_id, path, name, display_name) VALUES (:p, '{}', :n, :n) RETURNING id"
            ),
            {"p": parent, "n": name},
        )
        id_ = row.scalar_one()
        path = [id_] if parent is None else [*paths[made.index(parent)], id_]
        await tx.execute(text("UPDATE objects.taxon SET path = :path WHERE id = :id"), {"path": path, "id": id_})
        made.append(id_)
        paths.append(path)
    return made


async def make_object_set(
    tx: AsyncConnection, owner: Caller, n: int = 10, *, n_samples: int = 2, visible: bool = False
) -> ObjectSet:
    """A project of the owner with n unclassified objects without facts."""
    project = await make_project(tx, owner)
    made = ObjectSet(project.id, await make_taxa(tx))
    await tx.execute(
        text(
            "INSERT INTO objects.project (project_id, visible, object_numbers, object_texts, sample_texts, "
            "acquisition_texts, process_texts, instrument) VALUES (:p, :v, :numbers, :texts, '{ship}', '{net}', "
            "'{soft}', 'ZooScan 2')"
        ),
        {"p": project.id, "v": visible, "numbers": list(NUMBERS), "texts": list(TEXTS)},
    )
    for i in range(n_samples):
        await _add_sample(tx, made, i)
    await add_objects(tx, made, [{} for _ in range(n)])
    return made


async def _add_sample(tx: AsyncConnection, made: ObjectSet, i: int) -> None:
    values = {"p": made.project_id, "n": f"haul {i}", "ship": ["Tara", "Le Ponant", None][i % 3], "i": i}
    sample = await tx.execute(
        text(
            "INSERT INTO objects.net_sample (project_id, orig_id, free_texts, latitude) "
            "VALUES (:p, :n, ARRAY[CAST(:ship AS text)], CAST(:i AS float8)) RETURNING id"
        ),
        values,
    )
    made.samples.append(sample.scalar_one())
    acquisition = await tx.execute(
        text(
            "INSERT INTO objects.acquisition (project_id, sample_id, orig_id, instrument, free_texts) "
            "VALUES (:p, :s, 'acq ' || :n, 'uvp', ARRAY['net ' || CAST(:i AS text)]) RETURNING id"
        ),
        {**values, "s": made.samples[-1]},
    )
    made.acquisitions.append(acquisition.scalar_one())
    await tx.execute(
        text("INSERT INTO objects.process (acquisition_id, orig_id, free_texts) VALUES (:a, :n, ARRAY['soft ' || :n])"),
        {"a": made.acquisitions[-1], "n": f"process {i}"},
    )


async def add_objects(tx: AsyncConnection, made: ObjectSet, rows: Sequence[dict[str, Any]]) -> None:
    """Objects with the values given, of any of the three tables; the rest is empty."""
    await tx.execute(
        text(
            "INSERT INTO objects.clock (project_id, last, horizon) VALUES (:p, 1, 1) "
            "ON CONFLICT (project_id) DO UPDATE SET last = clock.last + 1, "
            "horizon = clock.last + 1, content = gen_random_uuid()"
        ),
        {"p": made.project_id},
    )
    for row in rows:
        made.objects.append(await _add_object(tx, made, row))
    await tx.execute(text("DELETE FROM objects.project_taxon WHERE project_id = :p"), {"p": made.project_id})
    await tx.execute(text(f"INSERT INTO objects.project_taxon {COUNTS}"), {"p": made.project_id})


COUNTS = """
SELECT project_id, coalesce(taxon_id, -1), count(*), count(*) FILTER (WHERE state = 'P'),
       count(*) FILTER (WHERE state = 'V'), count(*) FILTER (WHERE state = 'D')
FROM objects.object WHERE project_id = :p GROUP BY 1, 2
"""
_OBJECT = ("state", "taxon_id", "author_id", "decided_at", "predicted_taxon_id", "predicted_score", "predicted_at")
_FACT = (
    "latitude",
    "longitude",
    "depth_min",
    "depth_max",
    "date",
    "time",
    "sun_position",
    "link",
    "complement",
)


async def _add_object(tx: AsyncConnection, made: ObjectSet, row: dict[str, Any]) -> int:
    place = row.get("sample", len(made.objects)) % len(made.samples)
    values = {"state": "U"} | {name: row[name] for name in _OBJECT if name in row}
    values |= {
        "project_id": made.project_id,
        "sample_id": made.samples[place],
        "acquisition_id": made.acquisitions[place],
    }
    id_: int = (await tx.execute(_insert("object", values, "RETURNING id"), values)).scalar_one()
    name = row.get("orig_id", f"object {id_}")
    facts = {"object_id": id_, "project_id": made.project_id, "orig_id": name, "random_value": random_value(name)}
    facts |= {name: row[name] for name in _FACT if name in row}
    await tx.execute(_insert("fact", facts), facts)
    features = {
        "object_id": id_,
        "project_id": made.project_id,
        "numbers": row.get("numbers", []),
        "texts": row.get("texts", []),
    }
    await tx.execute(_insert("feature", features), features)
    return id_


def _insert(table: str, values: dict[str, Any], ending: str = "") -> Any:
    names = ", ".join(values)
    places = ", ".join(f"CAST(:{name} AS {_CASTS[name]})" if name in _CASTS else f":{name}" for name in values)
    return text(f"INSERT INTO objects.{table} ({names}) VALUES ({places}) {ending}")


_CASTS = {"numbers": "float8[]", "texts": "text[]"}


async def add_image(
    tx: AsyncConnection, made: ObjectSet, object_id: int, rank: int = 0, *, thumbnail: bool = False
) -> int:
    """An image, without bytes."""
    row = await tx.execute(
        text(
            "INSERT INTO objects.image (object_id, project_id, rank, file_name, extension, width_px, height_px, "
            "size_bytes, thumbnail_width_px, thumbnail_height_px) VALUES (:o, :p, :r, 'i' || :r || '.png', '.png', 10, "
            "20, 30, CAST(:t AS int), CAST(:t AS int)) RETURNING id"
        ),
        {"o": object_id, "p": made.project_id, "r": rank, "t": 5 if thumbnail else None},
    )
    return int(row.scalar_one())


def random_row(chance: random.Random, made: ObjectSet, authors: Sequence[int]) -> dict[str, Any]:
    """An object in any state, with any facts, some of them missing."""
    day = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)

    def maybe(value: Any) -> Any:
        return None if chance.random() < 0.2 else value

    state = chance.choice("UPVD")
    row: dict[str, Any] = {"state": state, "sample": chance.randrange(99)}
    if state != "U":
        row["taxon_id"] = chance.choice(made.taxa)
    if state in "VD":
        row["author_id"] = chance.choice(list(authors))
        row["decided_at"] = day + dt.timedelta(hours=chance.randrange(60))
    if state == "P" or chance.random() < 0.5:
        row["predicted_taxon_id"] = row["taxon_id"] if state == "P" else chance.choice(made.taxa)
        row["predicted_score"] = chance.randrange(5) / 4
        row["predicted_at"] = day + dt.timedelta(hours=chance.randrange(60))
    row |= {
        "latitude": maybe(float(chance.randrange(-3, 4))),
        "longitude": maybe(float(chance.randrange(-3, 4))),
        "depth_min": maybe(float(chance.randrange(0, 4))),
        "depth_max": maybe(float(chance.randrange(2, 7))),
        "date": maybe(dt.date(2023, 11, 1) + dt.timedelta(days=chance.randrange(0, 120))),
        "time": maybe(dt.time(chance.randrange(24), chance.choice([0, 30]))),
        "sun_position": maybe(chance.choice("DUNA?")),
        "link": maybe(chance.choice(["http://b", "http://a"])),
        "complement": maybe(chance.choice(["x", "Y", "é"])),
        "orig_id": chance.choice(["o", "O", "é", "a_1"]) + str(chance.randrange(50)),
        "numbers": [maybe(float(chance.randrange(-2, 4))) for _ in range(chance.randrange(len(NUMBERS) + 1))],
        "texts": [maybe(chance.choice(["Copepod", "cope_pod", "50%", "a\\b", ""])) for _ in range(chance.randrange(3))],
    }
    return row
