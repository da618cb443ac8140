"""F16: a trial's cost beyond the sampler; and three studies of real tables beside the defaults.

Each trial is a whole run: parameters, step, metric, state, provenance. Optuna's studies in memory and
on SQLite stand beside it, with the same sampler, seed and function. The search and the comparison use
other rows: a study sees folds of the train rows, both models are judged on the rows held out, and the
interval is of the difference between the two on the same rows (1,000 resamples).
"""

import importlib
import os
import sys
import time
from pathlib import Path

from figures import quiet_store, tell

TRIALS = int(os.environ.get("TRIALS", "1000"))
STUDY = int(os.environ.get("STUDY_TRIALS", "25"))
DATA = Path(os.environ.get("PENSTOCK_DATA", Path(__file__).parents[2] / "shared" / "data"))
NAMES = [f"x{i}" for i in range(5)]
JOB = """
import penstock as ps


@ps.step
def bowl(x0: float, x1: float, x2: float, x3: float, x4: float) -> float:
    value = sum((x - 0.3) ** 2 for x in (x0, x1, x2, x3, x4))
    ps.log_metric("loss", value)
    return value


@ps.pipeline
def job(x0: float = 0, x1: float = 0, x2: float = 0, x3: float = 0, x4: float = 0) -> float:
    return bowl(x0, x1, x2, x3, x4)
"""
FOREST = """
import numpy as np
import polars as pl
import penstock as ps
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder


def model_of(task, rate, leaves, smallest, penalty):
    kind = HistGradientBoostingRegressor if task == "regression" else HistGradientBoostingClassifier
    encode = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    columns = make_column_transformer(
        (encode, make_column_selector(dtype_include=object)), remainder="passthrough"
    )
    return make_pipeline(
        columns,
        kind(learning_rate=rate, max_leaf_nodes=leaves, min_samples_leaf=smallest,
             l2_regularization=penalty, max_iter=60, random_state=0),
    )


@ps.step
def rows(path: str, target: str, drop: str) -> ps.Table:
    frame = pl.read_csv(path, infer_schema_length=None, null_values=["", " ", "?"])
    frame = frame.drop([name for name in drop.split() if name], strict=False)
    return frame.sample(min(len(frame), 2000), seed=1, shuffle=True)


@ps.step
def train(split: ps.Split, rate: float, leaves: int, smallest: int, penalty: float):
    model = model_of(split.task, rate, leaves, smallest, penalty)
    return model.fit(split.train.X.to_pandas(), split.train.y.to_list())


@ps.pipeline
def search(path: str, target: str, drop: str = "", rate: float = 0.1, leaves: int = 31,
           smallest: int = 20, penalty: float = 0.0):
    return ps.steps.cross_validate(
        train, kept(rows(path, target, drop)), target=target, folds=3,
        rate=rate, leaves=leaves, smallest=smallest, penalty=penalty,
    )


@ps.step
def kept(table: ps.Table) -> ps.Table:
    return table.head(len(table) // 2)
"""
SPACE = {"rate": "log(0.01,0.5)", "leaves": "log(3,60)", "smallest": "log(2,100)",
         "penalty": "log(1e-3,100)"}  # fmt: skip
TABLES = (
    ("telco_churn.csv", "Churn", "customerID", "log_loss"),
    ("elec2.csv", "class", "", "log_loss"),
    ("bike_sharing_hour.csv", "cnt", "casual registered instant dteday", "rmse"),
)


def peers(optuna, trials):
    def objective(trial):
        return sum((trial.suggest_float(name, -1, 1) - 0.3) ** 2 for name in NAMES)

    def measured(storage, sampler):
        study = optuna.create_study(storage=storage, sampler=sampler)
        begin = time.perf_counter()
        study.optimize(objective, n_trials=trials)
        return (time.perf_counter() - begin) / trials * 1e3

    for name, sampler in (("random", "RandomSampler"), ("TPE", "TPESampler")):
        make = getattr(optuna.samplers, sampler)
        tell("F16", f"Optuna in memory, {name}, a trial", measured(None, make(seed=0)), "ms")
    few = optuna.samplers.RandomSampler(seed=0)
    tell("F16", "Optuna on SQLite, random, a trial", measured("sqlite:///optuna.db", few), "ms")


