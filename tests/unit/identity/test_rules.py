from datetime import UTC, datetime, timedelta

import pytest

from quadrat.errors import ErrorKind, QuadratError
from quadrat.identity import rules
from quadrat.identity.permissions import (
    ALL_PERMISSIONS,
    DATA_PERMISSIONS,
    DEFAULT_ROLES,
    RESTRICTED_PERMISSIONS,
    SERVICE_USER_PROJECT_ADMIN,
    SERVING_PERMISSIONS,
)

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def refused(check, *arguments, **options) -> QuadratError:
    with pytest.raises(QuadratError) as caught:
        check(*arguments, **options)
    return caught.value


def test_permissions_are_the_85_of_serving_and_those_of_the_data():
    assert len(SERVING_PERMISSIONS) == len(set(SERVING_PERMISSIONS)) == 85
    assert not set(SERVING_PERMISSIONS) & set(DATA_PERMISSIONS)
    assert set(SERVING_PERMISSIONS) | set(DATA_PERMISSIONS) == ALL_PERMISSIONS


@pytest.mark.parametrize("group", ["project", "model", "pipeline", "connector", "credentials", "blob"])
def test_default_roles_grow_from_viewer_over_editor_to_admin(group: str):
    viewer, editor, admin = (DEFAULT_ROLES[f"{group}-{level}"] for level in ("viewer", "editor", "admin"))
    assert viewer < editor < admin
    assert not any(name.endswith((".create", ".update", ".delete")) for name in viewer)
    # In gaze drawing an area and removing it again is one kind of work.
    removing = {name for name in editor if name.endswith(".delete")}
    assert removing == ({"aois.delete", "gaze.delete"} if group == "project" else set())


def test_annotator_stands_between_viewer_and_editor():
    viewer, annotator, editor = (DEFAULT_ROLES[f"project-{level}"] for level in ("viewer", "annotator", "editor"))
    assert viewer < annotator < editor
    assert {"objects.classify", "samples.update", "aois.update"} <= annotator - viewer


def test_service_users_hold_nothing_on_roles_and_users():
    assert rules.suits_service_user(DEFAULT_ROLES[SERVICE_USER_PROJECT_ADMIN])
    assert DEFAULT_ROLES[SERVICE_USER_PROJECT_ADMIN] == ALL_PERMISSIONS - RESTRICTED_PERMISSIONS
    assert not any(rules.suits_service_user(frozenset({name})) for name in RESTRICTED_PERMISSIONS)


@pytest.mark.parametrize(
    ("entered", "stored"),
    [("A@B.org", "a@b.org"), (" ä.ö+x@host.museum\n", "ä.ö+x@host.museum"), ("a@b.c.d", "a@b.c.d")],
)
def test_check_email_trims_and_lowers(entered: str, stored: str):
    assert rules.check_email(entered) == stored


@pytest.mark.parametrize(
    "email",
    ["", "a", "a@b", "@b.org", "a@", "a b@c.org", "a@b@c.org", "a@b.org\x00", "a@b.\ud800org", "x" * 250 + "@b.org"],
)
def test_check_email_refuses_what_is_no_address(email: str):
    error = refused(rules.check_email, email)
    assert (error.kind, error.field) == (ErrorKind.INVALID, "email")


@pytest.mark.parametrize(
    ("password", "simple", "hard"),
    [
        ("1234567", False, False),
        ("12345678", True, False),
        ("x" * 128, True, False),
        ("x" * 129, False, False),
        ("Abcdefg1", True, False),
        ("Abcdefg-", True, False),
        ("abcdef1-", True, False),
        ("ABCDEF1-", True, False),
        ("Abcdef1-", True, True),
        ("Ab1" + rules.SYMBOLS, True, True),
        ("Abcdef1€", True, False),
    ],
)
def test_check_password_asks_for_length_and_if_wished_for_four_classes(password: str, simple: bool, hard: bool):
    for complex_, accepted in ((False, simple), (True, hard)):
        if accepted:
            rules.check_password(password, complex_=complex_)
        else:
            assert refused(rules.check_password, password, complex_=complex_).field == "password"


@pytest.mark.parametrize("name", ["", "A", "1a", "-a", "a_b", "a b", "a\n", "ä", "a" * 65])
def test_check_name_refuses_what_is_no_slug(name: str):
    assert refused(rules.check_name, name, "name").kind is ErrorKind.INVALID


@pytest.mark.parametrize("name", ["a", "a-1-", "a" * 64])
def test_check_name_and_role_name_give_a_slug_back(name: str):
    assert rules.check_name(name, "name") == rules.check_role_name(name) == name


def test_check_role_name_refuses_the_default_roles():
    assert {refused(rules.check_role_name, name).kind for name in DEFAULT_ROLES} == {ErrorKind.ALREADY_EXISTS}


def test_check_text_trims_and_refuses_control_characters_and_length():
    assert rules.check_text("  Bay of Éze 浮游 ", "title") == "Bay of Éze 浮游"
    for text in ("a\nb", "a\x00", "a\x7f", "\udfff", "x" * 257):
        assert refused(rules.check_text, text, "title").field == "title"


def test_check_person_name_turns_nothing_into_none():
    assert [rules.check_person_name(name, "name") for name in (None, "", "  ", " Ada ")] == [None, None, None, "Ada"]


def test_check_token_takes_40_lower_case_hex_digits_only():
    assert rules.check_token("0a" * 20) == "0a" * 20
    for token in ("", "0A" * 20, "0a" * 19, "0a" * 20 + "0", "0a" * 20 + "\n", "0g" * 20):
        assert refused(rules.check_token, token).field == "token"


def test_check_permissions_refuses_none_and_unknown_ones():
    assert rules.check_permissions(["models.get", "models.get"]) == {"models.get"}
    assert "models.fly" in refused(rules.check_permissions, ["models.get", "models.fly"]).message
    assert refused(rules.check_permissions, []).kind is ErrorKind.INVALID


def test_account_subject_hides_the_address():
    assert "ada" not in rules.account_subject("ada@example.org")
    assert rules.account_subject("ada@example.org") != rules.account_subject("eve@example.org")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("testclient", "testclient", True),
        ("testclient", "other", False),
    ],
)
def test_address_subject_joins_what_one_place_can_choose_from(one: str, other: str, same: bool):
    assert (rules.address_subject(one) == rules.address_subject(other)) is same


def test_sign_in_wait_ends_when_the_oldest_that_counts_leaves_the_window():
    failures = [NOON - timedelta(minutes=minutes) for minutes in (1, 5, 10)]
    assert rules.sign_in_wait_s(failures, 4, NOON) is None
    assert rules.sign_in_wait_s(failures, 3, NOON) == 5 * 60
    assert rules.sign_in_wait_s(failures, 1, NOON) == 14 * 60
    assert rules.sign_in_wait_s([NOON - rules.SIGN_IN_WINDOW], 1, NOON) == 1.0
    assert rules.sign_in_wait_s([], 1, NOON) is None
