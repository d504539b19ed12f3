"""What the addresses of models, versions and pipelines name."""

from typing import Annotated

from fastapi import Depends

from quadrat.serving.actions.access import ModelPath, VersionPath
from quadrat.serving.actions.pipelines import PipelinePath

MODEL = "/projects/{project_name}/models/{model_name}"
VERSION = MODEL + "/versions/{version}"
PIPELINE = "/projects/{project_name}/pipelines/{pipeline_name}"


# Coroutines: the framework would run plain functions in threads.
async def _model(project_name: str, model_name: str) -> ModelPath:
    return ModelPath(project_name, model_name)


async def _version(project_name: str, model_name: str, version: str) -> VersionPath:
    return VersionPath(project_name, model_name, version)


async def _pipeline(project_name: str, pipeline_name: str) -> PipelinePath:
    return PipelinePath(project_name, pipeline_name)


AtModel = Annotated[ModelPath, Depends(_model)]
AtVersion = Annotated[VersionPath, Depends(_version)]
AtPipeline = Annotated[PipelinePath, Depends(_pipeline)]
