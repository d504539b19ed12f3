"""The taxonomy on a real database."""

import random
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from quadrat.errors import QuadratError
from quadrat.objects.actions import sets, taxa
from quadrat.objects.actions.taxa_import import import_taxa
from quadrat.objects.columns.cache import ColumnCache
from quadrat.objects.rules.searching import search_parts, search_pattern
from quadrat.objects.store import taxa as store
from quadrat.objects.types import TaxonKind
from support.people import make_caller, unique

pytestmark = pytest.mark.anyio


async def number_of(tx: AsyncConnection, display_name: str) -> int:
    query = text("SELECT id FROM objects.taxon WHERE display_name = :name")
    return (await tx.execute(query, {"name": display_name})).scalar_one()


async def test_shipped_tree_has_the_classes_of_plankton_and_the_digits(tx: AsyncConnection):
    views = await taxa.get_taxa(tx, [await number_of(tx, name) for name in ("Copepoda", "egg<Pisces", "7")])
    assert [view.lineage for view in views] == [
        ["Copepoda", "Crustacea", "Arthropoda", "Metazoa", "Eukaryota", "living"],
        ["egg", "Pisces", "Chordata", "Metazoa", "Eukaryota", "living"],
        ["7", "digit"],
    ]
    assert {view.taxon.name for view in await taxa.list_roots(tx)} >= {"living", "not-living", "digit"}


async def test_search_finds_by_beginning_with_stars_and_the_preset_first(tx: AsyncConnection, cache: ColumnCache):
    caller = await make_caller(tx)
    project = await sets.create_set(tx, caller, unique("t"), instrument=None, is_visible=False)
    temora = await number_of(tx, "Temoridae")
    await tx.execute(
        text("UPDATE objects.project SET preset_taxa = ARRAY[CAST(:t AS bigint)] WHERE project_id = :p"),
        {"t": temora, "p": project},
    )
    # Taxa that other tests have made lie in the same tree.
    names = [taxon.name for taxon, _ in await taxa.search(tx, cache, None, "COPEPO", None)]
    assert names[0] == "Copepoda"
    assert all(name.startswith("Copepo") for name in names)
    assert "Calanoida" in [taxon.name for taxon, _ in await taxa.search(tx, cache, None, "cal*da", None)]
    found = await taxa.search(tx, cache, caller, "*ridae", project)
    assert (found[0][0].id, found[0][1]) == (temora, True)
    assert not any(is_preset for _, is_preset in found[1:])
    assert await taxa.search(tx, cache, caller, "co", None) == []
    with pytest.raises(QuadratError):
        await taxa.search(tx, cache, None, "cop", project)


async def test_taxon_is_made_by_a_manager_with_a_unique_display_name(tx: AsyncConnection):
    manager, nobody = await make_caller(tx), await make_caller(tx)
    await sets.create_set(tx, manager, unique("t"), instrument=None, is_visible=False)
    copepoda = await number_of(tx, "Copepoda")
    new = taxa.NewTaxon("bubble", copepoda, TaxonKind.MORPHO, manager.email)
    with pytest.raises(QuadratError, match="can't"):
        await taxa.add_taxon(tx, nobody, new)
    made = await taxa.add_taxon(tx, manager, new)
    [view] = await taxa.get_taxa(tx, [made])
    assert (view.taxon.display_name, view.lineage[:2]) == ("bubble<Copepoda", ["bubble", "Copepoda"])
    with pytest.raises(QuadratError, match="already"):
        await taxa.add_taxon(tx, manager, new)


async def test_file_is_taken_in_once_and_its_newer_edition_adds_to_it(tx: AsyncConnection, tmp_path: Path):
    path = tmp_path / "taxa.tsv"
    head = "taxonID\tparentNameUsageID\tscientificName\ttaxonomicStatus\tacceptedNameUsageID\n"
    mark = unique("x")
    rows = [f"{mark}1\t\tAnimalia {mark}\taccepted\t\n", f"{mark}2\t{mark}1\tCopepoda\taccepted\t\n"]
    path.write_text(head + "".join(rows))
    done = await import_taxa(tx, path)
    assert (done.n_made, done.n_known) == (2, 0)
    assert await number_of(tx, f"Copepoda<Animalia {mark}")
    path.write_text(head + "".join(rows) + f"{mark}3\t{mark}2\tOld {mark}\tunaccepted\t{mark}2\n")
    done = await import_taxa(tx, path)
    assert (done.n_made, done.n_known) == (1, 2)
    [old] = await taxa.get_taxa(tx, [await number_of(tx, f"Old {mark}")])
    assert old.taxon.renamed_to_id == await number_of(tx, f"Copepoda<Animalia {mark}")
    assert old.lineage == [f"Old {mark}", "Copepoda", f"Animalia {mark}"]


async def test_numbers_of_a_file_are_kept_where_they_are_free(tx: AsyncConnection, tmp_path: Path):
    path = tmp_path / "taxa.tsv"
    path.write_text("id\tparent_id\tname\ttaxotype\n1\t\tnew root\tP\n45072\t1\tSomething\tP\n")
    done = await import_taxa(tx, path, under=await number_of(tx, "living"))
    assert (done.n_made, done.n_renumbered) == (2, 1)
    [kept] = await taxa.get_taxa(tx, [45072])
    assert kept.lineage == ["Something", "new root", "living"]


