"""What the addresses of models and versions name."""

from typing import Annotated

from fastapi import Depends

from quadrat.serving.actions.access import ModelPath, VersionPath

MODEL = "/projects/{project_name}/models/{model_name}"
VERSION = MODEL + "/versions/{version}"


# Coroutines: the framework would run plain functions in threads.
async def _model(project_name: str, model_name: str) -> ModelPath:
    return ModelPath(project_name, model_name)


async def _version(project_name: str, model_name: str, version: str) -> VersionPath:
    return VersionPath(project_name, model_name, version)


AtModel = Annotated[ModelPath, Depends(_model)]
AtVersion = Annotated[VersionPath, Depends(_version)]
