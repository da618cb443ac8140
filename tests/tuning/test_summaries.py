"""Lists of studies do not read the trials of finished ones; importance is measured once a page."""

from dataclasses import replace

import pytest

from penstock.core import RunState, new_id
from penstock.pipelines import pipeline, step
from penstock.tuning import _study, _summaries, get_study, list_studies, tune
from penstock.tuning._importance import measure_importance
from penstock.tuning._trial import STUDY_TAG

pytest.importorskip("optuna", reason="needs optuna: pip install 'penstock[search]'")


@step
def bowl(x: float) -> dict[str, float]:
    if x > 0.9:
        raise ValueError("too far")
    return {"loss": (x - 0.3) ** 2, "cost": x}


@pipeline
def searched(x: float = 0.0) -> dict[str, float]:
    return bowl(x)


def study_in(store, metric="loss:min", trials=3, name=None):
    return tune(
        searched, search={"x": [0.1, 0.4, 0.95]}, metric=metric, sampler="grid", trials=trials,
        name=name, quiet=True, store=store,
    )  # fmt: skip


@pytest.fixture
def reads(monkeypatch):
    """The studies whose trials are read."""
    found: list[str] = []
    read = _study.trial_runs

    def counted(store, study_id):
        found.append(study_id)
        return read(store, study_id)

    monkeypatch.setattr(_study, "trial_runs", counted)
    return found


def test_the_trials_of_finished_studies_are_not_read(store, reads):
    studies = [study_in(store, name=f"s{number}") for number in range(3)]
    both = study_in(store, metric=["loss:min", "cost:min"], name="both")
    reads.clear()
    listed = list_studies(store=store)
    assert reads == []
    assert [each.name for each in listed] == ["both", "s2", "s1", "s0"]
    assert (listed[0].front_size, listed[0].best_values) == (len(both.pareto_front), ())
    for summary, study in zip(listed[1:], reversed(studies), strict=True):
        assert summary.trial_counts["complete"] == len(study.complete) == 2
        assert summary.trial_counts["failed"] == 1
        assert summary.trial_count == len(study.trials)
        assert summary.best_values == (study.best_value,)
        assert summary.to_json()["trial_counts"] == study.to_json()["trial_counts"]


def test_a_study_that_was_killed_is_read(store, reads):
    """The figures of an earlier end say nothing about the trials after a resume."""
    done = study_in(store, name="done")
    killed = replace(
        done.run, run_id=new_id(), state=RunState.KILLED, tags={STUDY_TAG: "killed"}, metrics={}
    )
    store.metadata.runs.create(killed)
    reads.clear()
    counts = {each.study_id: each.trial_count for each in list_studies(store=store)}
    assert reads == [killed.run_id]
    assert counts == {done.study_id: 3, killed.run_id: 0}


def test_a_resumed_study_has_the_figures_of_all_its_trials(store):
    study = study_in(store, trials=1)
    assert list_studies(store=store)[0].trial_count == 1
    tune(searched, resume=study.study_id, trials=3, quiet=True, store=store)
    [summary] = list_studies(store=store)
    assert summary.trial_count == 3
    assert summary.best_values == (get_study(study.study_id, store=store).best_value,)


def test_importance_is_measured_once(store, monkeypatch):
    measured = []
    measure = measure_importance

    def counted(*arguments):
        measured.append(arguments)
        return measure(*arguments)

    monkeypatch.setattr(_study, "measure_importance", counted)
    study = get_study(study_in(store).study_id, store=store)
    assert study.importance() == study.importance()
    assert len(measured) == 1
    assert _summaries.figures_of(study)["trials_complete"] == 2
