"""``why``: why a step was executed or reused, and which part of the key changed."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from penstock.core import RunRecord, StepRunRecord, StepState
from penstock.execution._key_changes import KeyChange, key_changes
from penstock.execution._recorded_run import RecordedRun, earlier_runs, last_good_run
from penstock.execution.engine import GOOD_STATES, NOT_REUSED
from penstock.pipelines import PipelineSpec, StepSpec
from penstock.stores import Store, open_store

_CALLED = {"environment": "environment variable"}


@dataclass(frozen=True, slots=True)
class Why:
    """Why a step was executed, or was not.

    Args:
        run_id: The run.
        step: The step.
        executed: False if the result was reused.
        against: The earlier run of the comparison; None if there is none.
        reason: The reason as a sentence.
        changes: Changed parts of the key, and for changed inputs the changes before them.
    """

    run_id: str
    step: str
    executed: bool
    against: str | None
    reason: str
    changes: tuple[KeyChange, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the explanation as plain JSON."""
        return asdict(self)


def why(
    run: str, step: str, *, against: str | None = None, store: Store | str | None = None
) -> Why:
    """Explain why a step was executed or reused, and which part of the key changed.

    >>> import tempfile
    >>> import penstock as ps
    >>> @ps.step
    ... def double(number: int) -> int:
    ...     return 2 * number
    >>> @ps.pipeline
    ... def job(number: int = 1) -> int:
    ...     return double(number)
    >>> url = f"sqlite:///{tempfile.mkdtemp()}/penstock.db"
    >>> _ = [ps.run(job, number=number, store=url) for number in (1, 2)]
    >>> [
    ...     (change.kind, change.name, change.before, change.after)
    ...     for change in why("last", "double", store=url).changes
    ... ]
    [('argument', 'number', '1', '2')]

    Args:
        run: Id of the run; a unique prefix, or ``"last"``.
        step: Name of the step in the pipeline.
        against: The run to compare with; by default the last earlier run in which the step ended
            well.
        store: Store that has the runs; by default the project's store.

    Raises:
        NotFoundError: If there is no such run or step.
    """
    opened = open_store(store)
    side = RecordedRun(opened, opened.metadata.runs.get(run))
    record = side.step(step)
    other = (
        RecordedRun(opened, opened.metadata.runs.get(against))
        if against
        else last_good_run(side, step)
    )
    if against and other is not None:
        other.step(step)
    if not against and (kept := _kept(side.run, record)):
        return Why(side.run.run_id, step, False, None, kept)
    executed = record.state is not StepState.CACHED
    earlier_id = other.run.run_id if other else None
    if not executed and not against:
        reason = _reused(side, record)
        return Why(side.run.run_id, step, False, earlier_id, reason)
    if "key_parts" not in record.facts:
        reason = record.error or f"It is {record.state.value}: its key was not made."
        return Why(side.run.run_id, step, executed, earlier_id, reason)
    changes = tuple(key_changes(side, other, step)) if other else ()
    reason = _reason(side, other, record, changes)
    return Why(side.run.run_id, step, executed, earlier_id, reason, changes)


def _kept(run: RunRecord, record: StepRunRecord) -> str:
    """Explain why a resumed run did not repeat a step; empty for a step of the last attempt."""
    resumed = PipelineSpec.from_json(run.graph).resumed_at
    if resumed is None or record.ended_at is None or record.state not in GOOD_STATES:
        return ""
    if record.ended_at >= datetime.fromisoformat(resumed):
        return ""
    return (
        f"Kept when the run was resumed (attempt {run.attempt}): code, arguments, inputs and seed"
        " are the same as in the attempt that executed it."
    )


def _reused(side: RecordedRun, record: StepRunRecord) -> str:
    made = (
        other.run.run_id
        for other in earlier_runs(side)
        if (source := other.steps.get(record.step)) and source.step_run_id == record.cached_from
    )
    whose = next((f" of run {run_id}" for run_id in made), "")
    return f"Its result{whose} was reused: code, arguments, inputs and seed are the same."


def _reason(
    side: RecordedRun,
    other: RecordedRun | None,
    record: StepRunRecord,
    changes: tuple[KeyChange, ...],
) -> str:
    node = side.step_spec(record.step)
    never = _never_reused(record, node)
    if other is None:
        again = (
            f"; the run was resumed (attempt {side.run.attempt})" if side.run.attempt > 1 else ""
        )
        return never or f"No earlier run of {side.run.pipeline} has executed it{again}."
    if changes:
        own = [change for change in changes if change.step == record.step]
        names = ", ".join(f"{_CALLED.get(c.kind, c.kind)} {c.name}" for c in own)
        return f"{names} changed since run {other.run.run_id}."
    if never:
        return never
    earlier = other.step(record.step)
    if record.state is StepState.CACHED:
        return f"Nothing changed since run {other.run.run_id}."
    lasts = timedelta(seconds=node.cache_for or 0)
    if lasts and not _is_fresh(side, record, lasts):
        return f"Nothing changed, but its result lasts for {lasts} only (cache_for)."
    if "let_go" in earlier.facts:
        return f"Nothing changed, but gc has deleted the outputs of run {other.run.run_id} had."
    outdated = record.facts.get(NOT_REUSED)
    if outdated:
        fix = (
            " Say what it reads: @step(uses=[…])."
            if "trace" in record.facts and record.facts["trace"].get("never")
            else ""
        )
        return f"Nothing in its key changed, but {outdated}.{fix}"
    return (
        "Nothing changed: it was asked for, with --no-cache or --refresh, or its earlier result was"
        " removed."
    )


def _is_fresh(side: RecordedRun, record: StepRunRecord, lasts: timedelta) -> bool:
    """Return whether the earlier result was young enough to be reused."""
    for other in earlier_runs(side):
        earlier = other.steps.get(record.step)
        if earlier and earlier.state is StepState.FINISHED and earlier.key == record.key:
            then, now = earlier.ended_at, record.started_at
            return then is None or now is None or now - then <= lasts
    return True


def _never_reused(record: StepRunRecord, node: StepSpec) -> str:
    """Explain why a step is executed each time; empty for a reusable result."""
    if record.key is not None:
        return ""
    if node.effect:
        return "It changes the world outside (effect=True), so it is executed each time."
    parts = record.facts.get("key_parts", {}).get("code_parts", {})
    blind = [f"{name} ({text})" for name, text in parts.items() if "has no digest" in str(text)]
    unfollowed = record.facts.get("key_parts", {}).get("unfollowed")
    if unfollowed:
        return (
            "It runs what only the run knows, so it is executed each time:"
            f" {', '.join(unfollowed)}. Say what that reaches: @step(uses=[…])."
        )
    if blind:
        return f"It depends on what has no digest, so it is executed each time: {', '.join(blind)}."
    if node.source:
        return "Its source has no fingerprint, so it is read each time."
    return "It is declared with cache=False, so it is executed each time."
