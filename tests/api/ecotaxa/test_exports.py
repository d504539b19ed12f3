"""Exports over HTTP: what is in the files, and what is refused."""

import dataclasses
import io
import zipfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import text

from quadrat.api.ecotaxa.app import create_app
from quadrat.db.engine import Database
from quadrat.errors import QuadratError
from quadrat.identity.permissions import PROJECT_VIEWER
from quadrat.objects.tasks import export
from support.archives import archive, picture, row, table
from support.exports import ExportBench, Resources, lines, member, members, open_bench, run_worker
from support.house import open_house
from support.people import unique

FULL = {
    "object_lat": 43.685,
    "object_lon": 7.25,
    "object_date": "20140420",
    "object_time": "120000",
    "object_depth_min": 0,
    "object_depth_max": 75.5,
    "object_link": "https://example.org/1",
    "object_area": 12,
    "object_mean": 0.1,
    "object_note": 'tab "quoted" é',
    "complement_info": "c",
    "sample_ship": "Tara",
    "sample_dataportal_descriptor": "d",
    "sample_tot_vol": "50",
    "acq_instrument": "zooscan",
    "acq_sub_part": "2",
    "process_pixel": "10.6",
}


@pytest.fixture(scope="module")
async def shared(
    database_url: str, tmp_path_factory: pytest.TempPathFactory, anyio_backend: str
) -> AsyncIterator[ExportBench]:
    """Six images of five objects: three samples, two taxa, every state. Nobody changes them."""
    folder = tmp_path_factory.mktemp("exports")
    db = Database(database_url, pool_size=5)
    async with AsyncExitStack() as cleanup:
        cleanup.push_async_callback(db.close)
        house = await open_house(db, cleanup)
        made = await open_bench(house, folder)
        await cleanup.enter_async_context(run_worker(house, made.resources))
        await fill(made, folder)
        yield made


@pytest.fixture
async def bench(shared: ExportBench) -> ExportBench:
    return shared


@pytest.fixture
async def own(shared: ExportBench, tmp_path: Path) -> ExportBench:
    """The same in a project of its own, for those who change it."""
    project = await shared.house.make_project(shared.owner)
    made = dataclasses.replace(shared, project_id=project.id, names={})
    await fill(made, tmp_path)
    return made


async def fill(made: ExportBench, folder: Path) -> None:
    root = await made.make_taxon(unique("Animalia"))
    for name in ("Copepoda", "Acartia"):
        made.names[name] = await made.make_taxon(unique(name), root)
    decided = {
        "object_annotation_date": "20200102",
        "object_annotation_time": "030405",
        "object_annotation_person_email": made.owner.caller.email,
    }

    def state(word: str, taxon: str) -> dict[str, Any]:
        return {"object_annotation_status": word, "object_annotation_category_id": made.names[taxon]}

    empty = dict.fromkeys(["object_annotation_status", "object_annotation_category_id", *decided], "")
    second = {"sample_id": "s2/x", "acq_id": "a2", "process_id": "p2"}
    rows = [
        row(1, img_rank=0, **FULL, **empty | state("validated", "Copepoda") | decided),
        row(1, img_file_name="o1_b.png", img_rank=1, **FULL, **empty | state("validated", "Copepoda") | decided),
        row(2, img_rank=0, **dict.fromkeys(FULL, ""), **empty | state("predicted", "Copepoda")),
        row(3, img_rank=0, **FULL | {"object_area": "", "object_note": ""}, **empty | second),
        row(4, img_rank=0, **FULL, **empty | second | state("dubious", "Acartia") | decided),
        row(5, img_rank=0, **FULL, **empty | {"sample_id": "s0", "acq_id": "a0", "process_id": "p0"}),
    ]
    images = {str(cells["img_file_name"]): picture(shade=20 * number) for number, cells in enumerate(rows)}
    await made.load(archive(folder / "made.zip", {"ecotaxa_made.tsv": table(rows), **images}))


GENERAL_COLUMNS = """
    object_id object_lat object_lon object_date object_time object_link object_depth_min object_depth_max
    object_annotation_status object_annotation_person_name object_annotation_person_email object_annotation_date
    object_annotation_time object_annotation_category object_annotation_hierarchy complement_info object_area
    object_mean object_note sample_id sample_dataportal_descriptor sample_ship sample_tot_vol process_id process_pixel
    acq_id acq_instrument acq_sub_part
""".split()  # noqa: SIM905 - easier to read
INTERNAL_COLUMNS = """
    objid processid_internal acq_id_internal sample_id_internal classif_id classif_who classif_auto_id classif_auto_name
    classif_auto_score classif_auto_when object_random_value object_sunpos sample_lat sample_long
""".split()  # noqa: SIM905 - easier to read


