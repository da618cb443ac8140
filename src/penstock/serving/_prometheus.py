"""ServingMetrics: a server's metrics for Prometheus; a registry per app, so apps do not mix."""

from typing import TYPE_CHECKING, Any

from penstock.serving._prediction_log import PredictionLog
from penstock.serving._router import Router

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.core import Metric

_BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_ROLLOUT_STATES = ("none", "running", "paused", "promoted", "rolled_back")


class ServingMetrics:
    """Metrics of a server: requests are counted at once, the remaining figures at each scrape.

    Args:
        router: Source of generations and rollout states.
        log: Source of the prediction log's figures; None if off.
    """

    def __init__(self, router: Router, log: PredictionLog | None) -> None:
        from prometheus_client import CollectorRegistry, Counter, Histogram

        self._registry = CollectorRegistry()
        self._requests = Counter(
            "penstock_requests",
            "Requests by deployment, model version, route and HTTP status.",
            ("deployment", "version", "route", "code"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "penstock_request_seconds",
            "Time from the request's last byte to the reply.",
            ("deployment", "route"),
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._counts: dict[tuple[str, str, str, int], Any] = {}
        self._times: dict[tuple[str, str], Any] = {}
        self._registry.register(_Gauges(router, log))

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
        # Stored per key, because looking up labels costs more than counting.
        counter = self._counts.get(key)
        if counter is None:
            counter = self._counts[key] = self._requests.labels(
                deployment, version, route, str(code)
            )
        counter.inc()
        time_key = (deployment, route)
        timer = self._times.get(time_key)
        if timer is None:
            timer = self._times[time_key] = self._seconds.labels(deployment, route)
        timer.observe(seconds)

    def render(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        from prometheus_client import generate_latest

        text: bytes = generate_latest(self._registry)
        return text


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
