"""Trigger: from a report to a new run, at most once per cool-down; apart because it acts."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from penstock.core import DeploymentEvent, ParameterError, now, parse_duration
from penstock.execution import QuietReporter, load_pipeline, run
from penstock.monitoring._report import DriftReport
from penstock.stores import Store

_log = logging.getLogger("penstock.monitoring")
KINDS = ("feature_drift", "prediction_drift", "performance")


@dataclass(frozen=True, slots=True)
class Decision:
    """What a trigger decided.

    Args:
        run_id: The run that it started; None if it started none.
        reason: Why, as a sentence.
    """

    run_id: str | None
    reason: str

    @property
    def started(self) -> bool:
        """True if a run was started."""
        return self.run_id is not None


class Trigger:
    """Starts a run when a report calls for one, and then rests.

    The time of the last start is kept in the store, so that restarts and other processes respect
    the cool-down. A start that fails counts too: a broken pipeline is not started in a loop.

    ```python
    trigger = Trigger(
        store, cool_down="1d", start=lambda cutoff: run(big_tips, cutoff=cutoff).run_id
    )
    trigger.consider(report)
    ```

    Args:
        store: Where the last start is kept.
        start: Gets the cutoff (time of the report's last row) and gives the new run's id.
        cool_down: Least time between two starts, as a duration.
        kinds: Kinds of findings that call for a run.
        name: Tells triggers of one deployment apart.
    """

    def __init__(
        self,
        store: Store,
        *,
        start: Callable[[datetime], str],
        cool_down: str | timedelta = "1d",
        kinds: Sequence[str] = KINDS,
        name: str = "retrain",
    ) -> None:
        self._store, self._start, self._name = store, start, name
        self._cool_down = parse_duration(cool_down)
        self._kinds = frozenset(kinds)

    def consider(self, report: DriftReport) -> Decision:
        """Start a run if the report calls for one and the cool-down is over.

        Args:
            report: What was found.
        """
        causes = [(kind, subject) for kind, subject, _ in report.findings if kind in self._kinds]
        if not causes:
            return Decision(None, "Nothing in the report calls for a run.")
        setting = f"trigger:{report.deployment}:{self._name}"
        last = self._store.metadata.settings.get(setting)
        if last is not None and now() - datetime.fromisoformat(last) < self._cool_down:
            over = datetime.fromisoformat(last) + self._cool_down
            return Decision(None, f"Cooling down until {over:%Y-%m-%d %H:%M} UTC.")
        self._store.metadata.settings.set(setting, now().isoformat())
        cutoff = datetime.fromisoformat(report.until) if report.until else now()
        run_id = self._start(cutoff)
        told = ", ".join(f"{kind} of {subject}" for kind, subject in causes[:3])
        reason = f"Started run {run_id} because of {told}."
        _log.info("Deployment %s: %s", report.deployment, reason)
        self._store.metadata.deployments.add_event(
            DeploymentEvent(report.deployment, "retrain", reason, now(), {"run_id": run_id})
        )
        return Decision(run_id, reason)


def start_pipeline(target: str, store: Store) -> Callable[[datetime], str]:
    """Give a trigger what it starts: a pipeline, run up to the cutoff of the report.

    ```python
    trigger = Trigger(store, start=start_pipeline("big_tips.py", store))
    ```

    Args:
        target: ``file.py``, ``file.py:name`` or ``module:name``; it takes a ``cutoff``.
        store: Where the run is recorded.

    Raises:
        NotFoundError: If there is no such pipeline.
        ParameterError: If it takes no ``cutoff``, or another parameter has no default.
    """
    pipeline = load_pipeline(target)
    if "cutoff" not in pipeline.parameters:
        raise ParameterError(
            what=f"Pipeline {pipeline.name!r} takes no cutoff.",
            why="A retraining on newer rows must say up to when.",
            fix="Add a parameter `cutoff: date` and give it to ps.steps.ingest.",
            target=target,
        )

    def start(cutoff: datetime) -> str:
        # A cutoff is exclusive: the day of the last row belongs to the training.
        day = (cutoff + timedelta(days=1)).date()
        return run(pipeline, cutoff=day, store=store, reporter=QuietReporter()).run_id

    return start
