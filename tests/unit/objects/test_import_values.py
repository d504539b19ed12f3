from datetime import date, time

import pytest

from quadrat.objects.rules import values


@pytest.mark.parametrize(
    ("text", "number"),
    [("1", 1.0), ("-0.5", -0.5), ("1e3", 1000.0), ("nan", None), ("NaN", None), ("NA", None), ("na", None)],
)
def test_number_is_read_or_nothing(text: str, number: float | None):
    assert values.to_number(text) == number


@pytest.mark.parametrize("text", ["-inf", "inf", "1,5", "x", "0x10", "1e999"])
def test_number_that_is_none_or_endless_is_refused(text: str):
    with pytest.raises(ValueError):
        values.to_number(text)


@pytest.mark.parametrize(("text", "number"), [("45", 45), ("45.0", 45), ("-1", -1), ("9007199254740993", 2**53 + 1)])
def test_whole_number_may_look_like_a_spreadsheet_wrote_it(text: str, number: int):
    assert values.to_whole_number(text) == number


@pytest.mark.parametrize("text", ["4.5", "nan", "inf", "x", "1_0"])
def test_whole_number_that_is_none_is_refused(text: str):
    with pytest.raises((ValueError, OverflowError)):
        values.to_whole_number(text)


@pytest.mark.parametrize("text", ["20140420", "2014-04-20"])
def test_date_is_read_in_both_forms(text: str):
    assert values.to_date(text) == date(2014, 4, 20)


@pytest.mark.parametrize("text", ["20140431", "2014-4-20", "20.04.2014", "2014", "2014042", "20140420 ", "٢٠١٤٠٤٢٠"])
def test_date_of_another_form_or_no_day_is_refused(text: str):
    with pytest.raises(ValueError):
        values.to_date(text)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("930", time(9, 30)),
        ("0930", time(9, 30)),
        ("2359", time(23, 59)),
        ("235958", time(23, 59, 58)),
        ("23:59:58", time(23, 59, 58)),
        ("08:28:59.999", time(8, 28, 59)),
    ],
)
def test_time_is_read_in_every_form(text: str, at: time):
    assert values.to_time(text) == at


@pytest.mark.parametrize("text", ["9", "93", "2460", "240000", "93000", "23:59", "23:59:58.", "235958.5", "x", ""])
def test_time_of_another_form_or_no_time_is_refused(text: str):
    with pytest.raises(ValueError):
        values.to_time(text)


@pytest.mark.parametrize(
    ("text", "degrees"),
    [
        ("43.5", 43.5),
        ("-90", -90.0),
        ("43°30 00", 43.5),
        ("43°30", 43.5),
        ("-43°30 00", -43.5),
        ("-0°30 00", -0.5),
        ("43°30 36", 43.51),
        ("43°30.6", 43.51),
        ("43°30 00 S", -43.5),
    ],
)
def test_latitude_is_read_in_every_form(text: str, degrees: float):
    assert values.to_latitude(text) == pytest.approx(degrees, abs=1e-12)


@pytest.mark.parametrize("text", ["90.01", "-91", "nan", "x", "43°60 00", "43°30 60", "43°", "91°00 00", "43°30 00 E"])
def test_latitude_outside_or_of_no_form_is_refused(text: str):
    with pytest.raises(ValueError):
        values.to_latitude(text)


def test_longitude_goes_to_180():
    assert values.to_longitude("-179°59 60".replace("60", "59")) == pytest.approx(-179.99972, abs=1e-5)
    assert values.to_longitude("180") == 180
    with pytest.raises(ValueError):
        values.to_longitude("180.001")
