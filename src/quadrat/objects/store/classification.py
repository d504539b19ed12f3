"""Classification of many objects at once: `rules.classification.transition` as statements over sets.

Each statement reads the state before, writes the new one, the lines of history, the project's counts and the note for
the caches, so that the project's clock is held for one exchange with the database. The caller holds the clock: the
state cannot change in between.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.db.engine import Database
from quadrat.identity.types import ProjectId, UserId
from quadrat.objects.frames.sets import distinct
from quadrat.objects.frames.specs import Array, Ids, Numbers
from quadrat.objects.rules.classification import EPOCH, Reversion
from quadrat.objects.store.arrays import integers, numbers, read_array, to_ids
from quadrat.objects.store.clock import CHANNEL, MOST_NAMED_OBJECTS, forget_changes, sent_behind, tick_first
from quadrat.objects.types import State

_MOST_RECENT_TAXA = 20

# `old` has the objects that change, with their present state and the new one (new_taxon, new_state). What follows is
# the same for all statements: the line of each former state, and the counts by taxon and state. Rows are found again by
# their place, which cannot change while we are the only writer.
_LINES = """
line AS (
    INSERT INTO objects.history (object_id, change, entered_at, taxon_id, author_id, score, state)
    SELECT id, :number,
           coalesce(CASE WHEN state = 'P' THEN predicted_at ELSE decided_at END, :epoch),
           taxon_id, CASE WHEN state <> 'P' THEN author_id END, CASE WHEN state = 'P' THEN predicted_score END, state
    FROM old WHERE state <> 'U' AND logged
)"""
_COUNTS = """
counted AS (
    INSERT INTO objects.project_taxon AS t (project_id, taxon_id, n_objects, n_predicted, n_validated, n_dubious)
    SELECT :project, taxon, sum(n), coalesce(sum(n) FILTER (WHERE state = 'P'), 0),
           coalesce(sum(n) FILTER (WHERE state = 'V'), 0), coalesce(sum(n) FILTER (WHERE state = 'D'), 0)
    FROM (
        SELECT coalesce(taxon_id, -1) AS taxon, state, -count(*) AS n FROM old GROUP BY 1, 2
        UNION ALL
        SELECT coalesce(new_taxon, -1), new_state, count(*) FROM old GROUP BY 1, 2
    ) moved
    GROUP BY taxon
    HAVING bool_or(n <> 0)
    ORDER BY taxon
    ON CONFLICT (project_id, taxon_id) DO UPDATE SET
        n_objects = t.n_objects + excluded.n_objects, n_predicted = t.n_predicted + excluded.n_predicted,
        n_validated = t.n_validated + excluded.n_validated, n_dubious = t.n_dubious + excluded.n_dubious
)"""

# What the caches are told, as `clock.note_change` does it.
_NOTED = """
touched AS MATERIALIZED (
    SELECT count(*) AS n, array_agg(id ORDER BY id) AS ids FROM old
),
noted AS (
    INSERT INTO objects.change AS c (project_id, number, kind, object_ids)
    SELECT :project, :number, 'state', CASE WHEN n <= :most_named THEN ids END FROM touched WHERE n > 0
    ON CONFLICT (project_id, number) DO UPDATE SET
        kind = CASE WHEN c.kind = excluded.kind THEN c.kind ELSE 'added' END,
        object_ids = CASE WHEN c.kind = excluded.kind THEN c.object_ids || excluded.object_ids END
)"""
# The authors work in the project, and have just assigned these: pairs of author and taxon, the latest first.
_REMEMBERED = """
remembered AS (
    INSERT INTO objects.user_project AS u (user_id, project_id, used_at, recent_taxa)
    SELECT author, :project, now(), coalesce(array_agg(taxon ORDER BY place) FILTER (WHERE taxon <> -1), '{}')
    FROM unnest(:recent_authors, :recent_taxa) WITH ORDINALITY AS r (author, taxon, place)
    WHERE (SELECT is_whole FROM found)
    GROUP BY author ORDER BY author
    ON CONFLICT (user_id, project_id) DO UPDATE SET used_at = excluded.used_at, recent_taxa = ARRAY(
        SELECT id FROM (
            SELECT id, min(place) AS place
            FROM unnest(excluded.recent_taxa || u.recent_taxa) WITH ORDINALITY AS r (id, place)
            GROUP BY id ORDER BY place LIMIT :most_recent
        ) merged ORDER BY place)
)"""
_DONE = "SELECT n, CASE WHEN n > 0 THEN pg_notify(:channel, :project ::text) IS NOT NULL END"


def _decide(given: str, by: str, letter: str, answer: str) -> Any:
    """Decisions; none of them when not all `n_wanted` objects are there.

    Args:
        given: Where they come from, with a name for each column.
        by: Who decides.
        letter: Into which state; NULL for the present one.
        answer: What is said of the objects that changed, whose numbers are `ids`.
    """
    statement = f"""
