"""ServingMetrics: a server's metrics for Prometheus; a registry per app, so apps do not mix."""

import os
import time
from bisect import bisect_left
from itertools import accumulate
from typing import TYPE_CHECKING

from penstock.serving._prediction_log import PredictionLog
from penstock.serving._router import Router

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.core import Metric

_BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_BOUNDS = [*map(str, _BUCKETS), "+Inf"]
_REQUESTS, _SECONDS = "penstock_requests", "penstock_request_seconds"
_REQUESTS_HELP = "Requests by deployment, model version, route and HTTP status."
_SECONDS_HELP = "Time from the request's last byte to the reply."
_ROLLOUT_STATES = ("none", "running", "paused", "promoted", "rolled_back")


class _Count:
    """Number of requests, since when."""

    __slots__ = ("created", "value")

    def __init__(self) -> None:
        self.value, self.created = 0, time.time()


class _Times:
    """Durations: how many fell into each bucket, and their sum in seconds, since when."""

    __slots__ = ("buckets", "created", "total_s")

    def __init__(self) -> None:
        self.buckets, self.total_s = [0] * len(_BOUNDS), 0.0
        self.created = time.time()


class ServingMetrics:
    """Metrics of a server: requests are counted at once, the remaining figures at each scrape.

    Requests are counted in plain numbers, since prometheus_client locks each of its own: that took
    longer than reading a row. Threads: all calls are made by the event loop.

    Args:
        router: Source of generations and rollout states.
        log: Source of the prediction log's figures; None if off.
    """

    def __init__(self, router: Router, log: PredictionLog | None) -> None:
        from prometheus_client import CollectorRegistry

        self._registry = CollectorRegistry()
        self._counts: dict[tuple[str, str, str, int], _Count] = {}
        self._times: dict[tuple[str, str], _Times] = {}
        self._registry.register(_Requests(self._counts, self._times))
        self._registry.register(_Gauges(router, log))
        is_shared = bool(
            {"PROMETHEUS_MULTIPROC_DIR", "prometheus_multiproc_dir"} & os.environ.keys()
        )
        self._shared = _Shared() if is_shared else None

    def observe(self, deployment: str, version: str, route: str, code: int, seconds: float) -> None:
        """Count an answered request.

        Args:
            deployment: The deployment's name, or empty if not served: labels must be few.
            version: The version that answered, or empty.
            route: Name of the route.
            code: HTTP status.
            seconds: Time spent.
        """
        key = (deployment, version, route, code)
        count = self._counts.get(key)
        if count is None:
            count = self._counts[key] = _Count()
        count.value += 1
        times = self._times.get((deployment, route))
        if times is None:
            times = self._times[deployment, route] = _Times()
        times.buckets[bisect_left(_BUCKETS, seconds)] += 1
        times.total_s += seconds
        if self._shared is not None:
            self._shared.observe(key, seconds)

    def render(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        from prometheus_client import generate_latest

        text: bytes = generate_latest(self._registry)
        return text


class _Shared:
    """Requests counted by prometheus_client for a host's own page: BentoML adds up its processes.

    In its multiprocess mode counters write into files, which whoever has set the folder reads.
    """

    def __init__(self) -> None:
        from prometheus_client import CollectorRegistry, Counter, Histogram

        registry = CollectorRegistry()
        self._requests = Counter(
            _REQUESTS, _REQUESTS_HELP, ("deployment", "version", "route", "code"), registry=registry
        )
        self._seconds = Histogram(
            _SECONDS, _SECONDS_HELP, ("deployment", "route"), buckets=_BUCKETS, registry=registry
        )

    def observe(self, key: tuple[str, str, str, int], seconds: float) -> None:
        deployment, version, route, code = key
        self._requests.labels(deployment, version, route, str(code)).inc()
        self._seconds.labels(deployment, route).observe(seconds)


class _Requests:
    """Counted requests in the form of prometheus_client."""

    def __init__(
        self,
        counts: dict[tuple[str, str, str, int], _Count],
        times: dict[tuple[str, str], _Times],
    ) -> None:
        self._counts, self._times = counts, times

    def collect(self) -> "Iterator[Metric]":
        from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

        requests = CounterMetricFamily(
            _REQUESTS,
            _REQUESTS_HELP,
            labels=("deployment", "version", "route", "code"),
        )
        for (*names, code), count in self._counts.items():
            requests.add_metric([*names, str(code)], count.value, created=count.created)
        seconds = HistogramMetricFamily(
            _SECONDS,
            _SECONDS_HELP,
            labels=("deployment", "route"),
        )
        for key, times in self._times.items():
            buckets = list(zip(_BOUNDS, accumulate(times.buckets), strict=True))
            seconds.add_metric(list(key), buckets, times.total_s)
            labels = dict(zip(("deployment", "route"), key, strict=True))
            seconds.add_sample(f"{_SECONDS}_created", labels, times.created)
        yield requests
        yield seconds


class _Gauges:
    def __init__(self, router: Router, log: PredictionLog | None) -> None:
        self._router, self._log = router, log

    def collect(self) -> "Iterator[Metric]":
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        if self._log is not None:
            log = self._log
            for name, text, value in (
                ("written", "Predictions written to the store.", log.written),
                ("dropped", "Predictions that were not logged.", log.dropped),
                ("failures", "Failed writes of the prediction log.", log.failures),
            ):
                yield CounterMetricFamily(f"penstock_log_{name}", text, value=value)
            yield GaugeMetricFamily(
                "penstock_log_queue_depth", "Predictions that wait to be written.", value=log.depth
            )
        generation = GaugeMetricFamily(
            "penstock_generation", "Generation of a deployment.", labels=("deployment",)
        )
        weight = GaugeMetricFamily(
            "penstock_weight", "Share of units by version.", labels=("deployment", "version")
        )
        rollout = GaugeMetricFamily(
            "penstock_rollout", "1 for the state it is in.", labels=("deployment", "state")
        )
        for name, route in self._router.routes.items():
            generation.add_metric([name], route.record.generation)
            for version, share in route.record.weights.items():
                weight.add_metric([name, str(version)], share)
            state = str(route.record.rollout.state) if route.record.rollout else "none"
            for known in _ROLLOUT_STATES:
                rollout.add_metric([name, known], float(known == state))
        yield from (generation, weight, rollout)
        yield GaugeMetricFamily(
            "penstock_load_failures",
            "Versions that should serve but could not be loaded.",
            value=len(self._router.failed),
        )
