"""Recorder: writes the start and the end of steps, with outputs, lineage, logs and metrics."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace

from penstock.core import (
    ArtifactRecord,
    MetricPoint,
    NotFoundError,
    StepRunRecord,
    StepState,
    now,
)
from penstock.execution.step import Outcome
from penstock.stores import Store


class StepRecorder:
    """Writer of a run's step runs.

    The end of a step is written together with the start of the next in a single commit, at the
    latest at the next `flush`.

    Args:
        store: Store that records the run.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._steps, self._metrics = store.metadata.steps, store.metadata.metrics
        self._ended: tuple[StepRunRecord, Outcome, Sequence[ArtifactRecord]] | None = None

    def start(self, record: StepRunRecord) -> None:
        """Write the start of a step, and the end of the step before."""
        self.flush(record)

    def end(
        self, record: StepRunRecord, outcome: Outcome, artifacts: Sequence[ArtifactRecord] = ()
    ) -> None:
        """Take the end of a step, to be written soon.

        Args:
            record: The step run at the end.
            outcome: Outputs, edges and logs of the step.
            artifacts: Further artifacts to record: the item that the step was executed on.
        """
        self.flush()
        self._ended = record, outcome, artifacts

    def flush(self, started: StepRunRecord | None = None) -> None:
        """Write the last end, and a start, now."""
        ended, self._ended = self._ended, None
        if ended is not None:
            record, outcome, artifacts = ended
            made = [each for records in outcome.outputs.values() for each in records]
            self._steps.finish(
                record,
                outputs=[*made, *artifacts],
                edges=outcome.edges,
                logs=outcome.logs,
                next_step=started,
            )
        elif started is not None:
            self._steps.start(started)

    def kill(self, records: Iterable[StepRunRecord], why: str) -> None:
        """Write that steps were killed, as far as the store can be written."""
        with suppress(Exception):
            self.flush()
        for record in records:
            with suppress(Exception):
                self._steps.finish(
                    replace(record, state=StepState.KILLED, ended_at=now(), error=why)
                )

    def copy_metrics(self, record: StepRunRecord) -> None:
        """Log the metrics of a cached step on this run, as logged in the original execution."""
        last = record.facts.get("metrics", ())
        if last and not self._copy_curves(record, [key for key, *_ in last]):
            # The run that executed the step is gone: the last points are in the step's own record.
            points = [MetricPoint(key, value, step, now()) for key, value, step in last]
            self._metrics.log(record.run_id, points)

    def _copy_curves(self, record: StepRunRecord, keys: Sequence[str]) -> int:
        own = [record.facts["logged_in"]] if "logged_in" in record.facts else []
        copied = 0
        for run_id, *between in record.facts.get("logged_in_all", own):
            self._store.flush()
            with suppress(NotFoundError):
                copied += self._metrics.copy(
                    run_id, record.run_id, keys=keys, between=tuple(between)
                )
        return copied