async def test_general_export_is_one_table_in_the_order_of_samples(bench: ExportBench):
    job = await bench.job("/general")
    name = job["result"]["out_file"]
    assert (job["state"], job["type"], job["result"]["rowcount"]) == ("F", "GeneralExport", 5)
    assert name.startswith(f"export_{bench.project_id}_")
    assert job["params"]["req"]["project_id"] == bench.project_id
    answer = await bench.http.get(f"/jobs/{job['id']}/file")
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
    assert answer.headers["content-type"] == "application/zip"
    base = name.removesuffix(".zip")
    assert members(answer.content) == [f"ecotaxa_{base}.tsv", f"job_{job['id']}.log"]
    written = member(answer.content, f"ecotaxa_{base}.tsv")
    first, *_ = written.decode("utf-8-sig").split("\n")
    assert first == "\t".join(f'"{column}"' for column in GENERAL_COLUMNS)
    found = lines(written)
    assert [line["object_id"] for line in found] == ["o5", "o1", "o2", "o3", "o4"]
    copepoda = (await bench.http.get(f"/taxon/{bench.names['Copepoda']}")).json()
    assert found[1] == {
        **{name: str(value) for name, value in FULL.items()},
        "object_id": "o1",
        "object_date": "2014-04-20",
        "object_time": "12:00:00",
        "object_depth_min": "0.0",
        "object_area": "12.0",
        "object_annotation_status": "validated",
        "object_annotation_person_name": bench.owner.caller.email,
        "object_annotation_person_email": bench.owner.caller.email,
        "object_annotation_date": "2020-01-02",
        "object_annotation_time": "03:04:05",
        "object_annotation_category": copepoda["display_name"],
        "object_annotation_hierarchy": ">".join(reversed(copepoda["lineage"])),
        "sample_id": "s1",
        "process_id": "p1",
        "acq_id": "a1",
    }
    assert (found[2]["object_annotation_status"], found[2]["object_annotation_date"], found[2]["object_area"]) == (
        "predicted",
        "",
        "",
    )
    assert f"Exporting project {bench.project_id}" in member(answer.content, f"job_{job['id']}.log").decode()


async def test_text_is_quoted_and_numbers_are_not(bench: ExportBench):
    content = await bench.file("/general", {"statusfilter": "V"})
    line = member(content, members(content)[0]).decode("utf-8-sig").split("\n")[1].split("\t")
    assert (line[0], line[1], line[3], line[16], line[17]) == ('"o1"', "43.685", '"2014-04-20"', "12.0", "0.1")
    assert line[18] == '"tab ""quoted"" é"'


async def test_internal_ids_and_types_come_when_asked_for(bench: ExportBench):
    content = await bench.file("/general", {"statusfilter": "P"}, with_internal_ids=True, with_types_row=True)
    types, line = lines(member(content, members(content)[0]))
    assert list(line) == GENERAL_COLUMNS + INTERNAL_COLUMNS
    assert {name for name, kind in types.items() if kind == "[f]"} == {
        "object_lat", "object_lon", "object_depth_min", "object_depth_max", "object_area", "object_mean",
        "classif_auto_score", "sample_lat", "sample_long",
    }  # fmt: skip
    ((object_id, sample_id, acquisition_id, at),) = await bench.rows(
        "SELECT id, sample_id, acquisition_id, to_char(predicted_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') "
        "FROM objects.object WHERE project_id = :p AND state = 'P'"
    )
    taxon = str(bench.names["Copepoda"])
    internal = {
        name: line[name] for name in INTERNAL_COLUMNS if name not in {"classif_auto_name", "object_random_value"}
    }
    assert internal == {
        "objid": str(object_id),
        "processid_internal": str(acquisition_id),
        "acq_id_internal": str(acquisition_id),
        "sample_id_internal": str(sample_id),
        "classif_id": taxon,
        "classif_who": "",
        "classif_auto_id": taxon,
        "classif_auto_score": "1.0",
        "classif_auto_when": at,
        "object_sunpos": "?",
        "sample_lat": "43.685",
        "sample_long": "7.25",
    }


