"""Watch: the evidence of a rollout's step, from the prediction log, without reading rows twice."""

import time
from collections.abc import Mapping
from datetime import datetime, timedelta

from penstock.core import DeploymentRecord, PassedStep, RolloutRecord, now
from penstock.evaluation.sequential import SequentialEstimate, estimate_metric
from penstock.serving.policies import Evidence, RequestCounts, policy_of
from penstock.stores import Store

_SETTLE_AFTER = timedelta(seconds=10)
_LATEST = timedelta(seconds=5)  # a record may be written this much after its time
_OUTCOME_ROWS = 20_000


def rollout_outlook(record: DeploymentRecord, *, store: Store) -> list[str]:
    """Describe the evidence a running rollout waits for, and for how long; empty without a rollout.

    Args:
        record: The deployment.
        store: The store of the deployment and the predictions.

    Returns:
        Sentences: the evidence the present step still lacks, and the requests that the whole
        rollout needs.
    """
    rollout = record.rollout
    if rollout is None or not rollout.is_open:
        return []
    evidence = EvidenceWatch(store, record, rollout).look(rollout)
    return policy_of(rollout).outlook(rollout, evidence)


class EvidenceWatch:
    """The evidence of a rollout's step, read from the prediction log.

    Args:
        store: The store of the predictions.
        record: The deployment.
        rollout: The deployment's open rollout, at the step to watch.
    """

    def __init__(self, store: Store, record: DeploymentRecord, rollout: RolloutRecord) -> None:
        self._store, self._record = store, record
        self.started_at = rollout.started_at
        self._whole = _Tally(store, record.name, rollout.started_at)
        self._step = _Tally(store, record.name, rollout.step_started_at)
        self._requests = -1
        self._busy_at = now()
        self._outcomes: dict[int, SequentialEstimate] = {}
        self._next_read = 0.0
        self._evidence: Evidence | None = None

    def look(self, rollout: RolloutRecord, fault: str = "") -> Evidence:
        """Read the evidence up to now.

        Args:
            rollout: The rollout, at the same step.
            fault: A hard fault of the new version, or empty.
        """
        whole, step = self._whole.read(), self._step.read()
        new = whole.get(rollout.version, RequestCounts())
        control = whole.get(rollout.control, RequestCounts())
        # On the first look any request counts as recent: the log's last time is not read.
        if new.requests != self._requests:
            if self._requests >= 0 or new.requests:
                self._busy_at = now()
            self._requests = new.requests
        self._evidence = Evidence(
            new=new,
            control=control,
            step_requests=step.get(rollout.version, RequestCounts()).requests,
            step_errors=step.get(rollout.version, RequestCounts()).errors,
            step_s=(now() - rollout.step_started_at).total_seconds(),
            idle_s=(now() - self._busy_at).total_seconds(),
            outcomes=self._read_outcomes(rollout),
            fault=fault,
        )
        return self._evidence

    def figures(self, rollout: RolloutRecord) -> PassedStep:
        """Return the figures of the last look in this step, for the record."""
        evidence = self._evidence
        if evidence is None:
            return PassedStep(rollout.percent)
        return PassedStep(
            rollout.percent,
            evidence.step_requests,
            evidence.step_errors,
            round(evidence.step_s, 3),
            {str(version): round(result.value, 6) for version, result in evidence.outcomes.items()},
        )

    def _read_outcomes(self, rollout: RolloutRecord) -> dict[int, SequentialEstimate]:
        started = time.monotonic()
        if rollout.rules.metric is None or started < self._next_read:
            return self._outcomes
        signature = self._store.metadata.models.get_version(
            self._record.model, rollout.version
        ).signature
        for version in (rollout.version, rollout.control):
            records = self._store.metadata.predictions.list(
                self._record.name,
                version=version,
                since=rollout.started_at,
                with_truth=True,
                limit=_OUTCOME_ROWS,
            )
            self._outcomes[version] = estimate_metric(
                rollout.rules.metric[0], records, positive=signature.get("positive")
            )
        # Reading many labelled rows may take a twentieth of the time at most.
        self._next_read = time.monotonic() + 20 * (time.monotonic() - started)
        return self._outcomes


class _Tally:
    """RequestCounts by version since a time, without counting all rows at each look.

    Rows older than a few seconds can no longer change and are stored as a sum.
    """

    def __init__(self, store: Store, name: str, since: datetime) -> None:
        self._store, self._name = store, name
        self._mark, self._settled = since, dict[int, RequestCounts]()

    def read(self) -> dict[int, RequestCounts]:
        fresh = self._count(self._mark)
        total = _add(self._settled, fresh)
        if now() - self._mark > _SETTLE_AFTER:
            self._settle(fresh)
        return total

    def _settle(self, fresh: dict[int, RequestCounts]) -> None:
        mark = now() - _LATEST
        newer = self._count(mark)
        # Their difference is the rows between the marks only if nothing was written between the two
        # counts.
        if self._count(self._mark) == fresh:
            self._settled = _add(self._settled, fresh, minus=newer)
            self._mark = mark

    def _count(self, since: datetime) -> dict[int, RequestCounts]:
        by_version = self._store.metadata.predictions.count(self._name, since=since)
        return {
            version: RequestCounts(counts["requests"], counts["errors"])
            for version, counts in by_version.items()
        }


def _add(
    one: Mapping[int, RequestCounts],
    two: Mapping[int, RequestCounts],
    minus: Mapping[int, RequestCounts] | None = None,
) -> dict[int, RequestCounts]:
    none, result = RequestCounts(), {}
    for version in {**one, **two}:
        a, b = one.get(version, none), two.get(version, none)
        c = (minus or {}).get(version, none)
        result[version] = RequestCounts(
            a.requests + b.requests - c.requests,
            a.errors + b.errors - c.errors,
        )
    return result
