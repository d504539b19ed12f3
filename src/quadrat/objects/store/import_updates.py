"""What an import changes of objects that the project has."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import BigInteger, bindparam, func, literal, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.objects.tables import fact, feature

_FACTS = ("latitude", "longitude", "depth_min", "depth_max", "date", "time", "link", "complement")


async def update_facts(tx: AsyncConnection, rows: Sequence[tuple[int, Mapping[str, Any]]]) -> None:
    """Set what is given of the facts of objects; None leaves a thing as it is."""
    if not rows:
        return
    values = {name: func.coalesce(bindparam(f"new_{name}", type_=fact.c[name].type), fact.c[name]) for name in _FACTS}
    await tx.execute(
        update(fact).where(fact.c.object_id == bindparam("this")).values(values),
        [{"this": id_, **{f"new_{name}": facts.get(name) for name in _FACTS}} for id_, facts in rows],
    )


async def read_moments(
    tx: AsyncConnection, ids: Sequence[int]
) -> list[tuple[int, Any, Any, float | None, float | None]]:
    """Number, date, time, latitude and longitude of objects."""
    query = select(fact.c.object_id, fact.c.date, fact.c.time, fact.c.latitude, fact.c.longitude)
    rows = await tx.execute(query.where(fact.c.object_id == func.any(_ids(ids))))
    return [(row[0], row[1], row[2], row[3], row[4]) for row in rows]


async def set_sun_positions(tx: AsyncConnection, rows: Sequence[tuple[int, str]]) -> None:
    """Set where the sun stood over objects."""
    if rows:
        await tx.execute(
            update(fact).where(fact.c.object_id == bindparam("this")).values(sun_position=bindparam("new")),
            [{"this": id_, "new": position} for id_, position in rows],
        )


async def read_features(
    tx: AsyncConnection, ids: Sequence[int]
) -> dict[int, tuple[list[float | None], list[str | None]]]:
    """Numbers and texts of objects, each as an array by position."""
    query = select(feature.c.object_id, feature.c.numbers, feature.c.texts)
    rows = await tx.execute(query.where(feature.c.object_id == func.any(_ids(ids))))
    return {id_: (list(numbers), list(texts)) for id_, numbers, texts in rows}


async def write_features(
    tx: AsyncConnection, features: Mapping[int, tuple[list[float | None], list[str | None]]]
) -> None:
    """Replace numbers and texts of objects."""
    if features:
        await tx.execute(
            update(feature)
            .where(feature.c.object_id == bindparam("this"))
            .values(
                numbers=bindparam("new_numbers", type_=feature.c.numbers.type),
                texts=bindparam("new_texts", type_=feature.c.texts.type),
            ),
            [{"this": id_, "new_numbers": numbers, "new_texts": texts} for id_, (numbers, texts) in features.items()],
        )


def _ids(ids: Sequence[int]) -> Any:
    return literal(list(ids), ARRAY(BigInteger))
