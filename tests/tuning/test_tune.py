"""A study's suggestions are plain Optuna's; a study stops, resumes and refuses as it should."""

import pytest

from penstock.core import NotFoundError, ParameterError, StepError
from penstock.pipelines import pipeline, step
from penstock.tracking import log_metric
from penstock.tuning import TrialState, get_study, tune

optuna = pytest.importorskip("optuna", reason="needs optuna: pip install 'penstock[search]'")


HEARD: list[int] = []


def value_of(params):
    return (params["x"] - 0.3) ** 2 + abs(params["depth"] - 5) / 10 + (params["kind"] == "b")


def plain_optuna(sampler, trials):
    def objective(trial):
        return value_of(
            {
                "x": trial.suggest_float("x", -1, 1),
                "depth": trial.suggest_int("depth", 1, 9),
                "kind": trial.suggest_categorical("kind", ["a", "b"]),
            }
        )

    study = optuna.create_study(sampler=sampler)
    study.optimize(objective, n_trials=trials)
    return [trial.params for trial in study.trials]


def searched(case, store, **options):
    target, space = case
    options = {"search": space, "metric": "loss", "direction": "minimize", **options}
    return tune(target, quiet=True, store=store, **options)


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_suggestions_are_those_of_plain_optuna_with_the_same_seed(search, store, sampler):
    kinds = {"random": optuna.samplers.RandomSampler, "tpe": optuna.samplers.TPESampler}
    expected = plain_optuna(kinds[sampler](seed=3), 16)
    study = searched(search, store, sampler=sampler, seed=3, trials=16)
    assert [dict(trial.params) for trial in study.trials] == expected
    assert [trial.values[0] for trial in study.trials] == list(map(value_of, expected))


def test_a_grid_visits_every_point_once_in_the_order_of_plain_optuna(search, store):
    grid = {"x": [-1.0, 0.0, 1.0], "depth": [4, 5], "kind": ["a", "b"]}
    expected = plain_optuna(optuna.samplers.GridSampler(grid, seed=1), 99)
    study = searched(search, store, search=grid, sampler="grid", seed=1, trials=99)
    assert [dict(trial.params) for trial in study.trials] == expected
    assert len(study.trials) == 12


@pytest.mark.parametrize("sampler", ["random", "tpe", "cmaes"])
def test_a_study_in_pieces_has_the_suggestions_of_a_whole_one(search, store, sampler):
    target, _ = search
    whole = searched(search, store, sampler=sampler, trials=13, name="whole")
    pieces = searched(search, store, sampler=sampler, trials=4, name="pieces")
    for trials in (5, 11, 13):
        pieces = tune(target, resume="pieces", trials=trials, quiet=True, store=store)
    assert [dict(t.params) for t in pieces.trials] == [dict(t.params) for t in whole.trials]
    assert pieces.run.attempt == 4


def test_trials_that_differ_in_a_later_step_share_the_steps_before(store):
    @step
    def load() -> list[float]:
        return [0.0, 0.5, 1.0]

    @step
    def fit(rows: list[float], x: float) -> float:
        return sum((row - x) ** 2 for row in rows)

    @pipeline
    def job(x: float = 0.0) -> float:
        return fit(load(), x)

    study = tune(
        job, search={"x": "0..1"}, metric="loss", direction="minimize", trials=3, quiet=True,
        store=store,
    )  # fmt: skip
    states = [
        [s.state.value for s in store.metadata.steps.list(trial.run_id)] for trial in study.trials
    ]
    assert states == [["finished", "finished"], ["cached", "finished"], ["cached", "finished"]]
    assert {store.metadata.runs.get(t.run_id).parent_run_id for t in study.trials} == {
        study.study_id
    }


