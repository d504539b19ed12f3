"""From a deployment to a running instance, for builds and for the engine alike."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quadrat.base.sealing import Sealer, SealError
from quadrat.errors import ErrorKind, QuadratError
from quadrat.runner.base import Instance, InstanceSpec, LogSink, Prepared, Revision, Runner
from quadrat.serving.store.sealed import VARIABLE
from quadrat.serving.types import Deployment, Package
from quadrat.storage.blobs import BlobStore

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Launcher:
    """What starting an instance takes.

    Args:
        runner: Where instances run.
        blobs: Where packages are stored.
        sealer: Opens secret variables.
        start_timeout_s: Longest time for a model to load.
    """

    runner: Runner
    blobs: BlobStore
    sealer: Sealer
    start_timeout_s: float = 300.0

    async def prepare(self, package: Package, language: str, log: LogSink) -> Prepared:
        """Unpack a package and build its environment; a no-op on a machine that has both.

        Raises:
            BuildError: The package is at fault.
            QuadratError: not_found when the package was removed meanwhile; unavailable.
        """

        async def fetch(target: Path) -> None:
            await self.blobs.fetch_to(package.blob_key, target)

        return await self.runner.prepare(Revision(package.key, language, fetch), log)

    async def start(self, deployment: Deployment, prepared: Prepared, log: LogSink) -> Instance:
        """Start a process and load the model.

        Raises:
            BuildError: The model cannot be loaded.
            QuadratError: unavailable, when a secret variable cannot be opened here.
        """
        spec = InstanceSpec(
            prepared=prepared,
            context=context_of(deployment, prepared),
            environment=self._environment(deployment),
            memory_limit_bytes=deployment.settings.memory_allocation_mb * _MIB,
            start_timeout_s=self.start_timeout_s,
            file_outputs=deployment.output.file_fields,
        )
        return await self.runner.start(spec, log)

    def _environment(self, deployment: Deployment) -> dict[str, str]:
        environment = {}
        for variable in deployment.variables:
            if variable.sealed is None:
                environment[variable.name] = variable.value or ""
                continue
            try:
                environment[variable.name] = self.sealer.open(variable.sealed, VARIABLE.context(variable.uuid))
            except SealError as error:
                raise QuadratError(
                    ErrorKind.UNAVAILABLE, f"The secret variable {variable.name} cannot be opened on this server."
                ) from error
        return environment


def context_of(deployment: Deployment, prepared: Prepared) -> dict[str, Any]:
    """What the model's ``__init__`` is told, beside the environment variables that the runner adds.

    Source: spec of the serving API, section 3.9.
    """
    return {
        "project": deployment.project_name,
        "model": deployment.model_name,
        "deployment": deployment.model_name,
        "version": deployment.version_name,
        "input_type": deployment.input.kind,
        "output_type": deployment.output.kind,
        # What really runs; a server need not have the interpreters of 2020.
        "language": prepared.language,
        "requested_language": deployment.language,
    }
