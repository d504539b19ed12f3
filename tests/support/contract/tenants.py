"""Two users who share nothing, each with one of every thing that the walk over all operations can name."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx2

from support.contract.doors import Door, Operation
from support.contract.things import ecotaxa, lightly, pupilcloud, ubiops
from support.contract.things.step import Step

PASSWORD = "Aa1!contract-walk"
STEPS = {"ubiops": ubiops.STEPS, "lightly": lightly.STEPS, "ecotaxa": ecotaxa.STEPS, "pupilcloud": pupilcloud.STEPS}


@dataclass(frozen=True, slots=True)
class Tenant:
    """One user's things.

    Args:
        token: What opens them.
        things: By the path that names each, the value of that path's last parameter.
        failed: What could not be made although the server has the operation, in sentences.
    """

    token: str
    things: dict[str, str] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)

    def values(self, operation: Operation) -> dict[str, str]:
        """The parameters of an operation's path that name things of this tenant."""
        found = {}
        for item, value in self.things.items():
            if operation.path.rstrip("/") == item or operation.path.startswith(f"{item}/"):
                found[Operation("GET", item).parameters[-1]] = value
        return found


def sign_up(http: httpx2.Client, admin_token: str) -> str:
    """A user made by the administrator, hence active at once, signed in with a password."""
    email = f"user-{secrets.token_hex(6)}@contract.example"
    made = http.post(
        "/v2.1/user",
        headers={"Authorization": f"Token {admin_token}"},
        json={"email": email, "password": PASSWORD, "name": "Wal", "surname": "Ker", "terms_conditions": True},
    )
    assert made.status_code == 201, made.text
    signed_in = http.post("/v2.1/authorize", json={"email": email, "password": PASSWORD})
    assert signed_in.status_code == 200, signed_in.text
    return str(signed_in.json()["access"])


def settle(doors: Sequence[Door], token: str) -> Tenant:
    """Make one of everything that the server can make."""
    tenant = Tenant(token)
    for door in doors:
        values: dict[str, str] = {}
        for step in STEPS[door.name]:
            if door.serves(*step.made_by):
                _make(door, step, tenant, values)
    return tenant


def _make(door: Door, step: Step, tenant: Tenant, values: dict[str, str]) -> None:
    name = f"secret-{secrets.token_hex(6)}"
    operation = Operation(*step.made_by)
    if set(operation.parameters) - set(values):
        return  # what it belongs to has failed before, and is told of
    try:
        answer = door.ask(operation, operation.at(values), token=tenant.token, **step.request(name, values))
        assert answer.is_success, f"{answer.status_code} {answer.text}"
        value = str(step.read(answer.json(), name))
    except (AssertionError, LookupError, TypeError, ValueError) as error:
        tenant.failed.append(f"{' '.join(step.made_by)} for {step.item}: {error!r}")
        return
    values[step.parameter] = value
    for item in (step.item, *step.beside):
        tenant.things[item] = value