def test_failed_trials_are_recorded_with_their_cause_and_the_study_goes_on(store):
    @step
    def moody(x: int) -> float:
        if x % 2:
            raise ValueError(f"{x} is odd")
        return float(x)

    @pipeline
    def job(x: int = 0) -> float:
        return moody(x)

    study = tune(
        job, search={"x": "0..5"}, metric="loss", direction="minimize", sampler="grid",
        trials=6, quiet=True, store=store,
    )  # fmt: skip
    failed = [trial for trial in study.trials if trial.state is TrialState.FAILED]
    assert sorted(trial.params["x"] for trial in failed) == [1, 3, 5]
    assert all(f"{trial.params['x']} is odd" in trial.error for trial in failed)
    assert study.best_value == 0.0


def test_a_study_whose_first_trials_all_fail_stops_with_the_cause(store):
    @step
    def broken(x: int) -> float:
        raise ValueError(f"no {x}")

    @pipeline
    def job(x: int = 0) -> float:
        return broken(x)

    with pytest.raises(StepError, match="first 5 trials have failed"):
        tune(job, search={"x": "0..99"}, metric="loss", direction="minimize", trials=50,
             quiet=True, store=store)  # fmt: skip
    assert len(get_study("job", store=store).trials) == 5


def learning(rates):
    @step
    def learn(rate: float) -> float:
        rates.append(rate)
        loss = 1.0
        for epoch in range(10):
            loss = 1 - rate * epoch / 10
            log_metric("loss", loss, step=epoch)
        return loss

    @pipeline
    def job(rate: float = 0.1) -> float:
        return learn(rate)

    return job


@pytest.mark.parametrize(
    ("pruner", "options", "peer"),
    [
        ("median", {"n_startup_trials": 2}, "MedianPruner"),
        ("halving", {"min_resource": 2}, "SuccessiveHalvingPruner"),
    ],
)
def test_trials_are_pruned_as_plain_optuna_prunes(store, pruner, options, peer):
    def objective(trial):
        rate = trial.suggest_float("rate", 0, 1)
        for epoch in range(10):
            trial.report(1 - rate * epoch / 10, epoch)
            if trial.should_prune():
                raise optuna.TrialPruned
        return 1 - rate * 9 / 10

    peer_study = optuna.create_study(
        sampler=optuna.samplers.TPESampler(seed=0),
        pruner=getattr(optuna.pruners, peer)(**options),
    )
    peer_study.optimize(objective, n_trials=14)
    job = learning([])
    for trials, resume in ((6, None), (14, "job")):
        asked = {} if resume else {
            "search": {"rate": "0..1"}, "metric": "loss", "direction": "minimize",
            "pruner": pruner, "pruner_options": options,
        }  # fmt: skip
        study = tune(job, trials=trials, resume=resume, quiet=True, store=store, **asked)
    assert [dict(t.params) for t in study.trials] == [t.params for t in peer_study.trials]
    pruned = [t.number for t in study.trials if t.state is TrialState.PRUNED]
    assert not any("pruned" in str(t.error) for t in study.trials)  # the state says so
    assert pruned == [t.number for t in peer_study.trials if t.state.name == "PRUNED"]
    assert pruned


def test_a_study_stops_without_an_improvement(search, store):
    study = searched(search, store, sampler="random", patience=5, trials=200)
    best = study.best_trial.number
    assert len(study.trials) == best + 6


def test_several_objectives_give_a_pareto_front_and_constraints_a_feasible_best(store):
    @step
    def weigh(x: float) -> dict[str, float]:
        return {"gain": x, "cost": x**2, "size": 10 * x}

    @pipeline
    def job(x: float = 0.0) -> dict[str, float]:
        return weigh(x)

    both = tune(
        job, search={"x": "-1.0..1.0"}, metric=["gain:max", "cost:min"], trials=12, quiet=True,
        sampler="random", store=store,
    )  # fmt: skip
    front = sorted(trial.params["x"] for trial in both.pareto_front)
    positive = sorted(t.params["x"] for t in both.trials if t.params["x"] > 0)
    assert positive == [x for x in front if x > 0]
    with pytest.raises(NotFoundError, match="no best trial"):
        _ = both.best_trial
    limited = tune(
        job, search={"x": "-1.0..1.0"}, metric="gain", direction="maximize", trials=12,
        constraints="size <= 5", quiet=True, store=store, name="limited",
    )  # fmt: skip
    assert limited.best_params["x"] <= 0.5
    assert max(trial.params["x"] for trial in limited.trials) > 0.5


