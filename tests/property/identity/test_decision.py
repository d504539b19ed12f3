"""The one decision against a model that is too simple to be wrong, and that no grant ever takes anything away."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quadrat.identity import rules
from quadrat.identity.permissions import ALL_PERMISSIONS, DEFAULT_ROLES
from quadrat.identity.types import (
    Access,
    Caller,
    Grant,
    MemberLevel,
    ObjectType,
    OrganizationId,
    Project,
    ProjectId,
    Target,
    UserId,
)

ZERO = UUID(int=0)
PROJECT = Project(ProjectId(1), ZERO, OrganizationId(1), "org", "project", "Project", datetime(2026, 1, 1, tzinfo=UTC))
LEVELS = (None, MemberLevel.DEMO, MemberLevel.VIEWER, MemberLevel.EDITOR, MemberLevel.ADMIN, MemberLevel.OWNER)

permissions = st.sampled_from(sorted(ALL_PERMISSIONS))
# Few values, so that grants and questions meet.
targets = st.builds(Target, st.sampled_from(ObjectType), st.integers(0, 2).map(lambda number: UUID(int=number)))
held = st.one_of(st.sampled_from(list(DEFAULT_ROLES.values())), st.frozensets(permissions, max_size=5))
grants = st.builds(Grant, held, st.none() | targets)
accesses = st.builds(Access, st.just(PROJECT), st.sampled_from(LEVELS), st.lists(grants, max_size=4).map(tuple))
callers = st.booleans().map(lambda is_admin: Caller(UserId(1), ZERO, "a@b.org", is_admin, None, ZERO))


def naive(caller: Caller, access: Access, permission: str, target: Target | None) -> bool:
    """Write out everything that is held, as (permission, where), and look whether the question is in it."""
    role_of = {"owner": "admin", "admin": "admin", "editor": "editor", "viewer": "viewer", "demo": "viewer"}
    everywhere: set[str] = set()
    somewhere: set[tuple[str, str, UUID]] = set()
    if caller.is_platform_admin:
        everywhere |= ALL_PERMISSIONS
    if access.level is not None:
        everywhere |= DEFAULT_ROLES[f"project-{role_of[access.level.value]}"]
    for grant in access.grants:
        for name in grant.permissions:
            if grant.target is None:
                everywhere.add(name)
            else:
                somewhere.add((name, grant.target.type.value, grant.target.id))
    return permission in everywhere or (target is not None and (permission, target.type.value, target.id) in somewhere)


@given(callers, accesses, permissions, st.none() | targets)
def test_decision_is_that_of_the_naive_model(caller: Caller, access: Access, permission: str, target: Target | None):
    assert rules.allows(caller, access, permission, target) == naive(caller, access, permission, target)


@given(callers, accesses, grants, permissions, st.none() | targets)
def test_another_grant_never_takes_anything_away(
    caller: Caller, access: Access, grant: Grant, permission: str, target: Target | None
):
    more = Access(access.project, access.level, (*access.grants, grant))
    assert rules.allows(caller, access, permission, target) <= rules.allows(caller, more, permission, target)


@given(accesses, st.sampled_from(range(1, len(LEVELS))), permissions, st.none() | targets)
def test_a_higher_level_never_takes_anything_away(access: Access, higher: int, permission: str, target: Target | None):
    caller = Caller(UserId(1), ZERO, "a@b.org", False, None, ZERO)
    lower = Access(access.project, LEVELS[higher - 1], access.grants)
    upper = Access(access.project, LEVELS[higher], access.grants)
    assert rules.allows(caller, lower, permission, target) <= rules.allows(caller, upper, permission, target)


@given(callers, accesses, permissions, targets)
def test_what_is_allowed_in_the_project_is_allowed_on_every_object(
    caller: Caller, access: Access, permission: str, target: Target
):
    assert rules.allows(caller, access, permission) <= rules.allows(caller, access, permission, target)


@given(callers, accesses, permissions, targets)
def test_a_list_shows_exactly_the_objects_that_a_look_at_each_allows(
    caller: Caller, access: Access, permission: str, target: Target
):
    ids = rules.allowed_objects(caller, access, permission, target.type)
    shown = ids is None or target.id in ids
    assert shown == rules.allows(caller, access, permission, target)


@given(callers, st.sampled_from(LEVELS))
def test_organization_is_administered_by_owner_admin_and_platform_administrator(
    caller: Caller, level: MemberLevel | None
):
    expected = caller.is_platform_admin or level in {MemberLevel.OWNER, MemberLevel.ADMIN}
    assert rules.administers(caller, level) is expected


def test_unknown_permission_is_a_mistake_of_the_programmer():
    caller = Caller(UserId(1), ZERO, "a@b.org", True, None, ZERO)
    with pytest.raises(ValueError, match=r"models\.fly"):
        rules.allows(caller, Access(PROJECT, None), "models.fly")
