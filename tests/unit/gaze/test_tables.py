from quadrat.gaze.rules.tables import to_csv


def test_cells_are_quoted_only_where_they_have_to_be():
    rows = [("a", 'b "c"', "d,e"), (None, 1, 2.5), ("line\nbreak", "", "ä")]
    assert to_csv(rows) == 'a,"b ""c""","d,e"\n,1,2.5\n"line\nbreak",,ä\n'
