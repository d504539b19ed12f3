"""Recordings written as the programs write them that labs use: their columns, their words, their folders.

Source: neon/data-collection/data-format and neon/neon-player of the manufacturer's documentation, and what
pl-rec-export and Neon Player write.
"""

import io
import json
import zipfile
from collections.abc import Mapping

from support.gaze import HEIGHT, PERIOD_NS, START_NS, WIDTH, Recording

Files = Mapping[str, str]


def csv(header: str, rows: list[str], *, line_end: str = "\n") -> str:
    return line_end.join([header, *rows, ""])


def pack(folders: Mapping[str, Files | Mapping[str, str | bytes]]) -> bytes:
    """A zip archive with these files in these folders; "" is its root."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for folder, files in folders.items():
            for name, content in files.items():
                archive.writestr(f"{folder}/{name}" if folder else name, content)
    return target.getvalue()


def end_ns(one: Recording) -> int:
    return one.samples[-1][0] + PERIOD_NS


def marker_mapper(recordings: list[Recording]) -> dict[str, str]:
    """An enrichment download of the Marker Mapper: normalized positions, unlocalised samples left out."""
    gaze, fixations, sections = [], [], []
    for one in recordings:
        head = f"{one.section},{one.id}"
        for at, there, x, y in one.samples:
            if there:
                on = "true" if 0 <= x < WIDTH and 0 <= y < HEIGHT else "false"
                gaze.append(f"{head},{at},{on},{x / WIDTH!r},{y / HEIGHT!r},")
        for number, start, end, there, x, y in one.fixations:
            flag = "true" if there else "false"
            length = (end - start) // 1_000_000
            fixations.append(f"{head},{number},{start},{end},{length},{flag},{x / WIDTH!r},{y / HEIGHT!r}")
        sections.append(
            f'{head},"Rec, {one.id[:4]}",,{one.wearer},{START_NS},{one.samples[-1][0]},recording.begin,recording.end'
        )
    return {
        "enrichment_info.txt": "Enrichment: Marker Mapper\nhttps://docs.example\nVersion: 2\n",
        "sections.csv": csv(
            "section id,recording id,recording name,wearer id,wearer name,section start time [ns],"
            "section end time [ns],start event name,end event name",
            sections,
        ),
        "gaze.csv": csv(
            "section id,recording id,timestamp [ns],gaze detected on surface,gaze position on surface x [normalized],"
            "gaze position on surface y [normalized],fixation id",
            gaze,
        ),
        "fixations.csv": csv(
            "section id,recording id,fixation id,start timestamp [ns],end timestamp [ns],duration [ms],"
            "fixation detected on surface,fixation x [normalized],fixation y [normalized]",
            fixations,
        ),
        "surface_positions.csv": "section id,recording id,detected marker IDs\n",
    }


def events(one: Recording, *, with_id: bool = True, more: tuple[str, ...] = ()) -> str:
    head = f"{one.id}," if with_id else ""
    named = [(START_NS, "recording.begin", "recording"), (end_ns(one), "recording.end", "recording")]
    named[1:1] = [(START_NS + 1_000_000_000, name, "cloud") for name in more]
    rows = [f"{head}{at},{name},{kind}" for at, name, kind in named]
    return csv(("recording id," if with_id else "") + "timestamp [ns],name,type", rows)


def info(one: Recording) -> str:
    facts = {
        "recording_id": one.id,
        "start_time": START_NS,
        "duration": end_ns(one) - START_NS,
        "wearer_id": "7b3f1c3e-0000-4000-8000-000000000001",
        "wearer_name": one.wearer,
        "frame_name": "Better",
        "gaze_offset": [0, 0],
    }
    return json.dumps(facts, indent=2)


def timeseries(one: Recording) -> dict[str, str]:
    """A recording of a Timeseries Data download: scene camera pixels."""
    head = f"{one.section},{one.id}"
    gaze = [f"{head},{at},{x},{y},{'1.0' if worn else '0.0'},,,1.5,-2.5" for at, worn, x, y in one.samples]
    fixations = [
        f"{head},{number},{start},{end},{(end - start) // 1_000_000},{x},{y},1.5,-2.5"
        for number, start, end, _, x, y in one.fixations
    ]
    return {
        "3d_eye_states.csv": f"section id,recording id,timestamp [ns]\n{head},{START_NS}\n",
        "blinks.csv": "section id,recording id,blink id,start timestamp [ns],end timestamp [ns],duration [ms]\n",
        "events.csv": events(one, more=("stimulus",)),
        "fixations.csv": csv(
            "section id,recording id,fixation id,start timestamp [ns],end timestamp [ns],duration [ms],"
            "fixation x [px],fixation y [px],azimuth [deg],elevation [deg]",
            fixations,
        ),
        "gaze.csv": csv(
            "section id,recording id,timestamp [ns],gaze x [px],gaze y [px],worn,fixation id,blink id,"
            "azimuth [deg],elevation [deg]",
            gaze,
            line_end="\r\n",
        ),
        "imu.csv": "section id,recording id,timestamp [ns]\n",
        "info.json": info(one),
        "saccades.csv": "section id,recording id,saccade id,start timestamp [ns],end timestamp [ns],duration [ms]\n",
        "world_timestamps.csv": f"section id,recording id,timestamp [ns]\n{head},{START_NS}\n",
    }


def neon_player(one: Recording, surface: str | None = "Screen") -> dict[str, str]:
    """What Neon Player exports into one folder: the scene camera's files, and those of a surface without ids."""
    gaze = [f"{one.id},{at},{x},{y},1.5,-2.5,{'1.0' if worn else '0.0'},," for at, worn, x, y in one.samples]
    fixations = [
        f"{one.id},{number},{start},{end},{(end - start) / 1e6},{x},{y},1.5,-2.5"
        for number, start, end, _, x, y in one.fixations
    ]
    made = {
        "events.csv": events(one),
        "fixations.csv": csv(
            "recording id,fixation id,start timestamp [ns],end timestamp [ns],duration [ms],fixation x [px],"
            "fixation y [px],azimuth [deg],elevation [deg]",
            fixations,
        ),
        "gaze.csv": csv(
            "recording id,timestamp [ns],gaze x [px],gaze y [px],azimuth [deg],elevation [deg],worn,fixation id,"
            "blink id",
            gaze,
        ),
    }
    return made if surface is None else made | on_surface(one, surface)


