import pytest
from hypothesis import given
from hypothesis import strategies as st

from quadrat.base.slugs import is_slug, make_unique, slugify


@pytest.mark.parametrize("name", ["a", "plankton-2026", "a" * 64, "x-"])
def test_is_slug_good_name_accepted(name: str) -> None:
    assert is_slug(name)


@pytest.mark.parametrize("name", ["", "A", "1a", "-a", "a_b", "a b", "a\n", "a" * 65, "ä"])
def test_is_slug_bad_name_refused(name: str) -> None:
    assert not is_slug(name)


@pytest.mark.parametrize(
    ("title", "slug"),
    [("Été à Villefranche", "ete-a-villefranche"), ("2026 cruise", "cruise"), ("浮游生物", "project"), ("a/b", "a-b")],
)
def test_slugify_title_reads_like_it(title: str, slug: str) -> None:
    assert slugify(title, fallback="project") == slug


@given(st.text())
def test_slugify_any_text_is_a_slug(title: str) -> None:
    assert is_slug(slugify(title, fallback="project"))


@given(st.lists(st.from_regex(r"[a-z][a-z0-9-]{0,63}", fullmatch=True), min_size=1, max_size=30))
def test_make_unique_any_names_stay_apart_and_valid(names: list[str]) -> None:
    taken: set[str] = set()
    for name in names:
        made = make_unique(name, taken)
        assert made not in taken
        assert is_slug(made)
        taken.add(made)
