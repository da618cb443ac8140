"""Trigger: from a report to a new run, at most once per cool-down; apart as a side effect."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from penstock.core import DeploymentEvent, ParameterError, now, parse_duration
from penstock.execution import QuietReporter, load_pipeline, run
from penstock.monitoring._report import DriftReport
from penstock.stores import Store, open_store

_log = logging.getLogger("penstock.monitoring")
KINDS = ("feature_drift", "prediction_drift", "performance")


@dataclass(frozen=True, slots=True)
class TriggerDecision:
    """The decision of a trigger.

    Args:
        run_id: The started run; None if no run was started.
        reason: Why, as a sentence.
    """

    run_id: str | None
    reason: str

    @property
    def started(self) -> bool:
        """True if a run was started."""
        return self.run_id is not None


class Trigger:
    """A trigger that starts a run when a report calls for a run, at most once per cool-down.

    The time of the last start is stored in the store, so that restarts and further processes
    respect the cool-down. A failing start counts too: a broken pipeline is not started in a loop.

    ```python
    trigger = Trigger(cool_down="1d", start=lambda cutoff: run(big_tips, cutoff=cutoff).run_id)
    trigger.consider(report)
    ```

    Args:
        start: Called with the cutoff (time of the report's last row); returns the new run's id.
        cool_down: Minimum time between two starts, as a duration.
        kinds: Kinds of findings that call for a run.
        name: Distinguishes several triggers of the same deployment.
        store: The store of the last start's time; by default the project's.
    """

    def __init__(
        self,
        *,
        start: Callable[[datetime], str],
        cool_down: str | timedelta = "1d",
        kinds: Sequence[str] = KINDS,
        name: str = "retrain",
        store: Store | str | None = None,
    ) -> None:
        self._store, self._start, self._name = open_store(store), start, name
        self._cool_down = parse_duration(cool_down)
        self._kinds = frozenset(kinds)

    def consider(self, report: DriftReport) -> TriggerDecision:
        """Start a run if the report calls for that and the cool-down is over.

        Args:
            report: The drift report.
        """
        causes = [(kind, subject) for kind, subject, _ in report.findings if kind in self._kinds]
        if not causes:
            return TriggerDecision(None, "Nothing in the report calls for a run.")
        setting = f"trigger:{report.deployment}:{self._name}"
        last = self._store.metadata.settings.get(setting)
        if last is not None and now() - datetime.fromisoformat(last) < self._cool_down:
            over = datetime.fromisoformat(last) + self._cool_down
            return TriggerDecision(None, f"Cooling down until {over:%Y-%m-%d %H:%M} UTC.")
        # Before the start, so that a failing start is not repeated in a loop.
        self._store.metadata.settings.set(setting, now().isoformat())
        cutoff = datetime.fromisoformat(report.until) if report.until else now()
        run_id = self._start(cutoff)
        shown = ", ".join(f"{kind} of {subject}" for kind, subject in causes[:3])
        reason = f"Started run {run_id} because of {shown}."
        _log.info("Deployment %s: %s", report.deployment, reason)
        self._store.metadata.deployments.add_event(
            DeploymentEvent(report.deployment, "retrain", reason, now(), {"run_id": run_id})
        )
        return TriggerDecision(run_id, reason)


def start_pipeline(target: str, *, store: Store) -> Callable[[datetime], str]:
    """Return the ``start`` of a trigger: runs a pipeline up to the cutoff of the report.

    ```python
    trigger = Trigger(start=start_pipeline("big_tips.py", store=store), store=store)
    ```

    Args:
        target: ``file.py``, ``file.py:name`` or ``module:name``; the pipeline must have a
            ``cutoff`` parameter.
        store: The store where the run is recorded.

    Raises:
        NotFoundError: If there is no such pipeline.
        ParameterError: If the pipeline has no ``cutoff`` parameter, or any further parameter has no
            default.
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
        # A cutoff is exclusive: the day of the last row must belong to the training.
        day = (cutoff + timedelta(days=1)).date()
        return run(pipeline, cutoff=day, store=store, reporter=QuietReporter()).run_id

    return start