ALL_STATE = """
SELECT f.orig_id, f.latitude, f.longitude, f.depth_min, f.depth_max, f.date, f.time, f.sun_position, f.link,
       f.complement, f.random_value, o.state, o.taxon_id, o.author_id, o.decided_at, o.predicted_taxon_id,
       o.predicted_score, o.predicted_at,
       (SELECT json_agg(json_build_array(h.state, h.taxon_id, h.author_id, h.entered_at, h.score) ORDER BY h.change)
        FROM objects.history h WHERE h.object_id = o.id)::text,
       (SELECT json_build_array(g.taxon_ids, g.scores, g.predicted_at) FROM objects.prediction g
        WHERE g.object_id = o.id AND g.predicted_at = o.predicted_at)::text,
       e.numbers, e.texts, s.orig_id, s.descriptor, s.free_texts, s.latitude, s.longitude,
       a.orig_id, a.instrument, a.free_texts, p.orig_id, p.free_texts,
       (SELECT json_agg(json_build_array(i.rank, i.file_name, i.extension, i.width_px, i.height_px, i.size_bytes)
                        ORDER BY i.rank) FROM objects.image i WHERE i.object_id = o.id)::text
FROM objects.object o JOIN objects.fact f ON f.object_id = o.id JOIN objects.feature e ON e.object_id = o.id
JOIN objects.net_sample s ON s.id = o.sample_id JOIN objects.acquisition a ON a.id = o.acquisition_id
JOIN objects.process p ON p.acquisition_id = a.id WHERE o.project_id = :p ORDER BY f.orig_id
"""
ALL_COLUMNS = """
SELECT object_numbers, object_texts, sample_texts, acquisition_texts, process_texts FROM objects.project
WHERE project_id = :p
"""


async def images_of(bench: ExportBench, project_id: int) -> list[tuple[str, int, bytes]]:
    root = bench.resources.blobs.local_root
    assert root is not None
    found = await bench.rows(
        "SELECT f.orig_id, i.rank, i.id, i.extension FROM objects.image i JOIN objects.fact f USING (object_id) "
        "WHERE i.project_id = :of ORDER BY 1, 2",
        of=project_id,
    )
    folder = root / "objects" / str(project_id) / "images"
    return [(name, rank, (folder / f"{id_}{extension}").read_bytes()) for name, rank, id_, extension in found]


async def test_copy_without_a_folder_for_it_is_refused_with_a_way_out(bench: ExportBench):
    context: Any = SimpleNamespace(
        job=SimpleNamespace(owner_id=1, project_id=1), resources=Resources(bench.resources.blobs)
    )
    with pytest.raises(QuadratError, match="QUADRAT_EXPORT_DIR"):
        await export(context, {"deliver": True})


async def live(bench: ExportBench) -> None:
    """What happens to objects in the life of a project, and what no column of an index file can say."""
    other = await bench.house.make_person()
    ids = dict(await bench.rows("SELECT orig_id, object_id FROM objects.fact WHERE project_id = :p"))
    first, second = bench.names.values()

    async def post(operation: str, **body: Any) -> None:
        answer = await bench.http.post(f"/object_set/{operation}", json=body)
        assert answer.status_code == 200, answer.text

    targets = [ids["o2"], ids["o3"], ids["o5"]]
    guessed = {"classifications": [first, second, first], "scores": [0.25, 1 / 3, 0.75], "keep_log": True}
    await post("classify_auto", target_ids=targets, **guessed)
    await post("classify", target_ids=[ids["o3"], ids["o1"]], classifications=[first] * 2, wanted_qualification="D")
    await post("classify", target_ids=[ids["o3"]], classifications=[second], wanted_qualification="V")
    change = {
        "objects.history": f"author_id = {other.caller.user_id} WHERE object_id = {ids['o3']} AND state = 'D'",
        "objects.fact": f"time = '12:00:00.25', complement = E'two\nlines' WHERE object_id = {ids['o1']}",
        "objects.image": f"file_name = 'o1.png' WHERE object_id = {ids['o2']}",
        "objects.net_sample": "latitude = -45.5, longitude = NULL WHERE project_id = :p AND orig_id = 's0'",
    }
    for name, words in change.items():
        await bench.rows(f"UPDATE {name} SET {words}")
    await bench.rows(f"DELETE FROM objects.image WHERE object_id = {ids['o5']}")
    await bench.rows(
        "INSERT INTO objects.prediction (object_id, predicted_at, taxon_ids, scores) SELECT id, predicted_at, "
        f"'{{{first},{second}}}', '{{0.25,0.125}}' FROM objects.object WHERE id = {ids['o2']}"
    )


