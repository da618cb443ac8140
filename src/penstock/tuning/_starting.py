"""The start of a study: its run, and the earlier trials that the sampler learns from."""

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from penstock.core import (
    ParameterError,
    RunRecord,
    RunState,
    current_actor,
    new_id,
    now,
    require_name,
)
from penstock.execution import project_of
from penstock.pipelines import EntryPoint, Pipeline
from penstock.stores import Store, this_process
from penstock.tracking import ActiveRun, active_run
from penstock.tuning._space import Choice
from penstock.tuning._spec import StudySpec
from penstock.tuning._study import get_study
from penstock.tuning._trial import STUDY_TAG

EARLIER = "earlier_trials"
"""Artifact of a study's run: the trials of earlier studies, as they were at the start."""
_log = logging.getLogger("penstock")


def record_study(
    spec: StudySpec, pipeline: Pipeline[..., Any], experiment: str, store: Store
) -> ActiveRun:
    """Record the study's run, with the whole study in the same transaction."""
    moment, outer = now(), active_run()
    host, pid, pid_started = this_process()
    entry = EntryPoint.of(pipeline, project_of(pipeline.file))
    record = RunRecord(
        run_id=new_id(),
        name=f"tune {spec.name}",
        experiment=require_name(experiment, "experiment"),
        pipeline=None,
        entry=str(entry) if entry else None,
        state=RunState.RUNNING,
        seed=spec.seed,
        created_at=moment,
        parent_run_id=outer.run_id if outer else None,
        started_at=moment,
        heartbeat_at=moment,
        host=host,
        pid=pid,
        pid_started=pid_started,
        user=current_actor(),
        params={"study": spec.to_json(), "target": str(entry) if entry else None},
        tags={STUDY_TAG: spec.name},
    )
    store.metadata.runs.create(record)
    return ActiveRun(
        record, store, console=False, system_metrics=False, provenance=False, outer=outer
    )


def earlier_trials(spec: StudySpec, names: Sequence[str], store: Store) -> list[dict[str, Any]]:
    """Return the complete trials of earlier studies that lie in the space, as plain JSON."""
    if names and spec.sampler == "grid":
        raise ParameterError(
            what="warm_start is given with a grid.",
            why="A grid visits all its points, whatever was found before.",
            fix='Use sampler="tpe".',
        )
    trials = []
    for name in names:
        study = get_study(name, store=store)
        if [o.direction for o in study.spec.objectives] != [o.direction for o in spec.objectives]:
            raise ParameterError(
                what=f"Study {study.name!r} has other objectives:"
                f" {', '.join(f'{o.metric} ({o.direction})' for o in study.spec.objectives)}.",
                why="Its values would lead the sampler astray.",
                fix="Leave the study out of warm_start.",
            )
        fitting = [t for t in study.complete if lies_in(t.params, spec)]
        if not fitting:
            _log.warning("Study %s has no trial inside of the space searched now.", study.name)
        trials += [json.loads(json.dumps(trial.to_json())) for trial in fitting]
    return trials


def lies_in(params: Mapping[str, Any], spec: StudySpec) -> bool:
    """Return whether a trial's values are values of the space."""
    if params.keys() != spec.space.keys():
        return False
    for name, dimension in spec.space.items():
        value = params[name]
        if isinstance(dimension, Choice):
            if value not in dimension.options:
                return False
        elif isinstance(value, str | bool | None) or not dimension.low <= value <= dimension.high:
            return False
    return True
