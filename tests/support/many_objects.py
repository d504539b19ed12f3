"""More objects than anybody would import for a test."""

from typing import Any

import psycopg


def multiply(conn: psycopg.Connection[Any], project: int, copies: int, n_objects: int) -> None:
    """Objects like the unclassified ones, so many times over, which makes so many in all."""
    conn.execute(
        "WITH made AS (INSERT INTO objects.object (project_id, sample_id, acquisition_id) "
        "SELECT project_id, sample_id, acquisition_id FROM objects.object, generate_series(2, %s) "
        "WHERE project_id = %s AND state = 'U' RETURNING id), "
        "facts AS (INSERT INTO objects.fact (object_id, project_id, orig_id, random_value, depth_min) "
        "SELECT id, %s, 'copy ' || id, 0, id %% 7 FROM made) "
        "INSERT INTO objects.feature (object_id, project_id, numbers) "
        "SELECT id, %s, ARRAY[(id %% 900)::float8 * 20] FROM made",
        [copies, project, project, project],
    )
    conn.execute(
        "UPDATE objects.project_taxon SET n_objects = %s WHERE project_id = %s AND taxon_id = -1", [n_objects, project]
    )
    conn.execute("UPDATE objects.fact SET depth_min = object_id %% 7 WHERE project_id = %s", [project])
    conn.execute(
        "UPDATE objects.clock SET last = last + 1, horizon = last + 1, content = gen_random_uuid() "
        "WHERE project_id = %s",
        [project],
    )