def overhead(folder):
    (folder / "bench_job.py").write_text(JOB, encoding="utf-8")
    module, tuning = (
        importlib.import_module("bench_job"),
        importlib.import_module("penstock.tuning"),
    )
    optuna = importlib.import_module("optuna")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    search = dict.fromkeys(NAMES, "-1.0..1.0")
    options = {"search": search, "metric": "loss:min", "sampler": "random", "quiet": True}
    tuning.tune(module.job, trials=5, name="warm", **options)
    begin, processor = time.perf_counter(), time.process_time()
    study = tuning.tune(module.job, trials=TRIALS, name="timed", **options)
    wall, used = time.perf_counter() - begin, time.process_time() - processor
    assert len(study.complete) == TRIALS
    tell("F16", f"a tracked trial, {TRIALS:,} trials, random", wall / TRIALS * 1e3, "ms", goal=1)
    tell("F16", "the same, processor time", used / TRIALS * 1e3, "ms")
    begin = time.perf_counter()
    tuning.tune(module.job, resume="timed", trials=TRIALS, quiet=True)
    tell("F16", f"resuming a study of {TRIALS:,} trials", time.perf_counter() - begin, "s")
    peers(optuna, TRIALS)


def improvements(folder):
    import numpy as np

    (folder / "bench_forest.py").write_text(FOREST, encoding="utf-8")
    module, tuning = (
        importlib.import_module("bench_forest"),
        importlib.import_module("penstock.tuning"),
    )
    for file, target, drop, metric in TABLES:
        path = DATA / file
        study = tuning.tune(
            module.search,
            search=SPACE,
            metric=metric,
            trials=STUDY,
            seed=1,
            quiet=True,
            params={"path": str(path), "target": target, "drop": drop},
            name=file,
        )
        frame = module.rows(str(path), target, drop)
        frame = frame.filter(frame[target].is_not_null())
        half = len(frame) // 2
        fit, held = frame.head(half), frame.tail(len(frame) - half)
        losses = []
        for params in (
            {"rate": 0.1, "leaves": 31, "smallest": 20, "penalty": 0.0},
            study.best_params,
        ):
            task = "regression" if metric == "rmse" else "binary"
            model = module.model_of(task, **params)
            model.fit(fit.drop(target).to_pandas(), fit[target].to_numpy())
            losses.append(
                loss_of(model, held.drop(target).to_pandas(), held[target].to_numpy(), task)
            )
        gain = losses[0] - losses[1]
        draws = np.random.default_rng(0).integers(0, len(gain), (1000, len(gain)))
        low, high = np.percentile(gain[draws].mean(axis=1) / losses[0].mean(), [2.5, 97.5]) * 100
        share = gain.mean() / losses[0].mean() * 100
        name = "squared error" if metric == "rmse" else "log loss"
        tell("F16", f"{file}: {name} below the defaults', {STUDY} trials", share, "%", at_least=0)
        tell("F16", f"{file}: lower end of its 95 % interval", low, "%")
        tell("F16", f"{file}: upper end", high, "%")


def loss_of(model, rows, y, task):
    import numpy as np

    if task == "regression":
        return (model.predict(rows) - y) ** 2
    chances = model.predict_proba(rows)
    places = np.searchsorted(model.classes_, y)
    return -np.log(np.clip(chances[np.arange(len(y)), places], 1e-12, 1))


if __name__ == "__main__":
    with quiet_store() as folder:
        sys.path.insert(0, str(folder))
        if "--studies" not in sys.argv:
            overhead(folder)
        if "--overhead" not in sys.argv:
            improvements(folder)
