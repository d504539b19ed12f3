"""Every number of the statistics comes as CSV too, and a download's files are read back one by one."""

import csv
import io
import zipfile
from typing import Any

import pytest

from support.gaze import Lab, Recording, make_recording, rectangle, set_up, to_files

pytestmark = pytest.mark.anyio

MASKS = {"ring": rectangle(50, 60, 300, 200), "over, there": rectangle(150, 120, 390, 280)}


@pytest.fixture
async def recordings(lab: Lab) -> list[Recording]:
    """Two recordings on two areas that overlap, and a label over both."""
    made = [make_recording(41), make_recording(42, "Bob")]
    await lab.load(to_files(made))
    areas = [(await lab.draw(name, inside, color="#112233"))["id"] for name, inside in MASKS.items()]
    await lab.ask("POST", f"{lab.place}/labels/", json={"name": "both", "aoi_ids": areas})
    return made


async def table(lab: Lab, name: str) -> list[dict[str, str]]:
    answer = await lab.client.get(f"{lab.at}/aois:table", params={"table": name})
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.text)))


def same(rows: list[dict[str, str]], wanted: list[dict[str, Any]], columns: dict[str, str]) -> None:
    """Each row of the table is one of the answer, by columns and fields."""
    assert len(rows) == len(wanted)
    assert rows
    for row, one in zip(rows, wanted, strict=True):
        for column, field in columns.items():
            value = one[field]
            if isinstance(value, int | float):
                assert float(row[column]) == pytest.approx(value, abs=0.01), column
            else:
                assert row[column] == ("" if value is None else value), column


FIXATIONS = {
    "total fixations": "total_fixations",
    "total fixation duration [ms]": "total_fixation_duration_ms",
    "average fixation duration [ms]": "average_fixation_duration_ms",
    "time to first fixation [ms]": "time_to_first_fixation_ms",
    "visits": "visits",
}
WHERE = {"recording id": "recording_id", "recording name": "recording_name", "wearer name": "wearer_name"}
ONE = {
    **FIXATIONS,
    **WHERE,
    "time to first fixation from section start [ms]": "time_to_first_fixation_from_section_ms",
    "first fixation duration [ms]": "first_fixation_duration_ms",
    "revisits": "revisits",
    "average visit duration [ms]": "average_visit_duration_ms",
}
GAZE = {"gaze samples": "gaze_samples", "total gaze duration [ms]": "total_gaze_duration_ms"}
POOLED = {
    **FIXATIONS,
    "recordings": "recordings",
    "recordings with fixation": "recordings_with_fixation",
    "reach [%]": "reach",
}
AOI = {"aoi id": "aoi_id", "aoi name": "aoi_name"}
LABEL = {"label id": "label_id", "label name": "label_name"}


@pytest.mark.usefixtures("recordings")
async def test_tables_hold_the_statistics(lab: Lab):
    found = await lab.statistics()
    same(
        await table(lab, "metrics"),
        found["metrics"],
        {**AOI, **ONE, **GAZE, "time to first gaze [ms]": "time_to_first_gaze_ms"},
    )
    same(await table(lab, "aois"), found["aois"], {**AOI, **POOLED, **GAZE, "color": "color"})
    same(await table(lab, "labels"), found["label_metrics"], {**LABEL, **ONE})
    same(await table(lab, "label_totals"), found["labels"], {**LABEL, **POOLED})
    coverage = {
        "expected samples": "expected_samples",
        "mapped samples": "mapped_samples",
        "unmapped share": "unmapped_share",
        "fixations": "fixations",
        "mapped fixations": "mapped_fixations",
    }
    same(await table(lab, "coverage"), found["coverage"], {**WHERE, **coverage})


@pytest.mark.usefixtures("recordings")
async def test_tables_hold_the_sequences(lab: Lab):
    found = await lab.ask("GET", f"{lab.at}/aois:sequences")
    visits = [
        {**one, "recording_id": recording["recording_id"]}
        for recording in found["recordings"]
        for one in recording["visits"]
    ]
    columns = {"start [ms]": "start_ms", "end [ms]": "end_ms", "fixations": "fixations", "aoi id": "aoi_id"}
    same(await table(lab, "visits"), visits, {**columns, "recording id": "recording_id"})
    names = [state["aoi_name"] for state in found["states"]]
    matrices = {recording["recording_id"]: recording["transitions"] for recording in found["recordings"]}
    wanted = {
        (recording, names[i], names[j]): count
        for recording, matrix in [*matrices.items(), ("", found["transitions"])]
        for i, row in enumerate(matrix)
        for j, count in enumerate(row)
        if count
    }
    rows = await table(lab, "transitions")
    assert {(row["recording id"], row["from"], row["to"]): int(row["transitions"]) for row in rows} == wanted
    for start in {(row["recording id"], row["from"]) for row in rows}:
        shares = [float(row["share"]) for row in rows if (row["recording id"], row["from"]) == start]
        assert sum(shares) == pytest.approx(1, abs=1e-5)


async def test_files_of_an_export_are_read_back_one_by_one(lab: Lab, recordings: list[Recording]):
    before = await lab.statistics()
    answer = await lab.client.get(f"{lab.at}/export")
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    other = await set_up(lab.house)
    parts = ("gaze", "fixations", "sections", "events")
    told = await other.load({part: (f"{part}.csv", archive.read(f"{part}.csv")) for part in parts})
    assert [row["recording_id"] for row in told["recordings"]] == [one.id for one in recordings]
    for name, inside in MASKS.items():
        await other.draw(name, inside)
    after = await other.statistics()
    for part in ("metrics", "coverage"):
        kept = [{name: value for name, value in row.items() if name != "aoi_id"} for row in before[part]]
        assert [{name: value for name, value in row.items() if name != "aoi_id"} for row in after[part]] == kept
