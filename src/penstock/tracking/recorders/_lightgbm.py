"""LightGBM, through a callback in LightGBM's form."""

from functools import wraps
from typing import Any

from penstock.tracking.recorders._recording import Replaced, log_params, quietly, recording

_NAME = "lightgbm"
# The scikit-learn API imports the function under its own name.
_PLACES = ("lightgbm", "lightgbm.engine", "lightgbm.sklearn")


def _listening(train: Any) -> Any:
    @wraps(train)
    def listening(params: Any, train_set: Any, num_boost_round: int = 100, **options: Any) -> Any:
        with recording(_NAME) as run:
            if run is None:
                return train(params, train_set, num_boost_round, **options)
            facts = {**params, "num_boost_round": num_boost_round}
            quietly(lambda: log_params(run, _NAME, facts))
            callbacks = [*(options.pop("callbacks", None) or ()), _recorder(run)]
            model = train(params, train_set, num_boost_round, callbacks=callbacks, **options)
            if model.best_iteration > 0:
                quietly(lambda: run.log_metric("best_iteration", model.best_iteration))
            return model

    return listening


def _recorder(run: Any) -> Any:
    def record(environment: Any) -> None:
        metrics = {f"{data}-{name}": value for data, name, value, *_ in _results(environment)}
        if metrics:
            quietly(lambda: run.log_metrics(metrics, step=environment.iteration))

    record.order = 5  # type: ignore[attr-defined] # before early stopping (30), which leaves the loop
    return record


def _results(environment: Any) -> Any:
    return environment.evaluation_result_list or ()


_train = Replaced("train", _PLACES, _listening, purpose="autolog of LightGBM")
start, stop = _train.start, _train.stop