async def test_backup_imported_into_an_empty_project_is_the_same_project(own: ExportBench, tmp_path: Path):
    bench = own
    await live(bench)
    content = await bench.file("/backup")
    (tmp_path / "backup.zip").write_bytes(content)
    copy = await bench.house.make_project(bench.owner)
    await bench.load(tmp_path / "backup.zip", copy.id)
    assert await bench.rows(ALL_COLUMNS) == await bench.rows(ALL_COLUMNS.replace(":p", str(copy.id)))
    before, after = await bench.rows(ALL_STATE), await bench.rows(ALL_STATE.replace(":p", str(copy.id)))
    assert before == after
    assert len(before) == 5
    assert sum(line[18] is not None for line in before) == 3, "histories"
    assert sum(line[19] is not None for line in before) == 1, "guesses"
    assert await images_of(bench, bench.project_id) == await images_of(bench, copy.id)
    # And once more: what the copy gives is what the first one gave.
    again = await dataclasses.replace(bench, project_id=copy.id).file("/backup")
    tables = [name for name in members(content) if name.endswith((".tsv", ".jsonl"))]
    assert len(tables) == 4
    for name in tables:
        assert member(content, name) == member(again, name)
    # What happened before the backup can be taken back after it.
    shared = dataclasses.replace(bench, project_id=copy.id)
    (o3,) = [
        line[0]
        for line in await shared.rows("SELECT object_id FROM objects.fact WHERE project_id = :p AND orig_id = 'o3'")
    ]
    history = (await shared.http.get(f"/object/{o3}/history")).json()
    assert [line["classif_qual"] for line in history] == ["D", "P"]


async def test_backup_has_a_folder_for_each_sample_and_stores_images_as_they_are(bench: ExportBench):
    content = await bench.file("/backup")
    *names, log = members(content)
    assert log.startswith("job_")
    assert sorted(names) == [
        "quadrat.jsonl", "s0/ecotaxa_s0.tsv", "s0/o5.png", "s1/ecotaxa_s1.tsv", "s1/o1.png", "s1/o1_b.png", "s1/o2.png",
        "s2_x/ecotaxa_s2_x.tsv", "s2_x/o3.png", "s2_x/o4.png",
    ]  # fmt: skip
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        codings = {info.filename.rpartition(".")[2]: info.compress_type for info in packed.infolist()}
    deflated = dict.fromkeys(("tsv", "jsonl", "log"), zipfile.ZIP_DEFLATED)
    assert codings == {"png": zipfile.ZIP_STORED, **deflated}
    types, first, second, third = lines(member(content, "s1/ecotaxa_s1.tsv"))
    assert (types["img_file_name"], types["object_area"]) == ("[t]", "[f]")
    assert [(line["img_file_name"], line["img_rank"]) for line in (first, second, third)] == [
        ("o1.png", "0"),
        ("o1_b.png", "1"),
        ("o2.png", "0"),
    ]
    assert (first["object_date"], first["object_time"]) == ("20140420", "120000")
    assert (first["object_annotation_date"], first["object_annotation_time"]) == ("20200102", "030405")
    assert first["object_annotation_category_id"] == str(bench.names["Copepoda"])
    assert not {"object_annotation_hierarchy", "complement_info"} & set(first)


async def test_split_by_taxon_never_writes_over_another_taxon(own: ExportBench):
    twin = await own.make_taxon(unique("A<b"), None, "A<b")
    other = await own.make_taxon(unique("A>b"), None, "A>b")
    ids = [row[0] for row in await own.rows("SELECT id FROM objects.object WHERE project_id = :p ORDER BY id")]
    body = {"target_ids": ids[:2], "classifications": [twin, other], "wanted_qualification": "V"}
    assert (await own.http.post("/object_set/classify", json=body)).json() == 2
    content = await own.file("/general", split_by="taxon")
    acartia = (await own.http.get(f"/taxon/{own.names['Acartia']}")).json()["display_name"]
    tables = {name: [line["object_id"] for line in lines(member(content, name))] for name in members(content)[:-1]}
    assert tables == {
        "ecotaxa_A_b.tsv": ["o1"],
        f"ecotaxa_A_b_{other}.tsv": ["o2"],
        f"ecotaxa_{acartia}.tsv": ["o4"],
        "ecotaxa_NoCategory.tsv": ["o3", "o5"],
    }


