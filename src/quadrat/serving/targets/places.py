"""From a connector to the place that it writes to."""

import asyncio
import pkgutil
from dataclasses import dataclass

from quadrat.serving.connector_types import ConnectorSpec, ConnectorType
from quadrat.serving.targets.base import BlobSource, Target
from quadrat.serving.targets.guard import Guard
from quadrat.serving.targets.objects import ObjectTarget
from quadrat.serving.targets.proxy import GuardedProxy
from quadrat.serving.targets.store.postgresql import PostgresTarget

# Vendors' libraries take as long to load as a third of the server: only who writes there pays for them.
_VENDORS = {
    ConnectorType.MYSQL: "quadrat.serving.targets.store.mysql:MysqlTarget",
    ConnectorType.AWS_KINESIS: "quadrat.serving.targets.kinesis:KinesisTarget",
    ConnectorType.GCP_BIGQUERY: "quadrat.serving.targets.bigquery:BigQueryTarget",
}


@dataclass(frozen=True, slots=True)
class Places:
    """Opens places of every type.

    Args:
        guard: Says which addresses may be reached.
        proxy: The guarded way for vendors' libraries; started.
    """

    guard: Guard
    proxy: GuardedProxy

    async def open(self, spec: ConnectorSpec, source: BlobSource) -> Target:
        """The place of a connector; nothing is connected yet.

        Raises:
            RefusedError: A library is missing.
        """
        match spec.type:
            case ConnectorType.POSTGRESQL:
                return PostgresTarget(spec, self.guard)
            case ConnectorType.MYSQL | ConnectorType.AWS_KINESIS | ConnectorType.GCP_BIGQUERY:
                make = await asyncio.to_thread(pkgutil.resolve_name, _VENDORS[spec.type])
                way = self.guard if spec.type is ConnectorType.MYSQL else self.proxy
                target: Target = make(spec, way)
                return target
            case _:
                return ObjectTarget(spec, self.proxy, source)
