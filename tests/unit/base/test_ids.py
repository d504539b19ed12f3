import re
import time

from quadrat.base.ids import new_object_id, new_token, new_uuid


def test_new_uuid_of_one_process_is_version_7_and_holds_the_present() -> None:
    before = time.time_ns() // 1_000_000
    made = new_uuid()
    after = time.time_ns() // 1_000_000
    assert made.version == 7
    assert made.variant == "specified in RFC 4122"
    assert before <= made.int >> 80 <= after


def test_new_uuid_many_never_repeats() -> None:
    assert len({new_uuid() for _ in range(10_000)}) == 10_000


def test_new_object_id_has_24_lower_case_hex_digits() -> None:
    assert re.fullmatch(r"[a-f0-9]{24}", new_object_id())


def test_new_object_id_many_never_repeats() -> None:
    assert len({new_object_id() for _ in range(50_000)}) == 50_000


def test_new_token_has_40_hex_digits_and_differs() -> None:
    assert re.fullmatch(r"[a-f0-9]{40}", new_token())
    assert new_token() != new_token()