async def test_recount_counts_validated_objects_with_those_below_and_comes_again(tx: AsyncConnection):
    caller = await make_caller(tx)
    project = await sets.create_set(tx, caller, unique("t"), instrument=None, is_visible=False)
    copepoda = await number_of(tx, "Copepoda")
    made = [
        await taxa.add_taxon(tx, caller, taxa.NewTaxon(unique("x"), parent, TaxonKind.PHYLO, caller.email))
        for parent in (copepoda, copepoda)
    ]
    below = await taxa.add_taxon(tx, caller, taxa.NewTaxon(unique("x"), made[0], TaxonKind.PHYLO, caller.email))
    counts = "INSERT INTO objects.project_taxon VALUES (:p, :t, :n + 4, 4, :n, 0)"
    for taxon_id, n in ((made[0], 2), (below, 3)):
        await tx.execute(text(counts), {"p": project, "t": taxon_id, "n": n})
    await taxa.recount(tx)
    views = await taxa.get_taxa(tx, [*made, below])
    assert [(view.taxon.n_objects, view.taxon.n_objects_below) for view in views] == [(2, 5), (0, 0), (3, 3)]
    again = text("SELECT count(*) FROM jobs.job WHERE kind = :kind AND state = 'pending'")
    assert (await tx.execute(again, {"kind": taxa.RECOUNT})).scalar_one() >= 1


async def test_mark_of_the_tree_changes_with_names_and_places_and_not_with_counts(tx: AsyncConnection):
    mark = text("SELECT content FROM objects.tree")
    manager = await make_caller(tx, admin=True)
    new = taxa.NewTaxon(unique("bubble"), await number_of(tx, "Copepoda"), TaxonKind.MORPHO, manager.email)
    seen = {(await tx.execute(mark)).scalar_one()}
    made = await taxa.add_taxon(tx, manager, new)
    seen.add((await tx.execute(mark)).scalar_one())
    for change in ("display_name = 'another ' || id", "name = 'other'", "parent_id = NULL", "kind = 'phylo'"):
        await tx.execute(text(f"UPDATE objects.taxon SET {change} WHERE id = :id"), {"id": made})
        seen.add((await tx.execute(mark)).scalar_one())
    assert len(seen) == 6
    await tx.execute(text("UPDATE objects.taxon SET n_objects = 5, n_objects_below = 6 WHERE id = :id"), {"id": made})
    assert (await tx.execute(mark)).scalar_one() in seen


async def test_search_with_a_star_in_front_finds_from_memory_what_the_database_finds(
    tx: AsyncConnection, cache: ColumnCache
):
    chance = random.Random(7)
    manager = await make_caller(tx, admin=True)
    copepoda = await number_of(tx, "Copepoda")
    odd = ["a%b_c\\d", "Été<egg", "x  y", "*star*", "ŒUF"]
    for name in (unique("zz"), *(f"{name}{unique('q')}".replace("<", "(") for name in odd)):
        await taxa.add_taxon(tx, manager, taxa.NewTaxon(name, copepoda, TaxonKind.MORPHO, manager.email))
    names = (await tx.execute(text("SELECT display_name FROM objects.taxon ORDER BY id"))).scalars().all()
    presets = [[], [copepoda, await number_of(tx, "Temoridae"), 10**15]]
    queries = ["***", "*no such taxon*", "*\\*", "*%*", "*_", "*é*", "*a", "*o*a*e", "*qq*"]
    for _ in range(150):
        name = chance.choice([*names, *names[-10:]])
        at = chance.randrange(len(name))
        parts = [name[at : at + chance.randint(1, 4)], name[at + 5 : at + chance.randint(6, 9)]]
        queries.append("*" + "*".join(part for part in parts if part))
    for number, query in enumerate(queries):
        parts, preset = search_parts(query), presets[number % 2]
        by_database = await store.search_taxa(tx, parts[0], search_pattern(parts), preset, 200)
        held = await store.read_names(tx)
        assert held is not None
        found = await store.find_if_unchanged(tx, held.content, held.search(parts, preset, 200))
        assert found == by_database, query
        if len(query) >= 3:
            assert [each for each, _ in await taxa.search(tx, cache, None, query, None)] == (
                await store.search_taxa(tx, parts[0], search_pattern(parts), [], 200)
            )
    assert cache.names is not None


async def test_search_with_a_star_in_front_sees_new_names_and_others(tx: AsyncConnection, cache: ColumnCache):
    manager = await make_caller(tx, admin=True)
    ending = unique("ending")

    async def found() -> list[str]:
        return [taxon.display_name for taxon, _ in await taxa.search(tx, cache, None, f"*{ending}", None)]

    assert await found() == []
    new = taxa.NewTaxon(f"first{ending}", await number_of(tx, "Copepoda"), TaxonKind.MORPHO, manager.email)
    made = await taxa.add_taxon(tx, manager, new)
    assert await found() == [f"first{ending}"]
    await tx.execute(
        text("UPDATE objects.taxon SET display_name = :name WHERE id = :id"), {"name": f"other{ending}", "id": made}
    )
    assert await found() == [f"other{ending}"]
    before = cache.names
    assert await found() == [f"other{ending}"]
    assert cache.names is before, "what has not changed is not read again"
    assert await store.read_names(tx, most=5) is None, "too many for the memory"
    with pytest.raises(UnicodeEncodeError):
        await taxa.search(tx, cache, None, "*\ud800a", None)
