"""States of stored records, and allowed moves; separate as all packages need them."""

from enum import StrEnum


class RunState(StrEnum):
    """State of a run; a dead heartbeat turns ``running`` into ``killed``."""

    QUEUED = "queued"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    KILLED = "killed"


class StepState(StrEnum):
    """State of a step run."""

    QUEUED = "queued"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    KILLED = "killed"
    CACHED = "cached"
    SKIPPED = "skipped"


class TickState(StrEnum):
    """State of a schedule's tick; a missed tick leads to no run."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    FINISHED = "finished"
    FAILED = "failed"
    MISSED = "missed"


class EventState(StrEnum):
    """State of an event for a webhook; a delivered event is removed."""

    PENDING = "pending"
    DEAD = "dead"


class Stage(StrEnum):
    """Approval state of a model version."""

    NONE = "none"
    STAGING = "staging"
    PRODUCTION = "production"
    ARCHIVED = "archived"
    REJECTED = "rejected"


class DeploymentState(StrEnum):
    """State of a deployment."""

    PENDING = "pending"
    WARMING = "warming"
    LIVE = "live"
    DRAINING = "draining"
    RETIRED = "retired"


class RolloutState(StrEnum):
    """State of a rollout."""

    RUNNING = "running"
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled_back"
    PAUSED = "paused"


class GateState(StrEnum):
    """Result of a gate; ``pending`` needs a finished run or a proof."""

    PASSED = "passed"
    FAILED = "failed"
    PENDING = "pending"


class Verdict(StrEnum):
    """Result of a verification, from best to worst."""

    BITWISE = "bitwise"
    WITHIN_TOLERANCE = "within_tolerance"
    DIFFERS = "differs"
    CANNOT_VERIFY = "cannot_verify"
    # Of a single step: a source that was replayed, a side effect that was not repeated.
    NOT_EXECUTED = "not_executed"


RUN_MOVES: dict[RunState, frozenset[RunState]] = {
    RunState.QUEUED: frozenset({RunState.RUNNING, RunState.KILLED, RunState.FAILED}),
    RunState.RUNNING: frozenset(
        {RunState.QUEUED, RunState.FINISHED, RunState.FAILED, RunState.KILLED}
    ),
    # A run that has ended can be resumed: a failed or killed one, and a script's finished one.
    RunState.FINISHED: frozenset({RunState.RUNNING}),
    RunState.FAILED: frozenset({RunState.RUNNING}),
    RunState.KILLED: frozenset({RunState.RUNNING}),
}

STAGE_MOVES: dict[Stage, frozenset[Stage]] = {
    Stage.NONE: frozenset({Stage.STAGING, Stage.PRODUCTION, Stage.ARCHIVED, Stage.REJECTED}),
    Stage.STAGING: frozenset({Stage.PRODUCTION, Stage.ARCHIVED, Stage.REJECTED, Stage.NONE}),
    Stage.PRODUCTION: frozenset({Stage.ARCHIVED}),
    # A rollback restores an archived version; rejecting a version excludes that.
    Stage.ARCHIVED: frozenset({Stage.PRODUCTION, Stage.REJECTED}),
    Stage.REJECTED: frozenset(),
}

ROLLOUT_MOVES: dict[RolloutState, frozenset[RolloutState]] = {
    RolloutState.RUNNING: frozenset(
        {RolloutState.PROMOTED, RolloutState.ROLLED_BACK, RolloutState.PAUSED}
    ),
    RolloutState.PAUSED: frozenset({RolloutState.RUNNING, RolloutState.ROLLED_BACK}),
    RolloutState.PROMOTED: frozenset(),
    RolloutState.ROLLED_BACK: frozenset(),
}