def on_surface(one: Recording, surface: str) -> dict[str, str]:
    gaze = [
        f"{at},{there},{x / WIDTH!r},{y / HEIGHT!r}" if there else f"{at},False,," for at, there, x, y in one.samples
    ]
    fixations = [
        f"{number},{start},{end},{(end - start) / 1e6},{there},{x / WIDTH!r},{y / HEIGHT!r}"
        for number, start, end, there, x, y in one.fixations
    ]
    return {
        f"gaze_positions_on_surface_{surface}.csv": csv(
            "timestamp [ns],gaze detected on surface,gaze position on surface x [normalized],"
            "gaze position on surface y [normalized]",
            gaze,
        ),
        f"fixations_on_surface_{surface}.csv": csv(
            "fixation id,start timestamp [ns],end timestamp [ns],duration [ms],fixation detected on surface,"
            "fixation x [normalized],fixation y [normalized]",
            fixations,
        ),
    }


def rec_export(one: Recording) -> dict[str, str]:
    """The folder ``export`` that pl-rec-export makes below a recording: no ids, ids of fixations as pandas has them."""
    gaze = [
        f"gaze ps1,{at},{x},{y},{worn},{'1.0' if number % 2 else ''},,1.5,-2.5"
        for number, (at, worn, x, y) in enumerate(one.samples)
    ]
    fixations = [
        f"{number},{start},{end},{(end - start) // 1_000_000},{x},{y}" for number, start, end, _, x, y in one.fixations
    ]
    return {
        "blinks.csv": "blink id,start timestamp [ns],end timestamp [ns]\n",
        "events.csv": events(one, with_id=False),
        "fixations.csv": csv(
            "fixation id,start timestamp [ns],end timestamp [ns],duration [ms],fixation x [px],fixation y [px]",
            fixations,
        ),
        "gaze.csv": csv(
            "file,timestamp [ns],gaze x [px],gaze y [px],worn,fixation id,blink id,azimuth [deg],elevation [deg]", gaze
        ),
        "imu.csv": "file,timestamp [ns]\n",
        "template.json": "{}",
    }


def manual_mapper(recordings: list[Recording]) -> dict[str, str]:
    """An enrichment download of the Manual Mapper: every third fixation not mapped, those off the image False."""
    fixations, sections = [], []
    for one in recordings:
        head = f"{one.section},{one.id}"
        for number, start, end, there, x, y in one.fixations:
            length = (end - start) // 1_000_000
            on = there and 0 <= x < WIDTH and 0 <= y < HEIGHT
            status = "Not mapped" if number % 3 == 0 else str(on)
            position = f"{x / WIDTH!r},{y / HEIGHT!r}" if status == "True" else ","
            fixations.append(f"{head},{number},{start},{end},{length},{status},{position}")
        sections.append(
            f"{head},rec {one.id[:4]},,{one.wearer},{START_NS},{one.samples[-1][0]},recording.begin,recording.end"
        )
    return {
        "sections.csv": csv(
            "section id,recording id,recording name,wearer id,wearer name,section start time [ns],"
            "section end time [ns],start event name,end event name",
            sections,
        ),
        "fixations.csv": csv(
            "section id,recording id,fixation id,start timestamp [ns],end timestamp [ns],duration [ms],"
            "fixation status,fixation x [normalized],fixation y [normalized]",
            fixations,
        ),
    }