WITH given AS (
    SELECT * FROM unnest({given})
),
wanted AS MATERIALIZED (
    SELECT o.*, o.ctid AS place, coalesce(nullif(given.taxon, -1), o.taxon_id) AS new_taxon,
           coalesce({letter}, o.state)::char(1) AS new_state, CAST({by} AS bigint) AS by_id
    FROM given JOIN objects.object o ON o.id = given.id
    WHERE o.project_id = :project AND o.id = ANY(:ids)
),
found AS MATERIALIZED (
    SELECT count(*) AS n, count(*) >= :n_wanted AS is_whole FROM wanted
),
old AS NOT MATERIALIZED (
    SELECT *, true AS logged FROM wanted
    WHERE (SELECT is_whole FROM found) AND new_taxon IS NOT NULL AND new_state <> 'U' AND (
        new_taxon IS DISTINCT FROM taxon_id OR new_state <> state OR (new_state <> 'P' AND author_id <> by_id))
),
done AS (
    UPDATE objects.object o SET
        taxon_id = old.new_taxon,
        state = old.new_state,
        author_id = CASE WHEN old.new_state <> 'P' THEN old.by_id END,
        decided_at = CASE WHEN old.new_state <> 'P' THEN :at END,
        predicted_taxon_id = CASE WHEN old.new_state = 'P' THEN old.new_taxon ELSE old.predicted_taxon_id END,
        predicted_at = CASE WHEN old.new_state = 'P' THEN :at ELSE old.predicted_at END
    FROM old WHERE o.ctid = old.place
), {_LINES}, {_COUNTS}, {_NOTED}, {_REMEMBERED}
{_DONE}, (SELECT found.n FROM found), {answer} FROM touched
"""  # noqa: S608 - constants of this module
    return text(statement)


_DECIDE = _decide(":ids, :taxa) AS g (id, taxon", ":author", ":state", "NULL")
# Sent right behind `TICK`, so that the number and the time of the change are found where that has left them.
_DECIDE_TOGETHER = sent_behind(
    _decide(
        ":ids, :taxa, :authors, :letters) AS g (id, taxon, author, letter",
        "given.author",
        "CASE WHEN given.letter > 0 THEN chr(CAST(given.letter AS int)) END",
        "array_send(ids), (SELECT number FROM turn), (SELECT at FROM turn)",
    ).text.replace(
        "WITH given AS (",
        "WITH turn AS MATERIALIZED (\n"
        "    SELECT last AS number, clock_timestamp() AS at FROM objects.clock WHERE project_id = :project\n"
        "),\ngiven AS (",
    )
)

_PREDICT = text(f"""
WITH given AS (
    SELECT * FROM unnest(:ids, :taxa, :scores) AS g (id, taxon, score)
),
wanted AS (
    SELECT o.*, o.ctid AS place, given.taxon AS guess, given.score,
           CASE WHEN o.state IN ('V', 'D') THEN o.taxon_id ELSE given.taxon END AS new_taxon,
           CASE WHEN o.state IN ('V', 'D') THEN o.state ELSE 'P' END::char(1) AS new_state
    FROM given JOIN objects.object o ON o.id = given.id
    WHERE o.project_id = :project AND o.id = ANY(:ids) AND (:decided OR o.state IN ('U', 'P'))
),
old AS MATERIALIZED (
    SELECT *, (:keep_log AND state = 'P') AS logged FROM wanted
),
done AS (
    UPDATE objects.object o SET
        taxon_id = old.new_taxon,
        state = old.new_state,
        predicted_taxon_id = old.guess,
        predicted_score = old.score,
        predicted_at = :at
    FROM old WHERE o.ctid = old.place
), {_LINES}, {_COUNTS}, {_NOTED}
{_DONE} FROM touched
""")  # noqa: S608 - constants of this module

_RESET = text(f"""
WITH old AS MATERIALIZED (
    SELECT o.*, o.ctid AS place, true AS logged, o.taxon_id AS new_taxon, 'P'::char(1) AS new_state
    FROM unnest(:ids) AS g (id) JOIN objects.object o ON o.id = g.id
    WHERE o.project_id = :project AND o.state IN ('V', 'D')
),
done AS (
    UPDATE objects.object o SET
        state = 'P', author_id = NULL, decided_at = NULL,
        predicted_taxon_id = old.taxon_id, predicted_score = 1, predicted_at = :at
    FROM old WHERE o.ctid = old.place
), {_LINES}, {_COUNTS}, {_NOTED}
{_DONE} FROM touched
""")  # noqa: S608 - constants of this module

# The newest line that counts, for each object that is concerned.
_CHOSEN = """
chosen AS MATERIALIZED (
    SELECT o.*, o.ctid AS place, h.change AS line,
           h.line_place, h.entered_at, h.taxon_id AS h_taxon, h.state AS h_state, h.author_id AS h_author,
           h.score AS h_score
    FROM unnest(:ids) AS g (id)
    JOIN objects.object o ON o.id = g.id
    LEFT JOIN LATERAL (
        SELECT *, l.ctid AS line_place FROM objects.history l
        WHERE l.object_id = o.id
          AND (CAST(:target AS bigint) IS NULL OR l.author_id = :target)
          AND (CAST(:not_by AS bigint) IS NULL OR l.author_id IS DISTINCT FROM :not_by)
        ORDER BY l.change DESC LIMIT 1
    ) h ON true
    WHERE o.project_id = :project
      AND (CAST(:target AS bigint) IS NULL OR (o.author_id <> :target AND h.change IS NOT NULL))
)"""
# Rows of a fixed length, as `Restorables` reads them.
_PACKED = """
(SELECT string_agg(
    int8send(id) || int8send(coalesce(taxon_id, -1)) || timestamptz_send(coalesce(entered_at, '-infinity'))
    || int8send(coalesce(h_taxon, -1)) || coalesce(h_state, 'U')::bytea || int8send(coalesce(h_author, -1))
    || float8send(coalesce(h_score, 'NaN')), ''::bytea ORDER BY id) FROM chosen)"""
_RESTORABLE = text(f"WITH {_CHOSEN} SELECT {_PACKED}")

_RESTORE = f"""
WITH {_CHOSEN},
old AS MATERIALIZED (
    SELECT *, h_taxon AS new_taxon, coalesce(h_state, 'U')::char(1) AS new_state FROM chosen
),
done AS (
    UPDATE objects.object o SET
        taxon_id = old.h_taxon,
        state = old.new_state,
        author_id = CASE WHEN old.new_state IN ('V', 'D') THEN old.h_author END,
        decided_at = CASE WHEN old.new_state IN ('V', 'D') THEN old.entered_at END,
        predicted_taxon_id = CASE WHEN old.new_state = 'P' THEN old.h_taxon ELSE old.predicted_taxon_id END,
        predicted_score = CASE WHEN old.new_state = 'P' THEN old.h_score ELSE old.predicted_score END,
        predicted_at = CASE WHEN old.new_state = 'P' THEN old.entered_at ELSE old.predicted_at END
    FROM old WHERE o.ctid = old.place AND NOT (old.state = 'U' AND old.new_state = 'U')
),
used AS (
    DELETE FROM objects.history h USING old WHERE {{used}}
), {_COUNTS}, {_NOTED}
{_DONE}, {_PACKED} FROM touched
"""  # noqa: S608 - constants of this module
# The newest line of all is the only one that is used up; where some do not count, so are those after the one that does.
_RESTORE_NEWEST = text(_RESTORE.format(used="h.ctid = old.line_place"))
_RESTORE_CHOSEN = text(_RESTORE.format(used="h.object_id = old.id AND (old.line IS NULL OR h.change >= old.line)"))

# Only what nobody has touched since, as the same decision at the same moment tells.
_UNDO = text(f"""
WITH old AS MATERIALIZED (
    SELECT o.*, h.entered_at, h.author_id AS h_author,
           h.taxon_id AS new_taxon, coalesce(h.state, 'U')::char(1) AS new_state
    FROM unnest(:ids) AS g (id) JOIN objects.object o ON o.id = g.id
    LEFT JOIN objects.history h ON h.object_id = o.id AND h.change = :undone
    WHERE o.project_id = :project AND o.author_id = :author AND o.decided_at = :decided_at
      AND NOT EXISTS (SELECT FROM objects.history l WHERE l.object_id = o.id AND l.change > :undone)
),
done AS (
    UPDATE objects.object o SET
        taxon_id = old.new_taxon,
        state = old.new_state,
        author_id = CASE WHEN old.new_state IN ('V', 'D') THEN old.h_author END,
        decided_at = CASE WHEN old.new_state IN ('V', 'D') THEN old.entered_at END
    FROM old WHERE o.id = old.id
),
used AS (
    DELETE FROM objects.history h USING old WHERE h.object_id = old.id AND h.change = :undone
), {_COUNTS}, {_NOTED}
{_DONE} FROM touched
""")  # noqa: S608 - constants of this module


@dataclass(frozen=True, slots=True)
class Change:
    """The change that a transaction makes, after `tick`.

    Args:
        project_id: Where.
        number: What `tick` gave.
        at: The one time of the whole change, taken after `tick`.
    """

    project_id: ProjectId
    number: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Decision:
    """What one person decides about objects of one project.

    Args:
        object_ids: Which, each once.
        taxa: For each; -1 keeps the present one.
        state: For all; None keeps the present one.
        author_id: Who.
    """

    object_ids: Ids
    taxa: Ids
    state: State | None
    author_id: UserId

    @property
    def letter(self) -> int:
        """The code of the state's letter; 0 for the present one."""
        return 0 if self.state is None else ord(self.state)


