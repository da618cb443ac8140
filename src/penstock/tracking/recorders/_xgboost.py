"""XGBoost, through XGBoost's TrainingCallback."""

from functools import wraps
from typing import Any

from penstock.core import require
from penstock.tracking.recorders._recording import Replaced, log_params, quietly, recording

_NAME = "xgboost"
# The scikit-learn API imports the function under its own name.
_PLACES = ("xgboost", "xgboost.training", "xgboost.sklearn")


def _listening(train: Any) -> Any:
    @wraps(train)
    def listening(params: Any, dtrain: Any, num_boost_round: int = 10, **options: Any) -> Any:
        with recording(_NAME) as run:
            if run is None:
                return train(params, dtrain, num_boost_round, **options)
            facts = {**dict(params), "num_boost_round": num_boost_round}
            quietly(lambda: log_params(run, _NAME, facts))
            callbacks = [*(options.pop("callbacks", None) or ()), _callback(run)]
            model = train(params, dtrain, num_boost_round, callbacks=callbacks, **options)
            best = {
                name: float(value)
                for name in ("best_iteration", "best_score")
                if (value := getattr(model, name, None)) is not None
            }
            quietly(lambda: run.log_metrics(best) if best else None)
            return model

    return listening


def _callback(run: Any) -> Any:
    base = require("xgboost.callback", extra="boosters", purpose="autolog of XGBoost")

    class BoosterRecorder(base.TrainingCallback):  # type: ignore[misc, name-defined] # loaded by name
        """Logger of the last value of each watched metric after each round."""

        def after_iteration(self, _model: Any, epoch: int, evals_log: Any) -> bool:
            figures = {
                f"{data}-{metric}": values[-1][0] if isinstance(values[-1], tuple) else values[-1]
                for data, metrics in evals_log.items()
                for metric, values in metrics.items()
            }
            if figures:
                quietly(lambda: run.log_metrics(figures, step=epoch))
            return False

    return BoosterRecorder()


_train = Replaced("train", _PLACES, _listening, purpose="autolog of XGBoost")
start, stop = _train.start, _train.stop
