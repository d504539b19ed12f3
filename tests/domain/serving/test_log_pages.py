"""Pages of logs that come from very many places."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from quadrat.db.engine import Database
from quadrat.identity.types import ProjectId
from quadrat.serving.log_types import LogEntry, LogFilter, LogPlace
from quadrat.serving.rules.logs import LogIds, Window, window
from quadrat.serving.store import logs as store
from quadrat.serving.types import VersionId

pytestmark = pytest.mark.anyio

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)


@pytest.mark.parametrize("shares", ["equal", "uneven", "one has nearly all"])
async def test_page_of_many_versions_is_the_beginning_of_all_their_lines(db: Database, shares: str):
    dice, ids = random.Random(shares), LogIds()
    project = ProjectId(dice.getrandbits(40) + 2**41)
    versions = [VersionId(number) for number in range(1, 201)]
    weights = {"equal": [1.0] * 200, "uneven": [0.5**n for n in range(200)]}.get(shares, [1000.0] + [0.1] * 199)
    places = [LogPlace(project, version) for version in versions]
    lines = []
    async with db.begin() as tx:
        sources = {place: await store.find_source(tx, place, system=False) for place in places}
        for number, place in enumerate(dice.choices(places, weights, k=4000)):
            entry = LogEntry(ids.next(NOON + timedelta(seconds=number)), place, None, False, str(number))
            lines.append((sources[place], entry))
        await store.append_lines(tx, lines)
        for wanted in (versions[:40], versions[:128], versions[1:], versions):
            filtered = LogFilter(version_ids=wanted)
            found = await store.list_sources(tx, project, filtered)
            mine = [entry.id for _source, entry in lines if entry.place.version_id in wanted]
            for limit in (1, 7, 100, 500):
                for asked in _windows():
                    page = await store.list_lines(tx, project, filtered, found, (asked, limit))
                    inside = [id_ for id_ in mine if asked.first <= id_ <= asked.last]
                    expected = inside[::-1] if asked.newest_first else inside
                    assert [line[1] for line in page] == expected[:limit]


def _windows() -> list[Window]:
    return [
        window(NOON, 86_400),
        window(NOON + timedelta(hours=2), -86_400),
        window(NOON + timedelta(seconds=1000), 500),
        window(NOON + timedelta(seconds=1000), -500),
    ]