_RESTORABLE_ROW = np.dtype(
    [
        ("id", ">i8"),
        ("taxon", ">i8"),
        ("at", ">i8"),
        ("former", ">i8"),
        ("state", "u1"),
        ("by", ">i8"),
        ("score", ">f8"),
    ]
)


@dataclass(frozen=True, slots=True)
class Restorables:
    """What a revert does to objects, in columns, by number of the object; without a line one becomes unclassified.

    Args:
        object_ids: Which.
        taxa: The present ones; -1 for none.
        entered_at: When the former states were entered, as a column of moments has it.
        former_taxa: -1 without a line.
        former_states: Codes of letters; that of U without a line.
        former_authors: -1 for none.
        former_scores: NaN for none.
    """

    object_ids: Ids
    taxa: Ids
    entered_at: Ids
    former_taxa: Ids
    former_states: Array
    former_authors: Ids
    former_scores: Numbers


async def decide(
    tx: AsyncConnection, change: Change, given: tuple[Ids, Ids], state: State | None, author_id: UserId
) -> tuple[int, int]:
    """A person classifies; how many objects changed (none when some are gone), and how many are there.

    Args:
        tx: The transaction.
        change: Which change this is.
        given: Objects, each once, and the taxon for each; -1 keeps the present one.
        state: For all; None keeps the present one.
        author_id: Who.
    """
    object_ids, taxa = given
    authors, recent = _recent([Decision(object_ids, taxa, state, author_id)])
    parameters = {
        "ids": integers(object_ids),
        "taxa": integers(taxa),
        "state": None if state is None else state.value,
        "author": author_id,
        "n_wanted": len(object_ids),
        "recent_authors": integers(authors),
        "recent_taxa": integers(recent),
        "most_recent": _MOST_RECENT_TAXA,
    }
    n, _, n_found, _ = await _run(tx, change, _DECIDE, parameters)
    return n, n_found


