"""From a connector to the place that it writes to."""

from dataclasses import dataclass

from quadrat.serving.connector_types import ConnectorSpec, ConnectorType
from quadrat.serving.targets.base import BlobSource, Target
from quadrat.serving.targets.bigquery import BigQueryTarget
from quadrat.serving.targets.guard import Guard
from quadrat.serving.targets.kinesis import KinesisTarget
from quadrat.serving.targets.objects import ObjectTarget
from quadrat.serving.targets.proxy import GuardedProxy
from quadrat.serving.targets.store.mysql import MysqlTarget
from quadrat.serving.targets.store.postgresql import PostgresTarget


@dataclass(frozen=True, slots=True)
class Places:
    """Opens places of every type.

    Args:
        guard: Says which addresses may be reached.
        proxy: The guarded way for vendors' libraries; started.
    """

    guard: Guard
    proxy: GuardedProxy

    def open(self, spec: ConnectorSpec, source: BlobSource) -> Target:
        """The place of a connector; nothing is connected yet.

        Raises:
            RefusedError: A library is missing.
        """
        match spec.type:
            case ConnectorType.POSTGRESQL:
                return PostgresTarget(spec, self.guard)
            case ConnectorType.MYSQL:
                return MysqlTarget(spec, self.guard)
            case ConnectorType.AWS_KINESIS:
                return KinesisTarget(spec, self.proxy)
            case ConnectorType.GCP_BIGQUERY:
                return BigQueryTarget(spec, self.proxy)
            case _:
                return ObjectTarget(spec, self.proxy, source)
