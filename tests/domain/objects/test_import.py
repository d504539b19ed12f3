"""Imports into a real database and a real store, with real picture processes."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from quadrat.db.engine import Database
from quadrat.errors import QuadratError
from quadrat.identity.types import ProjectId, UserId
from quadrat.objects.importing.run import ImportRefusedError, NamesMissingError, run_import
from quadrat.objects.importing.types import Answers, Imported, ImportOptions, ImportPlace, Order, UpdateMode, Workshop
from quadrat.storage.blobs import BlobStore
from support.archives import archive, archive_of, picture, row, table
from support.people import make_caller, make_project

pytestmark = pytest.mark.anyio
BEGAN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SKIP = ImportOptions(skip_existing_objects=True)


class Lab:
    """A project and what imports into it work with."""

    def __init__(self, db: Database, blobs: BlobStore, project_id: ProjectId, user_id: UserId, email: str) -> None:
        self.db = db
        self.blobs = blobs
        self.project_id = project_id
        self.user_id = user_id
        self.email = email
        self.told: list[float] = []

    async def progress(self, percent: float, _message: str) -> None:
        self.told.append(percent)

    async def load(self, path: Path, options: ImportOptions | None = None, answers: Answers | None = None) -> Imported:
        workshop = Workshop(self.db, self.blobs, 2, self.progress)
        place = ImportPlace(self.project_id, self.user_id, BEGAN)
        return await run_import(workshop, Order(place, path, options or ImportOptions(), answers or Answers()))

    async def refused(self, path: Path, options: ImportOptions | None = None) -> list[str]:
        with pytest.raises(ImportRefusedError) as refusal:
            await self.load(path, options)
        assert await self.count("objects.fact") == 0
        assert self.stored() == []
        return refusal.value.problems.kept

    async def rows(self, query: str) -> list[tuple[Any, ...]]:
        async with self.db.begin() as tx:
            return [tuple(found) for found in await tx.execute(text(query), {"p": self.project_id})]

    async def count(self, table_: str) -> int:
        return (await self.rows(f"SELECT count(*) FROM {table_} WHERE project_id = :p"))[0][0]

    def stored(self) -> list[str]:
        assert self.blobs.local_root is not None
        folder = self.blobs.local_root / "objects" / str(self.project_id) / "images"
        return sorted(path.name for path in folder.glob("*")) if folder.exists() else []

    async def make_taxon(self, name: str, parent: int | None = None, display: str | None = None) -> int:
        async with self.db.begin() as tx:
            query = text(
                "INSERT INTO objects.taxon (parent_id, path, name, display_name) VALUES (:parent, '{}', :n, :d) "
                "RETURNING id"
            )
            return (await tx.execute(query, {"parent": parent, "n": name, "d": display or name})).scalar_one()


@pytest.fixture
async def lab(db: Database, tmp_path: Path) -> AsyncIterator[Lab]:
    async with db.begin() as tx:
        caller = await make_caller(tx)
        project = await make_project(tx, caller)
    return Lab(db, BlobStore.on_disk(tmp_path / "store", b"key"), project.id, caller.user_id, caller.email)


async def test_archive_becomes_objects_with_all_that_it_says(lab: Lab, tmp_path: Path):
    copepod = await lab.make_taxon(f"Copepoda {lab.project_id}")
    cells: dict[str, Any] = {
        "object_lat": 43.685,
        "object_lon": "7°18 54",
        "object_date": "20140420",
        "object_time": "1200",
        "object_depth_min": 0,
        "object_depth_max": "",
        "object_link": "https://example.org/1",
        "object_area": 12.5,
        "object_mean": "nan",
        "object_note": 'tab "quoted" \\ back',
        "complement_info": "c",
        "sample_ship": "Tara",
        "sample_dataportal_descriptor": "d",
        "acq_instrument": "zooscan",
        "process_pixel": "10.6",
        "object_annotation_status": "validated",
        "object_annotation_category": f"copepoda {lab.project_id}",
        "object_annotation_date": "20200102",
        "object_annotation_time": "030405",
    }
    done = await lab.load(archive_of(tmp_path / "a.zip", [row(1, **cells), row(2, **dict.fromkeys(cells, ""))]))
    assert (done.n_objects, done.n_images, done.n_lines) == (2, 2, 2)
    assert await lab.rows(
        "SELECT orig_id, latitude, round(longitude::numeric, 4)::float8, "
        "date, time, depth_min, depth_max, link, complement, sun_position "
        "FROM objects.fact WHERE project_id = :p ORDER BY object_id"
    ) == [
        ("o1", 43.685, 7.315, date(2014, 4, 20), time(12), 0.0, None, "https://example.org/1", "c", "D"),
        ("o2", None, None, None, None, None, None, None, None, "?"),
    ]
    assert await lab.rows("SELECT numbers, texts FROM objects.feature WHERE project_id = :p ORDER BY object_id") == [
        ([12.5, None], ['tab "quoted" \\ back']),
        ([None, None], [None]),
    ]
    assert await lab.rows(
        "SELECT state, taxon_id, author_id, decided_at FROM objects.object WHERE project_id = :p ORDER BY id"
    ) == [
        ("V", copepod, lab.user_id, datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("U", None, None, None),
    ]
    assert await lab.rows(
        "SELECT s.orig_id, s.latitude, s.descriptor, s.free_texts, a.orig_id, a.instrument, pr.orig_id, pr.free_texts "
        "FROM objects.net_sample s JOIN objects.acquisition a ON a.sample_id = s.id "
        "JOIN objects.process pr ON pr.acquisition_id = a.id WHERE s.project_id = :p"
    ) == [("s1", 43.685, "d", ["Tara"], "a1", "zooscan", "p1", ["10.6"])]
    assert await lab.rows(
        "SELECT object_numbers, object_texts, sample_texts, acquisition_texts, process_texts "
        "FROM objects.project WHERE project_id = :p"
    ) == [(["area", "mean"], ["note"], ["ship"], [], ["pixel"])]
    assert await lab.rows(
        "SELECT taxon_id, n_objects, n_validated, n_predicted, n_dubious FROM objects.project_taxon "
        "WHERE project_id = :p ORDER BY taxon_id"
    ) == [(-1, 1, 0, 0, 0), (copepod, 1, 1, 0, 0)]
    images = await lab.rows(
        "SELECT id, rank, file_name, extension, width_px, height_px, size_bytes, thumbnail_width_px "
        "FROM objects.image WHERE project_id = :p ORDER BY id"
    )
    assert [image[1:] for image in images] == [(0, f"o{n}.png", ".png", 8, 8, len(picture()), None) for n in (1, 2)]
    assert lab.stored() == sorted(f"{image[0]}.png" for image in images)
    assert await lab.rows("SELECT kind FROM objects.change WHERE project_id = :p") == [("added",)]
    assert await lab.count("objects.image_range") == 0
    assert lab.told == sorted(lab.told)


async def test_large_image_gets_a_thumbnail_whatever_it_is_called(lab: Lab, tmp_path: Path):
    files = {
        "ecotaxa.tsv": table(
            [row(1, img_file_name="a.png"), row(2, img_file_name="b.dat"), row(3, img_file_name="c.png")]
        ),
        "a.png": picture(900),
        "b.dat": picture(20, "JPEG"),
        "c.png": picture(30, "GIF"),
    }
    await lab.load(archive(tmp_path / "a.zip", files))
    assert await lab.rows(
        "SELECT extension, width_px, thumbnail_width_px, thumbnail_height_px "
        "FROM objects.image WHERE project_id = :p ORDER BY id"
    ) == [(".png", 900, 400, 400), (".jpg", 20, None, None), (".gif", 30, None, None)]
    assert sum(name.endswith("_mini.jpg") for name in lab.stored()) == 1


async def test_every_mistake_is_named_by_file_and_line_and_nothing_is_imported(lab: Lab, tmp_path: Path):
    files = {
        "a/ecotaxa_a.tsv": table(
            [
                row(1, object_lat="91", object_area="x"),
                row(2, object_lat="1", object_area="1", img_file_name="missing.png"),
                row(3, object_lat="1", object_area="1", img_file_name="broken.png"),
                row(4, object_lat="1", object_area="1", img_file_name="text.png"),
                row(5, object_lat="1", object_area="1"),
                row(5, object_lat="1", object_area="1"),
            ]
        ),
        "b/Ecotaxa_b.TXT": table([row(6, sample_id="s2")]),
        "c/ecotaxa_c.txt": "object_id\tfoo_bar\n[t]\t[t]\n",
        "a/broken.png": picture()[:40],
        "a/text.png": b"no picture",
        "a/o5.png": picture(),
        "b/o6.png": picture(),
    }
    problems = await lab.refused(archive(tmp_path / "a.zip", files))
    expected = {
        "Invalid Lat. value '91' for Field 'object_lat' (it takes decimal degrees from -90 to 90, or as 43°41 N) "
        "in line 3 of a/ecotaxa_a.tsv",
        "Invalid float value 'x' for Field 'object_area' (it takes a finite number with a decimal point, or nothing) "
        "in line 3 of a/ecotaxa_a.tsv",
        "Missing Image 'missing.png' in line 4 of a/ecotaxa_a.tsv",
        "Error while reading image 'broken.png' in line 5 of a/ecotaxa_a.tsv",
        "Error while reading image 'text.png' in line 6 of a/ecotaxa_a.tsv",
        "Duplicate object 'o5' with image 'o5.png' in line 8 of a/ecotaxa_a.tsv",
        "is already in sample 's1', so it cannot be in another sample, 's2' in line 3 of b/Ecotaxa_b.TXT",
        "Invalid Header 'foo_bar'",
        "Missing img_file_name: the column is not there (in c/ecotaxa_c.txt)",
    }
    assert len(problems) == len(expected)
    for phrase in expected:
        assert sum(phrase in problem for problem in problems) == 1, (phrase, problems)


async def test_same_archive_twice_is_refused_or_skipped_as_asked(lab: Lab, tmp_path: Path):
    path = archive_of(tmp_path / "a.zip", [row(1), row(2)])
    await lab.load(path)
    with pytest.raises(ImportRefusedError) as refusal:
        await lab.load(path)
    assert all("is already in EcoTaxa (Duplicate object)" in problem for problem in refusal.value.problems.kept)
    assert refusal.value.problems.count == 2
    assert (await lab.load(path, SKIP)).n_lines == 0
    assert (await lab.load(path, ImportOptions(skip_loaded_files=True))).n_lines == 0
    more = archive_of(tmp_path / "b.zip", [row(2), row(2, img_file_name="second.png"), row(3)])
    assert (await lab.load(more, SKIP)).n_images == 2
    assert await lab.rows(
        "SELECT f.orig_id, i.file_name, i.rank FROM objects.image i JOIN objects.fact f USING (object_id) "
        "WHERE i.project_id = :p ORDER BY 1, 3"
    ) == [("o1", "o1.png", 0), ("o2", "o2.png", 0), ("o2", "second.png", 1), ("o3", "o3.png", 0)]
    assert len(lab.stored()) == 4


async def test_duplicate_lines_are_refused_also_when_known_objects_are_skipped(lab: Lab, tmp_path: Path):
    problems = await lab.refused(archive_of(tmp_path / "a.zip", [row(1), row(1)]), SKIP)
    assert len(problems) == 1
    assert "Duplicate object 'o1'" in problems[0]


async def test_ranks_are_given_or_follow_and_100_is_reserved(lab: Lab, tmp_path: Path):
    ranks = ["5", "5", "100", "", "2"]
    rows = [row(1, img_file_name=f"{at}.png", img_rank=rank) for at, rank in enumerate(ranks)]
    await lab.load(archive_of(tmp_path / "a.zip", rows))
    found = await lab.rows("SELECT file_name, rank FROM objects.image WHERE project_id = :p ORDER BY 1")
    assert [rank for _, rank in found] == [5, 6, 100, 7, 2]
    more = [row(1, img_file_name="more1.png"), row(1, img_file_name="more2.png", img_rank="100")]
    many = [row(2, img_file_name=f"{at:02}.png", img_rank="0" if at == 11 else "") for at in range(14)]
    await lab.load(archive_of(tmp_path / "b.zip", [*more, *many]))
    of_each = await lab.rows(
        "SELECT array_agg(i.rank ORDER BY i.id) FROM objects.image i JOIN objects.fact f ON f.object_id = i.object_id "
        "WHERE i.project_id = :p GROUP BY f.orig_id ORDER BY f.orig_id"
    )
    assert [ranks for (ranks,) in of_each] == [[5, 6, 100, 7, 2, 8, 9], [*range(14)]]


async def test_unknown_names_are_asked_for_and_the_answer_is_used(lab: Lab, tmp_path: Path):
    name = f"strange {lab.project_id}"
    taxon = await lab.make_taxon(f"Known {lab.project_id}")
    note = {"object_annotation_status": "validated", "object_annotation_category": name.title()}
    rows = [
        row(1, **note, object_annotation_person_name="Ada L."),
        row(2, **note, object_annotation_person_name=""),
        row(3, object_annotation_status="predicted", object_annotation_category=f"Known {lab.project_id}"),
    ]
    path = archive_of(tmp_path / "a.zip", rows)
    with pytest.raises(NamesMissingError) as asked:
        await lab.load(path)
    assert tuple(asked.value.missing) == (["ada l."], [name])
    assert lab.stored() == []
    with pytest.raises(NamesMissingError) as asked:
        await lab.load(path, answers=Answers(taxa={name: taxon}))
    assert tuple(asked.value.missing) == (["ada l."], [])
    await lab.load(path, answers=Answers({"ada l.": lab.user_id}, {name: taxon}))
    assert await lab.rows(
        "SELECT state, taxon_id, author_id, decided_at, predicted_score, predicted_at FROM objects.object "
        "WHERE project_id = :p ORDER BY id"
    ) == [
        ("V", taxon, lab.user_id, BEGAN, None, None),
        ("V", taxon, lab.user_id, BEGAN, None, None),
        ("P", taxon, None, None, 1.0, BEGAN),
    ]


async def test_name_that_two_people_share_is_asked_for_and_one_that_one_has_is_not(lab: Lab, tmp_path: Path):
    taxon, name = f"Known {lab.project_id}", f"Ada {lab.project_id}"
    await lab.make_taxon(taxon)
    note = {"object_annotation_status": "validated", "object_annotation_category": taxon}
    path = archive_of(tmp_path / "a.zip", [row(1, **note, object_annotation_person_name=name.upper())])
    async with lab.db.begin() as tx:
        people = [(await make_caller(tx)).user_id for _ in range(2)]
        named = text('UPDATE identity."user" SET name = :n WHERE id = ANY(:ids)')
        await tx.execute(named, {"n": name, "ids": people})
    with pytest.raises(NamesMissingError) as asked:
        await lab.load(path)
    assert tuple(asked.value.missing) == ([name.lower()], [])
    async with lab.db.begin() as tx:
        await tx.execute(named, {"n": "Another", "ids": people[1:]})
    await lab.load(path)
    assert await lab.rows("SELECT author_id FROM objects.object WHERE project_id = :p") == [(people[0],)]


async def test_names_of_taxa_and_people_resolve_in_every_form(lab: Lab, tmp_path: Path):
    root = await lab.make_taxon(f"Root{lab.project_id}")
    other = await lab.make_taxon(f"Other{lab.project_id}")
    first = await lab.make_taxon("part", root, f"part<Root{lab.project_id}")
    second = await lab.make_taxon("part", other, f"part<Other{lab.project_id}")
    names = [f"PART<root{lab.project_id}", f"part (Other{lab.project_id})", f"Root{lab.project_id}"]
    rows = [
        row(
            at,
            object_annotation_status="dubious",
            object_annotation_category=name,
            object_annotation_person_email=lab.email.upper(),
        )
        for at, name in enumerate(names)
    ]
    rows.append(row(9, object_annotation_status="dubious", object_annotation_category_id=f"{second}.0"))
    header = list(dict.fromkeys(name for cells in rows for name in cells))
    full = [{name: cells.get(name, "") for name in header} for cells in rows]
    await lab.load(archive_of(tmp_path / "a.zip", full))
    found = await lab.rows("SELECT taxon_id, author_id FROM objects.object WHERE project_id = :p ORDER BY id")
    assert found == [(first, lab.user_id), (second, lab.user_id), (root, lab.user_id), (second, lab.user_id)]


async def test_unknown_category_numbers_are_refused(lab: Lab, tmp_path: Path):
    cells = {"object_annotation_status": "validated", "object_annotation_category_id": 999_999_999}
    problems = await lab.refused(archive_of(tmp_path / "a.zip", [row(1, **cells)]))
    assert problems == ["Some specified classif_id don't exist, correct them prior to reload: 999999999"]


@pytest.mark.parametrize("files", [{"readme.txt": b"x"}, {"ecotaxa.tsv": b"object_id\timg_file_name\n[t]\t[t]\n"}])
async def test_archive_without_lines_has_no_object_to_import(lab: Lab, tmp_path: Path, files: dict[str, bytes]):
    problems = await lab.refused(archive(tmp_path / "a.zip", files))
    assert len(problems) == 1
    assert "No object to import" in problems[0]


async def test_names_that_are_left_out_get_dummies_that_a_second_import_finds(lab: Lab, tmp_path: Path):
    bare = {"sample_id": None, "acq_id": None, "process_id": None}
    await lab.load(archive_of(tmp_path / "a.zip", [row(1, **bare)]))
    await lab.load(archive_of(tmp_path / "b.zip", [row(2, **bare)]))
    assert (await lab.count("objects.net_sample"), await lab.count("objects.acquisition")) == (1, 1)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
async def test_text_comes_in_any_encoding(lab: Lab, tmp_path: Path, encoding: str):
    content = table([row(1, sample_id="Göteborg é")]).replace("\n", "\r\n").encode(encoding)
    await lab.load(archive(tmp_path / "a.zip", {"ecotaxa.tsv": content, "o1.png": picture()}))
    assert await lab.rows("SELECT orig_id FROM objects.net_sample WHERE project_id = :p") == [("Göteborg é",)]


async def test_folder_is_imported_like_a_zip(lab: Lab, tmp_path: Path):
    folder = tmp_path / "folder"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "ecotaxa.tsv").write_text(table([row(1)]))
    (folder / "deep" / "o1.png").write_bytes(picture())
    assert (await lab.load(folder)).n_objects == 1


async def test_what_is_no_archive_is_refused(lab: Lab, tmp_path: Path):
    (tmp_path / "a.zip").write_bytes(b"no zip")
    with pytest.raises(QuadratError, match="damaged"):
        await lab.load(tmp_path / "a.zip")


async def test_many_lines_in_several_blocks_keep_their_images_and_columns(lab: Lab, tmp_path: Path):
    rows = [row(number, object_area=number / 3) for number in range(3000)]
    files: dict[str, str | bytes] = {"ecotaxa.tsv": table(rows)}
    files |= {f"o{number}.png": picture(1 + number % 50) for number in range(3000)}
    assert (await lab.load(archive(tmp_path / "a.zip", files))).n_objects == 3000
    found = await lab.rows(
        "SELECT f.orig_id, i.width_px, e.numbers[1] FROM objects.fact f JOIN objects.image i USING (object_id) "
        "JOIN objects.feature e USING (object_id) WHERE f.project_id = :p"
    )
    assert len(found) == 3000
    for name, width, area in found:
        number = int(name[1:])
        assert (width, area) == (1 + number % 50, number / 3)
    assert len(lab.stored()) == 3000


async def test_update_changes_what_it_says_and_makes_nothing(lab: Lab, tmp_path: Path):
    taxon = await lab.make_taxon(f"T{lab.project_id}")
    await lab.load(
        archive_of(
            tmp_path / "a.zip",
            [row(1, object_area=1, object_mean=2, object_lat=5), row(2, object_area=1, object_mean=2, object_lat=5)],
        )
    )
    cells = {"object_annotation_status": "validated", "object_annotation_category": f"T{lab.project_id}"}
    update = [
        {"object_id": "o1", "object_mean": "7.5", "object_lat": "", "object_note": "new", **cells},
        {"object_id": "unknown", "object_mean": "1", "object_lat": "", "object_note": "", **cells},
    ]
    path = archive(tmp_path / "u.zip", {"ecotaxa_update.tsv": table(update)})
    done = await lab.load(path, ImportOptions(skip_existing_objects=True, update_mode=UpdateMode.FACTS))
    assert (done.n_objects, done.n_updates) == (0, 1)
    query = (
        "SELECT f.orig_id, f.latitude, e.numbers, e.texts, o.state, o.taxon_id FROM objects.fact f "
        "JOIN objects.feature e USING (object_id) JOIN objects.object o ON o.id = object_id "
        "WHERE f.project_id = :p ORDER BY 1"
    )
    assert await lab.rows(query) == [
        ("o1", 5.0, [1.0, 7.5], ["new"], "U", None),
        ("o2", 5.0, [1.0, 2.0], [], "U", None),
    ]
    await lab.load(path, ImportOptions(skip_existing_objects=True, update_mode=UpdateMode.CLASSIFICATION))
    assert (await lab.rows(query))[0] == ("o1", 5.0, [1.0, 7.5], ["new"], "V", taxon)
    assert await lab.rows("SELECT n_validated FROM objects.project_taxon WHERE project_id = :p AND taxon_id > 0") == [
        (1,)
    ]


# What a backup brings along beside its index files.

HEAD = '{"format":"quadrat-backup","version":1,"samples":{}}\n'


def backup(path: Path, extra: dict[str, Any], cells: dict[str, Any] | None = None, *, head: str = HEAD) -> Path:
    """An archive of one object with a line about it."""
    line = json.dumps({"object_id": "o1", **extra})
    images = {} if cells and cells.get("img_file_name") == "" else {"back/s1/o1.png": picture()}
    index = table([row(1, **cells or {})])
    return archive(path, {"back/s1/ecotaxa_s1.tsv": index, **images, "back/quadrat.jsonl": head + line + "\n"})


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ({"predicted": {"taxon_id": 1, "score": 1.5}}, "predicted.score"),
        ({"complement": "a\0b"}, "complement"),
        ({"decided_at": "2020-01-01T00:00:00"}, "timezone"),
        ({"past": [{"state": "U", "taxon_id": 1, "entered_at": "2020-01-01T00:00:00Z"}]}, "past[0].state"),
        ({"image_names": {"0": "x" * 300}}, "image_names"),
    ],
)
async def test_backup_with_a_bad_line_is_refused_with_its_number(
    extra: dict[str, Any], words: str, lab: Lab, tmp_path: Path
):
    (problem,) = await lab.refused(backup(tmp_path / "a.zip", extra))
    assert "Invalid line 2 of back/quadrat.jsonl" in problem
    assert words in problem


@pytest.mark.parametrize("head", ["", '{"format":"quadrat-backup","version":2}\n', "no json\n"])
async def test_backup_of_an_unknown_format_is_refused(head: str, lab: Lab, tmp_path: Path):
    (problem,) = await lab.refused(backup(tmp_path / "a.zip", {}, head=head))
    assert "Invalid line 1 of back/quadrat.jsonl" in problem
    assert "Without this file" in problem


async def test_taxa_of_a_backup_that_are_not_there_refuse_it(lab: Lab, tmp_path: Path):
    missing = 2**62
    at = "2020-01-01T00:00:00Z"
    for extra in (
        {"predicted": {"taxon_id": missing}},
        {"predicted": {"taxon_id": missing, "at": at, "guesses": [[missing, 0.5]]}},
        {"past": [{"state": "P", "taxon_id": missing, "entered_at": at}]},
    ):
        (problem,) = await lab.refused(backup(tmp_path / "a.zip", extra))
        assert problem.endswith(f"correct them prior to reload: {missing}")


async def test_authors_of_a_backup_that_nobody_knows_are_asked_for(lab: Lab, tmp_path: Path):
    taxon = await lab.make_taxon(f"T {lab.project_id}")
    gone = f"Gone-{lab.project_id}@example.org"
    past = {"state": "V", "taxon_id": taxon, "entered_at": "2020-01-01T00:00:00.5Z", "author": gone}
    path = backup(tmp_path / "a.zip", {"past": [past]})
    with pytest.raises(NamesMissingError) as asked:
        await lab.load(path)
    assert asked.value.missing.users == [gone.lower()]
    await lab.load(path, answers=Answers({gone.lower(): lab.user_id}))
    history = "SELECT h.change, h.state, h.author_id FROM objects.history h JOIN objects.fact f USING (object_id) "
    assert await lab.rows(history + "WHERE f.project_id = :p") == [(0, "V", lab.user_id)]


async def test_index_file_that_was_edited_is_right_against_the_backup(lab: Lab, tmp_path: Path):
    old, new = [await lab.make_taxon(f"{name} {lab.project_id}") for name in ("Old", "New")]
    kept = {"predicted": {"taxon_id": old, "score": 0.25, "at": "2020-01-01T00:00:00Z"}, "complement": "kept"}
    state = {"object_annotation_status": "predicted", "object_annotation_category_id": new}
    await lab.load(backup(tmp_path / "a.zip", {**kept, "time": "12:00:00.5"}, {**state, "object_time": "120001"}))
    assert await lab.rows(
        "SELECT o.taxon_id, o.predicted_taxon_id, o.predicted_score, o.predicted_at, f.complement, f.time "
        "FROM objects.object o JOIN objects.fact f ON f.object_id = o.id WHERE o.project_id = :p"
    ) == [(new, new, 1.0, BEGAN, "kept", time(12, 0, 1))]


async def test_object_without_an_image_comes_only_from_a_backup_that_says_so(lab: Lab, tmp_path: Path):
    cells = {"img_file_name": "", "img_rank": ""}
    (problem,) = await lab.refused(backup(tmp_path / "a.zip", {}, cells))
    assert "img_file_name is empty" in problem
    path = backup(tmp_path / "b.zip", {"has_image": False}, cells)
    done = await lab.load(path)
    assert (done.n_objects, done.n_images) == (1, 0)
    assert (await lab.load(path, SKIP)).n_objects == 0
    with pytest.raises(ImportRefusedError, match="1 error"):
        await lab.load(path)
    assert await lab.count("objects.fact") == 1