async def decide_together(
    db: Database, project_id: ProjectId, decisions: Sequence[Decision]
) -> tuple[Change, Ids] | None:
    """Several decisions as one change and a transaction of their own, on one way to the database.

    Gives the change and the objects that are others now, rising; None, with nothing decided, when some of the objects
    are gone.

    Args:
        db: Where.
        project_id: Of the objects.
        decisions: No object may be in two of them.
    """
    lengths = [len(each.object_ids) for each in decisions]
    authors, taxa = _recent(decisions)
    parameters = {
        "ids": integers(np.concatenate([each.object_ids for each in decisions])),
        "taxa": integers(np.concatenate([each.taxa for each in decisions])),
        "authors": integers(np.repeat([each.author_id for each in decisions], lengths)),
        "letters": integers(np.repeat([each.letter for each in decisions], lengths)),
        "n_wanted": sum(lengths),
        "recent_authors": integers(authors),
        "recent_taxa": integers(taxa),
        "most_recent": _MOST_RECENT_TAXA,
        **_constants(project_id),
    }
    _, row = await db.at_once(*tick_first(project_id, _DECIDE_TOGETHER, parameters))
    if row is None:
        message = "the statement gives no row"
        raise LookupError(message)
    _, _, n_found, changed, number, at = row
    return (Change(project_id, number, at), read_array(changed)) if n_found == sum(lengths) else None


