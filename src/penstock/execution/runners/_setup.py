"""Setup: the settings that a worker process gets at the start."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from penstock.execution.engine import Session
from penstock.execution.runners._surroundings import Surroundings
from penstock.pipelines import EntryPoint


@dataclass(frozen=True)
class Setup:
    """Settings that a worker gets at the start.

    Args:
        store: Address of the store.
        artifacts: URL of the artifact store.
        run_id: Id of the run.
        target: Entry point of the pipeline; None if the pipeline is in no file.
        project: Folder of the user's code.
        path: Folders in which modules are searched.
        scratch: Folder of the run for files that workers share.
        around: What stands around the steps in the run's process; travels with the work.
    """

    store: str
    artifacts: str
    run_id: str
    target: EntryPoint | None
    project: str
    path: Sequence[str] = field(default_factory=lambda: tuple(sys.path))
    scratch: str | None = None
    around: Surroundings = field(default_factory=Surroundings)


def make_setup(session: Session, scratch: Path | None = None) -> Setup:
    """Return the settings for the workers of a run."""
    return Setup(
        session.store.address,
        session.store.artifacts.url,
        session.run.run_id,
        _target(session),
        str(session.project),
        tuple(sys.path),
        str(scratch) if scratch else None,
        Surroundings.here(_modules(session)),
    )


def _modules(session: Session) -> set[str]:
    """Return the modules whose imports a worker makes again."""
    pipeline = session.pipeline
    return {"__main__" if pipeline is None else pipeline.function.__module__}


def _target(session: Session) -> EntryPoint | None:
    """Return the entry point for a different process to load; None if there is no file."""
    entry = EntryPoint.of(session.pipeline, session.project) if session.pipeline else None
    return entry.below(session.project) if entry else None
