from quadrat.objects.columns.rows import Rows


def test_rows_are_found_under_their_mark_alone():
    rows = Rows(10_000)
    rows.keep("first", {1: ("a",), 2: ("b",)})
    assert rows.find("first", [3, 2, 1]) == ({2: ("b",), 1: ("a",)}, [3])
    assert rows.find("second", [1]) == ({}, [1])


def test_what_is_used_stays_and_the_rest_goes_within_the_budget():
    rows = Rows(20_000)
    rows.keep("mark", dict.fromkeys(range(5), ("used",)))
    for number in range(100, 200):
        rows.keep("mark", {number: (f"row {number}",)})
        found, missing = rows.find("mark", range(5))
        assert (len(found), missing) == (5, [])
    found, _ = rows.find("mark", range(100, 200))
    assert 0 < len(found) < 100
    assert max(found) == 199


def test_more_rows_than_the_budget_are_not_kept():
    rows = Rows(1_000)
    rows.keep("mark", dict.fromkeys(range(100), ("row",)))
    assert rows.find("mark", [1]) == ({}, [1])