async def test_split_by_acquisition_with_all_images_has_a_line_for_each(bench: ExportBench):
    content = await bench.file("/general", {"statusfilter": "PVD"}, split_by="acquisition", with_images="all")
    assert members(content)[:-1] == [
        "ecotaxa_a1.tsv",
        "ecotaxa_a2.tsv",
        "a1/o1.png",
        "a1/o1_b.png",
        "a1/o2.png",
        "a2/o4.png",
    ]
    found = lines(member(content, "ecotaxa_a1.tsv"))
    assert [(line["img_file_name"], line["img_rank"], line["object_id"]) for line in found] == [
        ("a1/o1.png", "0", "o1"),
        ("a1/o1_b.png", "1", "o1"),
        ("a1/o2.png", "0", "o2"),
    ]


async def test_first_images_of_one_table_stand_in_a_folder_of_its_name(bench: ExportBench):
    job = await bench.job("/general", {"statusfilter": "V"}, with_images="first")
    content = (await bench.http.get(f"/jobs/{job['id']}/file")).content
    base = job["result"]["out_file"].removesuffix(".zip")
    assert members(content)[:2] == [f"ecotaxa_{base}.tsv", f"{base}/o1.png"]
    assert member(content, f"{base}/o1.png") == picture(shade=0)


async def test_images_of_one_name_get_folders_of_their_rank(own: ExportBench):
    await own.rows("UPDATE objects.image SET file_name = 'same.png' WHERE project_id = :p")
    content = await own.file("/general", {"statusfilter": "PV"}, with_images="all")
    folder = members(content)[1].partition("/")[0]
    ids = [row[0] for row in await own.rows("SELECT id FROM objects.object WHERE project_id = :p ORDER BY id")]
    assert members(content)[1:-1] == [
        f"{folder}/same.png", f"{folder}/1/same.png", f"{folder}/0/same.png", f"{folder}/{ids[2]}/same.png",
        f"{folder}/{ids[3]}/same.png", f"{folder}/{ids[4]}/same.png",
    ][: len(members(content)) - 2]  # fmt: skip
    assert len({line["img_file_name"] for line in lines(member(content, members(content)[0]))}) == 3


async def test_only_annotations_are_the_name_and_the_classification(bench: ExportBench):
    content = await bench.file("/general", only_annotations=True, with_images="all", split_by="taxon")
    assert len(members(content)) == 2
    types, *found = lines(member(content, members(content)[0]))
    assert list(types) == [
        "object_id", "object_annotation_status", "object_annotation_person_name", "object_annotation_person_email",
        "object_annotation_date", "object_annotation_time", "object_annotation_category",
        "object_annotation_category_id",
    ]  # fmt: skip
    assert found[1]["object_annotation_date"] == "20200102"


async def test_missing_bytes_of_an_image_are_told_and_end_nothing(own: ExportBench):
    root = own.resources.blobs.local_root
    assert root is not None
    ((id_,),) = await own.rows("SELECT id FROM objects.image WHERE project_id = :p AND file_name = 'o2.png'")
    (root / "objects" / str(own.project_id) / "images" / f"{id_}.png").unlink()
    content = await own.file("/backup")
    assert "s1/o2.png" not in members(content)
    assert "1 images are not in the store" in member(content, members(content)[-1]).decode()


async def test_empty_selection_is_an_empty_table(bench: ExportBench):
    content = await bench.file("/general", {"taxo": "1", "statusfilter": "D"})
    assert lines(member(content, members(content)[0])) == []
    assert len(members(await bench.file("/backup", {"samples": "0"}))) == 1


async def test_file_is_given_in_ranges_and_not_twice(bench: ExportBench):
    job = await bench.job("/general")
    path = f"/jobs/{job['id']}/file"
    whole = await bench.http.get(path)
    assert whole.headers["accept-ranges"] == "bytes"
    assert int(whole.headers["content-length"]) == len(whole.content)
    part = await bench.http.get(path, headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, whole.content[10:20])
    rest = await bench.http.get(path, headers={"Range": "bytes=10-"})
    assert rest.content == whole.content[10:]
    assert (await bench.http.get(path, headers={"If-None-Match": whole.headers["etag"]})).status_code == 304


async def test_copy_goes_into_the_folder_of_the_operator(bench: ExportBench):
    folder = bench.resources.export_dir
    assert folder is not None
    job = await bench.job("/summary", out_to_ftp=True)
    assert job["state"] == "E"
    assert str(folder) in job["errors"][0]
    folder.mkdir()
    job = await bench.job("/summary", out_to_ftp=True)
    (copy,) = folder.iterdir()
    assert copy.name == f"task_{job['id']}_{job['result']['out_file']}"
    assert copy.read_bytes() == (await bench.http.get(f"/jobs/{job['id']}/file")).content


# Summaries.

