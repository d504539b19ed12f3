"""A process that classifies all objects of a project again and again, or erases them one by one, until it is killed.

Usage: python object_writer.py URL TOKEN PROJECT (classify|erase) TAXON TAXON
"""

import asyncio
import sys
import tempfile
from pathlib import Path

import numpy as np
from sqlalchemy import text

from quadrat.db.engine import Database
from quadrat.identity.actions.access import authenticate
from quadrat.objects.actions.classification import classify
from quadrat.objects.actions.objects import erase_objects
from quadrat.objects.columns.cache import ColumnCache
from quadrat.objects.types import State


def say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


async def main(url: str, token: str, project: str, work: str, *taxa: str) -> None:
    db = Database(url, pool_size=2)
    cache = ColumnCache(db, Path(tempfile.gettempdir()) / "never", 10**7)
    async with db.begin() as tx:
        caller = await authenticate(tx, token)
        rows = await tx.execute(text("SELECT id FROM objects.object WHERE project_id = :p"), {"p": int(project)})
        ids = np.array(sorted(row[0] for row in rows))
        last = await tx.execute(text("SELECT last FROM objects.clock WHERE project_id = :p"), {"p": int(project)})
        number = last.scalar_one()
    say("ready")
    while work == "classify" or len(ids):
        async with db.begin() as tx:
            if work == "erase":
                await erase_objects(tx, caller, ids[:1])
                ids = ids[1:]
            else:
                number += 1
                chosen = np.full(len(ids), int(taxa[number % 2]))
                await classify(tx, caller, ids, chosen, State.VALIDATED, cache)
        say("changed")


asyncio.run(main(*sys.argv[1:]))
