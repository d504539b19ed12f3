"""What the scripts of this client share: a connection and the way to hand back a result."""

import json
import os
import secrets
import sys

import ubiops


def connect() -> ubiops.CoreApi:
    """The client as its documentation sets it up; only the host differs."""
    configuration = ubiops.Configuration()
    configuration.host = os.environ["QUADRAT_CONTRACT_URL"] + "/v2.1"
    configuration.api_key_prefix["Authorization"] = ""
    configuration.api_key["Authorization"] = "Token " + os.environ["QUADRAT_CONTRACT_TOKEN"]
    return ubiops.CoreApi(ubiops.ApiClient(configuration))


def unique(word: str) -> str:
    return f"{word}-{secrets.token_hex(5)}"


def refusal(call, *args, **kwargs) -> dict:
    """Status and body of the error that a call must end with."""
    try:
        call(*args, **kwargs)
    except ubiops.ApiException as error:
        return {"status": error.status, "body": json.loads(error.body)}
    raise AssertionError(f"{call.__name__} was not refused")


def own_organization(api: ubiops.CoreApi) -> str:
    name = unique("org")
    api.organizations_create(
        data=ubiops.OrganizationCreate(name=name, subscription="free", subscription_agreed=True),
    )
    return name


def report(result: dict) -> None:
    json.dump(result, sys.stdout, default=str)
