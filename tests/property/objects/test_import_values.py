"""The readers of cells against what was written."""

from datetime import date, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quadrat.objects.rules import values
from quadrat.objects.rules.header import ColumnBook, Part, read_header
from quadrat.objects.rules.lines import LineReader


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_number_comes_back(number: float):
    assert values.to_number(repr(number)) == number


@given(st.dates(min_value=date(1000, 1, 1)), st.times().map(lambda at: at.replace(microsecond=0)))
def test_date_and_time_come_back_in_every_form(day: date, at: time):
    assert {values.to_date(day.isoformat()), values.to_date(day.strftime("%Y%m%d"))} == {day}
    assert {values.to_time(at.strftime(form)) for form in ("%H:%M:%S", "%H%M%S")} == {at}
    minute = at.replace(second=0)
    assert values.to_time(minute.strftime("%H%M")) == minute


@given(st.integers(0, 89), st.integers(0, 59), st.integers(0, 59), st.sampled_from(["", "-"]))
def test_position_in_degrees_and_minutes_is_the_decimal_one(degrees: int, minutes: int, seconds: int, sign: str):
    decimal = (degrees + minutes / 60 + seconds / 3600) * (-1 if sign else 1)
    assert values.to_latitude(f"{sign}{degrees}°{minutes:02d} {seconds:02d}") == pytest.approx(decimal, abs=1e-9)


@given(st.text(max_size=12))
def test_reader_takes_any_text_or_says_no(text: str):
    readers = (values.to_number, values.to_whole_number, values.to_date, values.to_time, values.to_latitude)
    for read in readers:
        try:
            read(text)
        except (ValueError, OverflowError):
            continue


CELLS = st.one_of(
    st.floats().map(repr), st.sampled_from(["", "nan", "NA", "x", "1,5", "inf", "1e400", "1e308"]), st.text(max_size=5)
).map(str.strip)


@given(st.lists(CELLS, min_size=1, max_size=8))
def test_fast_way_of_reading_numbers_agrees_with_the_careful_one(cells: list[str]):
    names = ["object_id", "img_file_name", *(f"object_n{number}" for number in range(len(cells)))]
    header, _ = read_header(names, ["[t]", "[t]"] + ["[f]"] * len(cells), ColumnBook())
    problems: list[str] = []
    line = LineReader(header).read(["o", "i.png", *cells], problems)
    careful, wrong = [], 0
    for cell in cells:
        try:
            careful.append(values.to_number(cell) if cell else None)
        except (ValueError, OverflowError):
            wrong += 1
    assert len(problems) == wrong
    assert (line is None) == (wrong > 0)
    assert line is None or list(line.numbers) == careful


@given(st.lists(st.tuples(st.sampled_from(Part), st.text("abc", min_size=1, max_size=2), st.booleans()), max_size=30))
def test_column_keeps_its_position_for_good(columns: list[tuple[Part, str, bool]]):
    book = ColumnBook()
    seen: dict[tuple[Part, str], tuple[bool, int]] = {}
    for part, name, is_number in columns:
        place = book.place(part, name, is_number=is_number and part is Part.OBJECT)
        assert place is not None
        assert seen.setdefault((part, name), place) == place
    again = ColumnBook(list(book.numbers), {part: list(names) for part, names in book.texts.items()})
    for (part, name), place in seen.items():
        assert again.place(part, name, is_number=False) == place
    assert len(seen) == len(book.numbers) + sum(len(names) for names in book.texts.values())