def test_a_warm_start_leads_the_sampler(search, store):
    first = searched(search, store, trials=30, name="first")
    cold = searched(search, store, trials=12, seed=9, name="cold")
    warm = searched(search, store, trials=6, seed=9, name="warm", warm_start="first")
    again = tune(search[0], resume="warm", trials=12, quiet=True, store=store)
    assert len(warm.trials) == 6
    mean = lambda study: sum(t.values[0] for t in study.trials) / len(study.trials)  # noqa: E731
    assert mean(again) < mean(cold)
    assert first.best_value < 0.1


def test_an_interrupted_study_says_how_it_is_resumed(search, store, capsys):
    def interrupt(trial):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        searched(search, store, trials=5, name="stopped", on_trial=interrupt)
    _, _, command = capsys.readouterr().err.partition("Resume with:  penstock tune --resume ")
    study, *limit = command.split()
    assert limit == ["--trials", "5"]
    assert len(tune(search[0], resume=study, trials=5, quiet=True, store=store).trials) == 5


def test_a_grid_needs_no_limit_also_when_it_is_resumed(search, store):
    grid = {"x": [-1.0, 0.0], "depth": [4, 5]}
    first = searched(search, store, search=grid, sampler="grid", trials=1, name="grid")
    assert len(first.trials) == 1
    whole = tune(search[0], resume="grid", quiet=True, store=store)
    assert len({tuple(trial.params.items()) for trial in whole.trials}) == len(whole.trials) == 4


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"search": {"dept": "1..9"}}, "no parameter 'dept'"),
        ({"search": {"depth": "0.5..3"}}, "whole number"),
        ({"params": {"x": 1.0}}, "searched and given"),
        ({"metric": "loss", "direction": None}, "direction of 'loss'"),
        ({"trials": None}, "no end"),
        ({"sampler": "tpee"}, "tpee"),
        ({"sampler": "grid"}, "no values for x"),
        ({"workers": 4}, "runner='local'"),
        ({"register": True}, "registers no model"),
        ({"metric": ["a:min", "b:min"], "direction": None, "pruner": "median"}, "pruner"),
        ({"constraints": "fast"}, "no constraint"),
        ({"sampler_options": {"multivariat": True}}, "options"),
        ({"metric": "los:min", "direction": None, "search": {"x": "0..1"}, "pruner": "x"}, "x"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_recorded(search, store, options, words):
    with pytest.raises(ParameterError, match=words):
        searched(search, store, **{"trials": 3, **options})
    assert store.metadata.runs.search() == []


def test_a_metric_that_the_pipeline_does_not_make_stops_the_first_trial(store):
    job = learning([])
    with pytest.raises(ParameterError, match="no metric 'los'") as error:
        tune(job, search={"rate": "0..1"}, metric="los:min", trials=5, quiet=True, store=store,
             sampler="random", name="typo")  # fmt: skip
    assert "loss" in error.value.fix
    assert len(get_study("typo", store=store).trials) == 1


def test_a_study_that_does_not_exist_is_told_with_the_nearest(search, store):
    searched(search, store, trials=1, name="churn")
    with pytest.raises(NotFoundError, match="churm") as error:
        get_study("churm", store=store)
    assert "churn" in error.value.fix


def test_a_change_that_the_caller_makes_between_trials_stays(search, store):
    HEARD.clear()
    searched(search, store, trials=4, on_trial=lambda trial: HEARD.append(trial.number))
    assert HEARD == [0, 1, 2, 3]