FORMULAE = {
    "subsample_coef": "1/ssm.sub_part",
    "total_water_volume": "sam.tot_vol",
    "individual_volume": "4/3*math.pi*(math.sqrt(obj.area/math.pi)*ssm.pixel/1000)**3",
}


async def summary(bench: ExportBench, filters: dict[str, str] | None = None, **request: Any) -> list[list[str]]:
    text_ = (await bench.file("/summary", filters, **request)).decode()
    return [line.split("\t") for line in text_.splitlines()]


async def names_of(bench: ExportBench) -> tuple[str, str]:
    found = [(await bench.http.get(f"/taxon/{bench.names[name]}")).json() for name in ("Copepoda", "Acartia")]
    return found[0]["display_name"], found[1]["display_name"]


async def test_abundance_has_a_line_for_each_taxon_of_each_sample_and_status(bench: ExportBench):
    copepoda, acartia = await names_of(bench)
    units = [("s0", ""), ("s1", "P"), ("s1", "V"), ("s2/x", ""), ("s2/x", "D")]
    counts = {("s0", "", ""): 1, ("s1", "P", copepoda): 1, ("s1", "V", copepoda): 1, ("s2/x", "", ""): 1}
    counts["s2/x", "D", acartia] = 1
    assert await summary(bench) == [
        ["sampleid", "status", "taxonid", "count"],
        *(
            [sample, status, taxon, str(counts.get((sample, status, taxon), 0))]
            for sample, status in units
            for taxon in sorted(["", copepoda, acartia])
        ),
    ]


async def test_zero_lines_stand_for_samples_that_a_taxon_filter_leaves_out(bench: ExportBench):
    copepoda, _ = await names_of(bench)
    filters = {"taxo": str(bench.names["Copepoda"]), "statusfilter": "PVD"}
    assert (await summary(bench, filters, summarise_by="acquisition"))[1:] == [
        ["s1", "a1", "P", copepoda, "1"],
        ["s1", "a1", "V", copepoda, "1"],
        ["s2/x", "a2", "D", copepoda, "0"],
    ]


async def test_summary_of_the_whole_has_neither_places_nor_zero_lines(bench: ExportBench):
    copepoda, acartia = await names_of(bench)
    found = await summary(bench, summarise_by="none")
    assert found[0] == ["status", "taxonid", "count"]
    assert found[1:] == [["", "", "2"], ["D", acartia, "1"], ["P", copepoda, "1"], ["V", copepoda, "1"]]


async def test_taxa_are_merged_or_left_out_by_a_mapping(bench: ExportBench):
    copepoda, _ = await names_of(bench)
    merged = {str(bench.names["Acartia"]): bench.names["Copepoda"]}
    found = await summary(bench, {"statusfilter": "VD"}, summarise_by="none", taxo_mapping=merged)
    assert found[1:] == []  # VD is no filter of the API
    found = await summary(bench, {"statusfilter": "PVD"}, summarise_by="none", taxo_mapping=merged)
    assert found[1:] == [["D", copepoda, "1"], ["P", copepoda, "1"], ["V", copepoda, "1"]]
    left_out = {str(bench.names["Copepoda"]): 0}
    found = await summary(bench, {"statusfilter": "PVD"}, summarise_by="none", taxo_mapping=left_out)
    assert [line[:1] + line[2:] for line in found[1:]] == [["D", "1"]]


async def test_concentration_and_biovolume_follow_the_formulae(bench: ExportBench):
    copepoda, acartia = await names_of(bench)
    concentration = {name: text_ for name, text_ in FORMULAE.items() if name != "individual_volume"}
    wanted: dict[str, Any] = {"summarise_by": "none", "formulae": concentration}
    found = await summary(bench, {"statusfilter": "V"}, quantity="concentration", **wanted)
    assert found == [["status", "taxonid", "concentration"], ["V", copepoda, repr(1 / (1 / 2) / 50)]]
    with_subsample = FORMULAE | {"individual_volume": "obj.area*ssm.pixel"}
    found = await summary(
        bench, {"statusfilter": "D"}, quantity="biovolume", summarise_by="none", formulae=with_subsample
    )
    assert found[1:] == [["D", acartia, repr(12 * 10.6 / 0.5 / 50)]]


