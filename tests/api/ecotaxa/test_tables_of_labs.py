"""Tables with the oddities of those that labs keep, imported and exported: every value comes back as it stood.

The tables are written here from facts of real ones: exports of the original with PlanktoScope and ZooScan objects, and
import tables of ZooProcess.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from quadrat.db.engine import Database
from quadrat.objects.importing.run import ImportRefusedError
from support.archives import archive, picture
from support.exports import ExportBench, lines, member, members, open_bench, run_worker
from support.house import open_house
from support.people import unique

# As the original writes them: numbers bare and to 15 digits, all else in quotes, also what is empty.
NAMES = """
    object_id object_lat object_lon object_date object_time object_link object_depth_min object_depth_max
    object_annotation_status object_annotation_person_name object_annotation_person_email object_annotation_date
    object_annotation_time object_annotation_category object_annotation_hierarchy object_%area object_perim.
    object_euler_number object_lon_end sample_id sample_dataportal_descriptor sample_ship sample_open process_id
    process_1st_operation acq_id acq_instrument acq_local_datetime
""".split()  # noqa: SIM905 - easier to read
VALUES = (
    '"10_58_03_796456_0"\t78.3754166666667\t-5.0\t"20211109"\t"121600"\t""\t1.0\t2.0\t'
    '"validated"\t"{person}"\t"{email}"\t"20211122"\t"000307"\t"{taxon}"\t"{hierarchy}"\t0.000709704747962\t449.481276760882\t-12.0\t"-5"\t'
    '"09/11/2021_12:16_F50v1.3"\t""\t"BSAM Rh\u00c3\u00b4ne"\t"nan"\t"Marine_Nationale_A_1"\t'
    "\"{{'type': 'erode', 'parameters': {{'kernel_size': 2}}}}\"\t"
    '"Marine Nationale_A_F50_3nds"\t"PlanktoScope v2.5"\t"2019-02-14T10:58:02"'
)
NUMBERS = {"object_lat", "object_lon", "object_depth_min", "object_depth_max"}
NUMBERS |= {"object_%area", "object_perim.", "object_euler_number"}

pytestmark = pytest.mark.anyio


@pytest.fixture
async def bench(database_url: str, tmp_path: Path, anyio_backend: str) -> AsyncIterator[ExportBench]:
    db = Database(database_url, pool_size=5)
    async with AsyncExitStack() as cleanup:
        cleanup.push_async_callback(db.close)
        made = await open_bench(await open_house(db, cleanup), tmp_path)
        await cleanup.enter_async_context(run_worker(made.house, made.resources))
        yield made


async def original_table(bench: ExportBench) -> str:
    """A line of an export of the original, of a person and a taxon that are here."""
    person = unique("Ada Lovelace")
    [(email,)] = await bench.rows(
        'UPDATE identity."user" SET name = :n WHERE id = :u RETURNING email', n=person, u=bench.owner.caller.user_id
    )
    root = unique("living")
    name = unique("Odontella")
    display = f"{name}<Mediophyceae"
    await bench.make_taxon(name, await bench.make_taxon(root), display)
    return VALUES.format(person=person, email=email, taxon=display, hierarchy=f"{root}>{name}")


def as_import(line: str, names: list[str]) -> str:
    types = ["[f]" if name in NUMBERS else "[t]" for name in names]
    rows = (["img_file_name", *names], ["[t]", *types], ["a.png", line])
    return "".join("\t".join(row) + "\n" for row in rows)


async def test_line_of_the_original_comes_back_to_the_byte(bench: ExportBench, tmp_path: Path):
    line = await original_table(bench)
    content = b"\xef\xbb\xbf" + as_import(line, NAMES).encode()
    await bench.load(archive(tmp_path / "a.zip", {"ecotaxa_a.tsv": content, "a.png": picture()}))
    made = await bench.file("", exp_type="TSV", tsv_entities="OPAS", format_dates_times=False)
    head = "\t".join(f'"{name}"' for name in NAMES)
    assert member(made, members(made)[0]).decode("utf-8-sig") == f"{head}\n{line}\n"


async def test_export_with_our_numbers_can_be_given_back(bench: ExportBench, tmp_path: Path):
    line = await original_table(bench)
    await bench.load(archive(tmp_path / "a.zip", {"ecotaxa_a.tsv": as_import(line, NAMES), "a.png": picture()}))
    asked = {"with_internal_ids": True, "with_types_row": True, "with_images": "all"}
    first = await bench.file("/general", **asked)
    (tmp_path / "b.zip").write_bytes(first)
    other = await bench.house.make_project(bench.owner)
    await bench.load(tmp_path / "b.zip", other.id)
    again = await bench.file("/general", project_id=other.id, **asked)
    old, new = ([*lines(member(content, members(content)[0]))] for content in (first, again))
    ours = {"img_file_name", "objid", "processid_internal", "acq_id_internal", "sample_id_internal"}
    assert list(old[0]) == list(new[0])
    assert len(new) == 2  # the types are the first
    assert [{name: text for name, text in row.items() if name not in ours} for row in new] == [
        {name: text for name, text in row.items() if name not in ours} for row in old
    ]


async def test_table_in_latin_1_with_crlf_and_fractions_of_seconds_is_taken(bench: ExportBench, tmp_path: Path):
    rows = [
        "img_file_name object_id object_lat object_date object_time object_area object_mean sample_id sample_open "
        "acq_id process_id process_particle_pixel_size_µm",
        "[t] [t] [f] [t] [t] [f] [f] [t] [t] [t] [t] [f]",
        "a.png o1 47.846 20230626 08:28:00.000 5.014E+04 nan s1 nan a1 p1 10.6",
    ]
    content = "".join(row.replace(" ", "\t") + "\r\n" for row in rows).encode("latin-1")
    await bench.load(archive(tmp_path / "a.zip", {"ecotaxa_a.tsv": content, "a.png": picture()}))
    made = await bench.file("", exp_type="TSV", tsv_entities="OPAS", format_dates_times=False, use_latin1=True)
    [found] = lines(member(made, members(made)[0]), "latin-1")
    expected = {
        "object_lat": "47.846",
        "object_time": "082800",
        "object_area": "50140.0",
        "object_mean": "",
        "sample_open": "nan",
        "process_particle_pixel_size_µm": "10.6",
    }
    assert {name: found[name] for name in expected} == expected


async def test_export_without_types_is_refused_once_with_what_to_do(bench: ExportBench, tmp_path: Path):
    line = await original_table(bench)
    path = archive(tmp_path / "a.zip", {"ecotaxa_export.tsv": "\t".join(NAMES) + "\n" + line + "\n"})
    with pytest.raises(ImportRefusedError) as refusal:
        await bench.load(path)
    [problem] = refusal.value.problems.kept
    assert problem.startswith("Invalid Type: the second line has no types")
    assert "with_types_row" in problem
    assert "ecotaxa_export.tsv" in problem
