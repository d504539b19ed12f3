"""Counts requests for Prometheus without its locks and searches, which cost more than a request's way to the model.

Everything is counted in the event loop's thread; a scrape reads a moment of it.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator

from prometheus_client.core import REGISTRY, CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

_BOUNDS_S = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300)


class Tally(Collector):
    """Answered requests by API, method and status, and how long their answers took by API."""

    def __init__(self) -> None:
        self._requests: dict[tuple[str, str, int], int] = defaultdict(int)
        self._buckets: dict[str, list[int]] = defaultdict(lambda: [0] * (len(_BOUNDS_S) + 1))
        self._seconds: dict[str, float] = defaultdict(float)

    def count(self, api: str, method: str, status: int, seconds: float) -> None:
        """One more request."""
        self._requests[api, method, status] += 1
        self._buckets[api][bisect_left(_BOUNDS_S, seconds)] += 1
        self._seconds[api] += seconds

    def collect(self) -> Iterable[Metric]:
        """What Prometheus asks for."""
        answered = CounterMetricFamily("quadrat_requests", "Requests answered", labels=["api", "method", "status"])
        for (api, method, status), times in list(self._requests.items()):
            answered.add_metric([api, method, str(status)], times)
        took = HistogramMetricFamily("quadrat_request_seconds", "Time to the end of the answer", labels=["api"])
        for api, buckets in list(self._buckets.items()):
            took.add_metric([api], buckets=list(_summed(buckets)), sum_value=self._seconds[api])
        return (answered, took)


def _summed(buckets: list[int]) -> Iterator[tuple[str, int]]:
    total = 0
    for bound, times in zip((*map(str, map(float, _BOUNDS_S)), "+Inf"), buckets, strict=True):
        total += times
        yield bound, total


TALLY = Tally()
REGISTRY.register(TALLY)
