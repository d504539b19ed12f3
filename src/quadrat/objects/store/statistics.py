"""Numbers about whole projects, and what does not fit together in them."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.identity.types import ProjectId
from quadrat.objects.tables import fact

_ACTIVITY = text(
    """
    WITH actions AS (
        SELECT o.project_id, o.author_id, o.decided_at AS at
        FROM objects.object o WHERE o.project_id = ANY(CAST(:ids AS bigint[])) AND o.author_id IS NOT NULL
        UNION ALL
        SELECT o.project_id, h.author_id, h.entered_at
        FROM objects.history h JOIN objects.object o ON o.id = h.object_id
        WHERE o.project_id = ANY(CAST(:ids AS bigint[])) AND h.author_id IS NOT NULL
    )
    SELECT project_id, author_id, count(*), max(at) FROM actions GROUP BY 1, 2 ORDER BY 1, 2
    """
)
_CHECKS = text(
    """
    SELECT 'counts', count(*) FROM (
        SELECT coalesce(taxon_id, -1) AS taxon, count(*) AS n, count(*) FILTER (WHERE state = 'V') AS v
        FROM objects.object WHERE project_id = :project GROUP BY 1
    ) real FULL JOIN (
        SELECT * FROM objects.project_taxon WHERE project_id = :project AND n_objects > 0
    ) kept ON kept.taxon_id = real.taxon
    WHERE (real.n, real.v) IS DISTINCT FROM (kept.n_objects, kept.n_validated)
    UNION ALL
    SELECT 'taxa', count(*) FROM objects.object o
    WHERE project_id = :project AND taxon_id IS NOT NULL
        AND NOT EXISTS (SELECT FROM objects.taxon t WHERE t.id = o.taxon_id)
    UNION ALL
    SELECT 'images', count(*) FROM objects.object o
    WHERE project_id = :project AND NOT EXISTS (SELECT FROM objects.image i WHERE i.object_id = o.id)
    UNION ALL
    SELECT 'facts', count(*) FROM objects.object o
    WHERE project_id = :project AND NOT EXISTS (SELECT FROM objects.fact f WHERE f.object_id = o.id)
    UNION ALL
    SELECT 'duplicates', count(*) FROM (
        SELECT FROM objects.fact WHERE project_id = :project GROUP BY orig_id HAVING count(*) > 1
    ) twice
    UNION ALL
    SELECT 'samples', count(*) FROM objects.net_sample s
    WHERE project_id = :project AND NOT EXISTS (
        SELECT FROM objects.acquisition a JOIN objects.object o ON o.acquisition_id = a.id WHERE a.sample_id = s.id)
    """
)


async def read_activity(
    tx: AsyncConnection, project_ids: Collection[ProjectId]
) -> list[tuple[ProjectId, int, int, datetime]]:
    """Project, user, how often the user has decided there, and when last."""
    rows = await tx.execute(_ACTIVITY, {"ids": list(project_ids)})
    return [(ProjectId(row[0]), row[1], row[2], row[3]) for row in rows]


async def run_checks(tx: AsyncConnection, project_id: ProjectId) -> dict[str, int]:
    """How much does not fit together, by what."""
    return {row[0]: row[1] for row in await tx.execute(_CHECKS, {"project": project_id})}


async def column_moments(
    tx: AsyncConnection,
    sources: Sequence[tuple[ProjectId, Sequence[int | str | None]]],
    taxa: Sequence[int] | None,
    limit: int | None,
) -> tuple[int, list[tuple[int, float]]]:
    """Number of objects, and for each column how many have a value, and the variance.

    Args:
        tx: The transaction.
        sources: For each project its columns: position among the free numbers, name of a fact, or None for neither.
        taxa: Objects of these only.
        limit: At most so many objects of each taxon.
    """
    width = len(sources[0][1])
    parts = []
    for at, (_, columns) in enumerate(sources):
        cells = ["o.id", "o.taxon_id"]
        cells += [f"{_expression(column)} AS c{number}" for number, column in enumerate(columns)]
        parts.append(
            f"SELECT {', '.join(cells)} FROM objects.object o JOIN objects.fact f ON f.object_id = o.id "  # noqa: S608
            f"JOIN objects.feature e ON e.object_id = o.id WHERE o.project_id = :p{at} "
            "AND (CAST(:taxa AS bigint[]) IS NULL OR o.taxon_id = ANY(CAST(:taxa AS bigint[])))"
        )
    sums = ["count(*)", *(f"count(c{number}), coalesce(var_samp(c{number}), 0)" for number in range(width))]
    statement = text(
        f"WITH every AS ({' UNION ALL '.join(parts)}), chosen AS (SELECT *, row_number() OVER "  # noqa: S608
        f"(PARTITION BY taxon_id ORDER BY id) AS place FROM every) SELECT {', '.join(sums)} FROM chosen "
        "WHERE CAST(:limit AS bigint) IS NULL OR place <= :limit"
    )
    parameters: dict[str, Any] = {f"p{at}": id_ for at, (id_, _) in enumerate(sources)}
    row = (await tx.execute(statement, {**parameters, "taxa": taxa, "limit": limit})).one()
    return row[0], [(row[1 + 2 * at], row[2 + 2 * at]) for at in range(width)]


_FACTS = {"latitude", "longitude", "depth_min", "depth_max"}


def _expression(column: int | str | None) -> str:
    """Never what a caller wrote: a position, or one of the names above."""
    if isinstance(column, int):
        return f"e.numbers[{column + 1}]"
    if column == "score":
        return "o.predicted_score"
    return f"f.{column}" if column in _FACTS else "CAST(NULL AS float8)"


async def next_moments(
    tx: AsyncConnection, project_id: ProjectId, after: int, limit: int
) -> list[tuple[int, Any, Any, float | None, float | None, str | None]]:
    """Number, date, time, latitude, longitude and sun position of the next objects of a project."""
    query = (
        select(fact.c.object_id, fact.c.date, fact.c.time, fact.c.latitude, fact.c.longitude, fact.c.sun_position)
        .where(fact.c.project_id == project_id, fact.c.object_id > after)
        .order_by(fact.c.object_id)
        .limit(limit)
    )
    return [(row[0], row[1], row[2], row[3], row[4], row[5]) for row in await tx.execute(query)]