def _recent(decisions: Sequence[Decision]) -> tuple[Ids, Ids]:
    """Pairs of author and assigned taxon, of each author the latest first; -1 for none."""
    latest: dict[int, dict[int, None]] = {}
    for each in reversed(decisions):
        taxa = latest.setdefault(each.author_id, {})
        taxa.update(dict.fromkeys(distinct(each.taxa[each.taxa != -1])[:_MOST_RECENT_TAXA].tolist()))
    pairs = [(author, taxon) for author, taxa in latest.items() for taxon in list(taxa)[:_MOST_RECENT_TAXA] or [-1]]
    return to_ids([author for author, _ in pairs]), to_ids([taxon for _, taxon in pairs])


async def predict(
    tx: AsyncConnection,
    change: Change,
    guesses: tuple[Ids, Ids, Numbers],
    *,
    keep_log: bool,
    on_decided: bool = True,
) -> int:
    """A machine classifies; how many objects it said something about.

    Args:
        tx: The transaction.
        change: Which change this is.
        guesses: Objects, each once, with taxon and score.
        keep_log: Whether a replaced prediction goes to history.
        on_decided: Whether it is also noted for objects that a person has decided on, whose state stays.
    """
    object_ids, taxa, scores = guesses
    parameters = {
        "ids": integers(object_ids),
        "taxa": integers(taxa),
        "scores": numbers(scores),
        "keep_log": keep_log,
        "decided": on_decided,
    }
    return await _change(tx, change, _PREDICT, parameters)


async def reset(tx: AsyncConnection, change: Change, object_ids: Ids) -> int:
    """Turn decisions into sure predictions; how many."""
    return await _change(tx, change, _RESET, {"ids": integers(object_ids)})


async def find_restorable(
    tx: AsyncConnection, project_id: ProjectId, object_ids: Ids, wanted: Reversion
) -> Restorables:
    """What a revert would do, by number of the object."""
    rows = await tx.execute(_RESTORABLE, {"project": project_id, **_reversion(object_ids, wanted)})
    return _unpacked(rows.scalar_one())


async def restore(tx: AsyncConnection, change: Change, object_ids: Ids, wanted: Reversion) -> Restorables:
    """Revert, and use up the lines; what that did."""
    every_line_counts = wanted.target_id is None and wanted.not_by_id is None
    statement = _RESTORE_NEWEST if every_line_counts else _RESTORE_CHOSEN
    return _unpacked((await _run(tx, change, statement, _reversion(object_ids, wanted)))[2])


def _unpacked(packed: bytes | None) -> Restorables:
    rows = np.frombuffer(packed or b"", _RESTORABLE_ROW)
    names = _RESTORABLE_ROW.names or ()
    return Restorables(*(rows[name].astype(rows[name].dtype.newbyteorder("=")) for name in names))


async def undo(tx: AsyncConnection, change: Change, made: Change, object_ids: Ids, author_id: UserId) -> int:
    """Take back a person's decisions exactly, history included, where nothing has happened since; how many.

    Args:
        tx: The transaction.
        change: Which change this is.
        made: The change that is taken back.
        object_ids: Which objects it may have concerned.
        author_id: Who made it.
    """
    parameters = {
        "ids": integers(object_ids),
        "undone": made.number,
        "decided_at": made.at,
        "author": author_id,
    }
    return await _change(tx, change, _UNDO, parameters)


def _reversion(object_ids: Ids, wanted: Reversion) -> dict[str, Any]:
    return {"ids": integers(object_ids), "target": wanted.target_id, "not_by": wanted.not_by_id}


async def _change(tx: AsyncConnection, change: Change, statement: Any, parameters: dict[str, Any]) -> int:
    n: int = (await _run(tx, change, statement, parameters))[0]
    return n


async def _run(tx: AsyncConnection, change: Change, statement: Any, parameters: dict[str, Any]) -> Any:
    given = {"number": change.number, "at": change.at, **_constants(change.project_id), **parameters}
    row = (await tx.execute(statement, {name: given[name] for name in statement._bindparams})).one()
    await forget_changes(tx, change.project_id, change.number)
    return row


def _constants(project_id: ProjectId) -> dict[str, Any]:
    return {"project": project_id, "epoch": EPOCH, "channel": CHANNEL, "most_named": MOST_NAMED_OBJECTS}
