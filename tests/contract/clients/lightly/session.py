"""What the scripts of this client share: its generated part without torch, a connection, a way to hand back results."""

import importlib.util
import json
import os
import secrets
import sys
import types


def load_generated_client() -> types.ModuleType:
    """Import the generated client alone: the package around it imports torch, so a bare one stands in for it."""
    spec = importlib.util.find_spec("lightly")
    bare = types.ModuleType("lightly")
    bare.__path__ = list(spec.submodule_search_locations)
    sys.modules["lightly"] = bare
    return importlib.import_module("lightly.openapi_generated.swagger_client")


client = load_generated_client()
rest = importlib.import_module("lightly.openapi_generated.swagger_client.rest")


def connect() -> types.SimpleNamespace:
    """The APIs of the client as `ApiWorkflowClient` sets them up: the token goes into the query."""
    configuration = client.Configuration()
    configuration.host = os.environ["QUADRAT_CONTRACT_URL"]
    token = os.environ["QUADRAT_CONTRACT_TOKEN"]
    # A redirect address is opened with `publicToken`, everything else with `token`.
    configuration.api_key = {"token": token, "publicToken": token}
    shared = client.ApiClient(configuration)
    return types.SimpleNamespace(
        datasets=client.DatasetsApi(shared),
        samples=client.SamplesApi(shared),
        tags=client.TagsApi(shared),
        mappings=client.MappingsApi(shared),
        embeddings=client.EmbeddingsApi(shared),
        embeddings2d=client.Embeddings2dApi(shared),
        datasources=client.DatasourcesApi(shared),
        configurations=client.MetaDataConfigurationsApi(shared),
        quota=client.QuotaApi(shared),
        versions=client.VersioningApi(shared),
    )


def unique(word: str) -> str:
    return f"{word}-{secrets.token_hex(5)}"


def refusal(call, *args, **kwargs) -> dict:
    """Status and body of the error that a call must end with."""
    try:
        call(*args, **kwargs)
    except rest.ApiException as error:
        return {"status": error.status, "body": json.loads(error.body)}
    raise AssertionError(f"{call.__name__} was not refused")


def report(result: dict) -> None:
    json.dump(result, sys.stdout, default=str)