async def test_formulae_of_the_project_are_used_and_bad_values_are_told(own: ExportBench):
    copepoda, _ = await names_of(own)
    project = (await own.http.get(f"/projects/{own.project_id}")).json()
    answer = await own.http.put(f"/projects/{own.project_id}", json=project | {"bodc_variables": FORMULAE})
    assert answer.status_code == 200, answer.text
    job = await own.job("/summary", {"statusfilter": "PV"}, quantity="biovolume", summarise_by="sample")
    found = (await own.http.get(f"/jobs/{job['id']}/file")).text.splitlines()
    # The predicted object has no area; its sample has a volume all the same.
    assert found[1].split("\t") == ["s1", "P", copepoda, "nan"]
    assert float(found[2].split("\t")[3]) > 0
    assert "1 objects have no usable individual_volume" in await own.log(job["id"])


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"quantity": "concentration"}, "total_water_volume"),
        ({"quantity": "concentration", "formulae": FORMULAE | {"subsample_coef": "sam.nothing"}}, "sam.nothing"),
        ({"quantity": "biovolume", "formulae": FORMULAE | {"individual_volume": "obj.nothing"}}, "obj.area"),
    ],
)
async def test_summary_that_cannot_be_made_says_why_at_once(request_: dict[str, Any], words: str, bench: ExportBench):
    answer = await bench.ask("/summary", **request_)
    assert (answer.status_code, answer.json()["job_id"]) == (200, 0)
    assert words in answer.json()["errors"][0]


async def test_column_of_acquisitions_and_processes_is_ambiguous(own: ExportBench):
    await own.rows("UPDATE objects.project SET process_texts = process_texts || '{sub_part}' WHERE project_id = :p")
    answer = await own.ask("/summary", quantity="concentration", formulae=FORMULAE)
    assert "nothing certain" in answer.json()["errors"][0]


# The call of before.


async def old(bench: ExportBench, exp_type: str, filters: dict[str, str] | None = None, **request: Any) -> bytes:
    return await bench.file("", filters, exp_type=exp_type, **request)


async def test_old_tables_have_the_columns_that_letters_name(bench: ExportBench):
    content = await old(bench, "TSV")
    first = lines(member(content, members(content)[0]))[0]
    assert list(first) == GENERAL_COLUMNS[:15]
    content = await old(bench, "TSV", tsv_entities="OPAS", format_dates_times=False, with_internal_ids=True)
    found = lines(member(content, members(content)[0]))[1]
    assert list(found) == [name for name in GENERAL_COLUMNS if name != "complement_info"] + INTERNAL_COLUMNS
    assert (found["object_date"], found["object_annotation_time"]) == ("20140420", "030405")
    content = await old(bench, "TSV", tsv_entities="", split_by="sample")
    assert "sample_ship" in lines(member(content, "ecotaxa_s1.tsv"))[0]


async def test_old_tables_with_decimal_commas_in_latin_1(bench: ExportBench):
    content = await old(bench, "TSV", {"statusfilter": "V"}, tsv_entities="O", coma_as_separator=True, use_latin1=True)
    written = member(content, members(content)[0])
    line = lines(written, "latin-1")[0]
    assert (line["object_lat"], line["object_mean"], line["object_note"]) == ("43,685", "0,1", 'tab "quoted" é')


async def test_old_backup_takes_what_a_client_sends(bench: ExportBench):
    wanted = {"tsv_entities": "OPAS", "split_by": "S", "sum_subtotal": "A", "format_dates_times": False}
    plain = await old(bench, "BAK", with_images=False, **wanted)
    assert sorted(members(plain)[:-1]) == ["s0/ecotaxa_s0.tsv", "s1/ecotaxa_s1.tsv", "s2_x/ecotaxa_s2_x.tsv"]
    assert lines(member(plain, "s0/ecotaxa_s0.tsv"))[1]["img_file_name"] == "o5.png"
    with_images = await old(bench, "BAK", with_images=True, **wanted)
    new = await bench.file("/backup")
    assert members(with_images)[:-1] == members(new)[:-1]
    assert member(with_images, "s1/ecotaxa_s1.tsv") == member(new, "s1/ecotaxa_s1.tsv")


async def test_old_doi_export_sorts_images_by_taxon(bench: ExportBench):
    content = await old(bench, "DOI", {"statusfilter": "NVM"}, with_images=True)
    assert len(members(content)) == 2
    content = await old(bench, "DOI", with_images=True)
    table_, *images, _ = members(content)
    found = lines(member(content, table_))
    assert [line["img_file_name"] for line in found] == images
    copepoda, _ = await names_of(bench)
    number = bench.names["Copepoda"]
    assert images[1] == f"images/{copepoda}__{number}/{found[1]['objid']}_0.png"
    assert images[0].startswith("images/NoCategory/")
    assert list(found[0])[-1] == "objid"


