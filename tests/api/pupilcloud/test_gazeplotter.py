"""Exports read by the rules of GazePlotter, and by our own import, give the statistics that we give."""

from dataclasses import replace
from typing import Any

import pytest

from support.gaze import HEIGHT, WIDTH, Lab, make_recording, rectangle, set_up, to_files
from support.gazeplotter import Shown, read_segments, read_zip

pytestmark = pytest.mark.anyio

MASKS = [
    ("ring", rectangle(50, 60, 300, 200) & ~rectangle(100, 100, 200, 150)),
    ("over", rectangle(150, 120, 390, 280)),
    ("silent", rectangle(WIDTH - 1, HEIGHT - 1, WIDTH, HEIGHT)),
    # Names that programs which split at commas would cut, and two that are the same.
    ('odd, "name" | b', rectangle(0, 0, 200, 150)),
    ("twice", rectangle(0, 0, 100, 300)),
    ("twice", rectangle(300, 0, 400, 300)),
]
PLAIN = ["ring", "over", "silent", "odd name b", "twice", "twice (2)"]


async def fill(lab: Lab) -> Any:
    """Two recordings of one name with a comma in it; the statistics, area by area."""
    recordings = [replace(make_recording(seed, n_samples=3000), wearer=f"W{seed}") for seed in (11, 12)]
    files = to_files(recordings)
    text = files["sections"][1]
    for one in recordings:
        text = text.replace(f"rec {one.id[:4]}", '"Ada, early"')
    await lab.load({**files, "sections": ("sections.csv", text)})
    return await draw_all(lab)


async def draw_all(lab: Lab) -> Any:
    for name, inside in MASKS:
        await lab.draw(name, inside)
    return (await lab.statistics())["metrics"]


def assert_equal(shown: Shown, metrics: Any, first_fixation_ms: list[float]) -> None:
    """Every number that it shows is ours; it adds times up before it rounds them, we after that."""
    participants = ["Ada early", "Ada early (2)"]
    assert sorted(shown.segments) == participants
    places = [(area, number) for area in PLAIN for number in range(2)]
    for (area, number), row in zip(places, metrics, strict=True):
        looked = shown.looked(participants[number], area)
        assert (looked.fixations, looked.visits) == (row["total_fixations"], row["visits"]), area
        assert looked.dwell == pytest.approx(row["total_fixation_duration_ms"], abs=0.51 * looked.fixations), area
        assert (looked.first_at is None) == (row["time_to_first_fixation_ms"] is None)
        if looked.first_at is not None:
            assert looked.first_at + first_fixation_ms[number] == pytest.approx(
                row["time_to_first_fixation_ms"], abs=0.51
            )
            assert looked.first_lasts == pytest.approx(row["first_fixation_duration_ms"], abs=0.51)
    assert sum(row["total_fixations"] for row in metrics) > 50


async def download(lab: Lab, path: str, **query: str) -> tuple[bytes, str]:
    answer = await lab.client.get(f"{lab.at}/{path}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.content, answer.headers["content-disposition"]


async def test_table_of_segments_shows_our_statistics(lab: Lab):
    metrics = await fill(lab)
    data, named = await download(lab, "aois:table", table="segments")
    assert 'filename="segments.csv"' in named
    shown = read_segments(data)
    assert shown.stimuli == {"E"}
    assert_equal(shown, metrics, [0, 0])
    of_one, _ = await download(lab, "aois:table", table="segments", rids=metrics[0]["recording_id"])
    assert len(of_one.splitlines()) == 61


async def test_zip_with_plain_names_shows_our_statistics_and_is_read_back_with_the_same(lab: Lab):
    metrics = await fill(lab)
    data, named = await download(lab, "export", plain_names="true")
    assert 'filename="E.zip"' in named
    by_post = await lab.client.post(f"{lab.at}/export", json={"recording_ids": [], "plain_names": True})
    assert by_post.content == data
    shown = read_zip("E.zip", data)
    # Its clock starts with the first fixation, half a second after the recording.
    assert_equal(shown, metrics, [500, 500])
    other = await set_up(lab.house)
    await other.load({"archive": ("E.zip", data)})
    again = await draw_all(other)
    assert [strip(row) for row in again] == [strip(row) for row in metrics]


def strip(row: Any) -> Any:
    return {name: value for name, value in row.items() if name not in {"aoi_id", "recording_name"}}


async def test_zip_with_names_as_they_are_keeps_them_for_those_who_read_csv(lab: Lab):
    await fill(lab)
    data, _ = await download(lab, "export")
    shown = read_zip("E.zip", data)
    # This is what plain names are for.
    assert shown.looked('"Ada', "over").fixations > 0
    assert 'odd, "name" | b' not in {area for _, _, areas in shown.segments['"Ada'] for area in areas}
