"""LightGBM, through a callback of its own form."""

from functools import wraps
from typing import Any

from penstock.core import require
from penstock.tracking.recorders._recording import log_params, quietly, recording

_NAME = "lightgbm"
# The scikit-learn API has the function by a name of its own.
_PLACES = ("lightgbm", "lightgbm.engine", "lightgbm.sklearn")
_originals: dict[str, Any] = {}


def start() -> None:
    """Listen to each `lightgbm.train`, also of the scikit-learn API."""
    for place in _PLACES:
        module = require(place, extra="boosters", purpose="autolog of LightGBM")
        if place not in _originals:
            _originals[place] = module.train
            module.train = _listening(module.train)  # type: ignore[attr-defined] # a module of theirs


def stop() -> None:
    """Put the functions back."""
    while _originals:
        place, original = _originals.popitem()
        require(place, extra="boosters", purpose="autolog of LightGBM").train = original  # type: ignore[attr-defined] # a module of theirs


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
        found = {f"{data}-{name}": value for data, name, value, *_ in _results(environment)}
        if found:
            quietly(lambda: run.log_metrics(found, step=environment.iteration))

    record.order = 5  # type: ignore[attr-defined] # before early stopping (30), which leaves the loop
    return record


def _results(environment: Any) -> Any:
    return environment.evaluation_result_list or ()
