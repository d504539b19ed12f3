import pytest
from hypothesis import given
from hypothesis import strategies as st

from quadrat.errors import QuadratError
from quadrat.objects.rules.taxa_file import display_names, read_taxa

WORMS = ["taxonID", "parentNameUsageID", "scientificName", "taxonomicStatus", "acceptedNameUsageID"]


def test_darwin_core_is_read_parents_first():
    file = read_taxa([WORMS, ["2", "1", "Copepoda", "accepted", "2"], ["1", "", "Animalia", "accepted", ""]])
    assert [(taxon.key, taxon.parent, taxon.name, taxon.accepted) for taxon in file.taxa] == [
        ("1", "", "Animalia", ""),
        ("2", "1", "Copepoda", ""),
    ]
    assert not file.keeps_numbers


def test_synonym_says_what_to_use_instead():
    file = read_taxa([WORMS, ["1", "", "A", "accepted", ""], ["2", "", "B", "unaccepted", "1"]])
    assert [(taxon.accepted, taxon.is_deprecated) for taxon in file.taxa] == [("", False), ("1", True)]


def test_columns_of_an_object_set_server_keep_their_numbers():
    file = read_taxa([["id", "parent_id", "name", "taxotype"], ["5", "", "bubble", "M"], ["6", "5", "x", "P"]])
    assert file.keeps_numbers
    assert [taxon.is_form for taxon in file.taxa] == [True, False]


def test_display_name_of_the_source_is_kept_where_it_is_free():
    head = ["id", "parent_id", "name", "display_name"]
    file = read_taxa([head, ["5", "", "Odontella", "Odontella<Mediophyceae"], ["6", "", "bubble"]])
    assert [taxon.shown for taxon in file.taxa] == ["Odontella<Mediophyceae", ""]
    named = [("Odontella", "Odontella<Mediophyceae", ["Diatoms"]), ("Odontella", "odontella<mediophyceae", ["x"])]
    assert list(display_names(set(), named)) == ["Odontella<Mediophyceae", "Odontella"]
    with pytest.raises(QuadratError, match="Line 2: a display name"):
        read_taxa([head, ["5", "", "A", "A" * 1001]])


def test_parent_may_be_there_already():
    assert len(read_taxa([WORMS, ["2", "1", "B", "", ""]], known=["1"]).taxa) == 1


@pytest.mark.parametrize(
    ("rows", "phrase"),
    [
        ([], "no column id"),
        ([["id", "name"]], "no column parent_id"),
        ([WORMS, ["1", "", "", "", ""]], "Line 2"),
        ([WORMS, ["1", "", "A"], ["1", "", "B"]], "Line 3: 1 is there twice"),
        ([WORMS, ["1", "9", "A"]], "The parent 9 of A"),
        ([WORMS, ["1", "2", "A"], ["2", "1", "B"]], "its own ancestor"),
    ],
)
def test_file_with_a_mistake_is_refused(rows: list[list[str]], phrase: str):
    with pytest.raises(QuadratError, match=phrase):
        read_taxa(rows)


@given(st.lists(st.integers(0, 30), min_size=1, max_size=30), st.randoms())
def test_parents_come_first_in_whatever_order_the_file_is(parents: list[int], random: object):
    rows = [[str(key), "" if key == 0 else str(parent % key), f"t{key}"] for key, parent in enumerate(parents)]
    random.shuffle(rows)
    seen: set[str] = set()
    for taxon in read_taxa([["id", "parent_id", "name"], *rows]).taxa:
        assert not taxon.parent or taxon.parent in seen
        seen.add(taxon.key)
    assert len(seen) == len(parents)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.lists(st.sampled_from("ab"), max_size=3)), max_size=12))
def test_display_names_are_unique_and_begin_with_the_name(named: list[tuple[str, list[str]]]):
    shown = list(display_names({"a"}, ((name, "", ancestors) for name, ancestors in named)))
    assert len({name.lower() for name in shown} | {"a"}) == len(shown) + 1
    assert all(display.startswith(name) for display, (name, _) in zip(shown, named, strict=True))