async def test_old_sums(bench: ExportBench):
    copepoda, acartia = await names_of(bench)
    found = (await old(bench, "SUM")).decode().splitlines()
    assert found == ["display_name\tnbr", *sorted([f"{copepoda}\t2", f"{acartia}\t1", "\t2"])]
    found = (await old(bench, "SUM", {"statusfilter": "VM"}, sum_subtotal="S")).decode().splitlines()
    assert found == [
        "sample_id\tlatitude\tlongitude\tdate\tdisplay_name\tnbr",
        f"s1\t43.685\t7.25\t2014-04-20\t{copepoda}\t1",
    ]
    found = (await old(bench, "SUM", {"statusfilter": "D"}, sum_subtotal="A")).decode().splitlines()
    assert found == ["sample_id\tacquis_id\tdisplay_name\tnbr", f"s2/x\ta2\t{acartia}\t1"]


@pytest.mark.parametrize(("kind", "quantity"), [("ABO", "abundance"), ("CNC", "concentration"), ("BIV", "biovolume")])
async def test_old_quantities_are_those_of_the_summary(kind: str, quantity: str, bench: ExportBench):
    mapping = {str(bench.names["Acartia"]): bench.names["Copepoda"]}
    old_way = await old(bench, kind, sum_subtotal="A", formulae=FORMULAE, pre_mapping=mapping)
    new_way = await bench.file(
        "/summary", quantity=quantity, summarise_by="acquisition", formulae=FORMULAE, taxo_mapping=mapping
    )
    assert old_way == new_way


# Refusals.


@pytest.mark.parametrize("operation", ["", "/general", "/summary", "/backup"])
async def test_export_needs_a_right_in_the_project(operation: str, bench: ExportBench):
    request = {"project_id": bench.project_id} | ({"exp_type": "BAK"} if not operation else {})
    body = {"filters": {}, "request": request}
    viewer, other = [await bench.house.make_person() for _ in range(2)]
    async with bench.house.db.begin() as tx:
        await tx.execute(
            text(
                "INSERT INTO identity.role_assignment (uuid, project_id, user_id, role_id) "
                "SELECT gen_random_uuid(), :p, :u, id FROM identity.role WHERE name = :n"
            ),
            {"p": bench.project_id, "u": viewer.caller.user_id, "n": PROJECT_VIEWER},
        )
    path = f"/object_set/export{operation}"
    statuses = {}
    for person in (viewer, other, None):
        client = bench.house.client_for(create_app, "/api", person)
        statuses[person] = (await client.post(path, json=body)).status_code
    assert statuses == {viewer: 200, other: 403, None: 403}
    strict = dataclasses.replace(bench.house, state=dict(bench.house.state))
    strict.state["limits"] = dataclasses.replace(strict.state["limits"], export_right="annotate")
    assert (await strict.client_for(create_app, "/api", viewer).post(path, json=body)).status_code == 403
    missing = {"filters": {}, "request": request | {"project_id": 2**40}}
    assert (await bench.http.post(path, json=missing)).status_code == 404


async def test_project_that_all_may_see_may_be_exported_by_all(own: ExportBench):
    await own.rows("UPDATE objects.project SET visible = true WHERE project_id = :p")
    stranger = dataclasses.replace(own, http=own.house.client_for(create_app, "/api", await own.house.make_person()))
    assert (await stranger.ask("/general")).status_code == 200


@pytest.mark.parametrize(
    ("operation", "request_"),
    [
        ("", {"exp_type": "ODV"}),
        ("", {}),
        ("", {"exp_type": "SUM", "sum_subtotal": "X"}),
        ("/general", {"split_by": "station"}),
        ("/general", {"with_images": "some"}),
        ("/summary", {"quantity": "mass"}),
        ("/summary", {"summarise_by": "taxon"}),
        ("/summary", {"formulae": {"volume": "1"}}),
        ("/summary", {"formulae": {"subsample_coef": "__import__('os').system('true')"}}),
        ("/summary", {"taxo_mapping": {"x": 1}}),
        ("/summary", {"taxo_mapping": {"1": 2**50}}),
        ("/backup", {"project_id": "x"}),
    ],
)
async def test_nonsense_is_refused_in_the_form_that_clients_read(
    operation: str, request_: dict[str, Any], bench: ExportBench
):
    answer = await bench.ask(operation, **request_)
    assert answer.status_code == 422
    assert set(answer.json()["detail"][0]) == {"loc", "msg", "type"}


async def test_filters_that_cannot_be_read_are_refused(bench: ExportBench):
    assert (await bench.ask("/general", {"fromdate": "yesterday"})).status_code == 422
