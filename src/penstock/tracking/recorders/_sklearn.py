"""scikit-learn: there are no callbacks for a fit, so `fit` is wrapped and unwrapped again."""

import time
from contextvars import ContextVar
from functools import wraps
from typing import Any

from penstock.core import require
from penstock.tracking.recorders._recording import log_params, quietly, recording

_wrapped: dict[type, Any] = {}
_hook: list[Any] = []
_OWN = "sklearn."
_in_booster: ContextVar[bool] = ContextVar("penstock_booster", default=False)


def start() -> None:
    """Wrap the `fit` of each estimator class that is loaded, and of those that are loaded later."""
    base = require("sklearn.base", extra="ml", purpose="autolog of scikit-learn").BaseEstimator
    if _hook:
        return
    _hook.append(base.__dict__.get("__init_subclass__"))
    for kind in _all_of(base):
        _wrap(kind)
    inherited = base.__init_subclass__.__func__

    def later(kind: type, /, **options: Any) -> None:
        inherited(kind, **options)
        _wrap(kind)

    base.__init_subclass__ = classmethod(later)


def stop() -> None:
    """Restore every `fit`."""
    if not _hook:
        return
    base = require("sklearn.base", extra="ml", purpose="autolog of scikit-learn").BaseEstimator
    original = _hook.pop()
    if original is None:
        del base.__init_subclass__
    else:
        base.__init_subclass__ = original
    while _wrapped:
        kind, fit = _wrapped.popitem()
        kind.fit = fit  # type: ignore[attr-defined] # a class of theirs


def _all_of(base: type) -> list[type]:
    classes, ahead = dict[type, None](), [base]
    while ahead:
        kind = ahead.pop()
        if kind not in classes:
            classes[kind] = None
            ahead += kind.__subclasses__()
    return list(classes)


def _wrap(kind: type) -> None:
    fit = kind.__dict__.get("fit")
    # Boosters' estimators report by themselves, round by round.
    boosted = kind.__module__.partition(".")[0] in {"xgboost", "lightgbm"}
    if callable(fit) and kind not in _wrapped:
        _wrapped[kind] = fit
        kind.fit = _alone(fit) if boosted else _recording(fit)  # type: ignore[attr-defined] # a class of theirs


def _alone(fit: Any) -> Any:
    """Wrap a booster's `fit`, so that the encoders fitted inside make no runs."""

    @wraps(fit)
    def alone(self: Any, *data: Any, **options: Any) -> Any:
        token = _in_booster.set(True)
        try:
            return fit(self, *data, **options)
        finally:
            _in_booster.reset(token)

    return alone


def _recording(fit: Any) -> Any:
    @wraps(fit)
    def recorded(self: Any, *data: Any, **options: Any) -> Any:
        name = type(self).__name__
        if _in_booster.get():
            return fit(self, *data, **options)
        with recording(name) as run:
            if run is None:
                return fit(self, *data, **options)
            quietly(lambda: log_params(run, name, self.get_params()))
            started = time.perf_counter()
            fitted = fit(self, *data, **options)
            seconds = time.perf_counter() - started
            quietly(lambda: run.log_metric("fit_seconds", seconds))
            quietly(lambda: run.set_tag("estimator", name))
            quietly(lambda: _log_result(run, self, data, options))
            return fitted

    return recorded


def _log_result(run: Any, estimator: Any, data: tuple[Any, ...], options: Any) -> None:
    """Log a search's trials and best parameters; for other estimators the training score."""
    if hasattr(estimator, "cv_results_"):
        import polars as pl

        run.log_metric("best_cv_score", float(estimator.best_score_))
        log_params(
            run,
            type(estimator).__name__,
            {f"best_{k}": v for k, v in estimator.best_params_.items()},
        )
        columns = {key: [_cell(v) for v in values] for key, values in estimator.cv_results_.items()}
        run.log_artifact(pl.DataFrame(columns), name="cv_results")
        return
    kind = getattr(estimator, "_estimator_type", None) or _kind(estimator)
    target = data[1] if len(data) > 1 else options.get("y")
    if kind in {"classifier", "regressor"} and target is not None:
        rows = data[0] if data else options["X"]
        run.log_metric("training_score", float(estimator.score(rows, target)))


def _kind(estimator: Any) -> str | None:
    tags = require("sklearn.utils", extra="ml", purpose="autolog of scikit-learn").get_tags(
        estimator
    )
    kind: str | None = tags.estimator_type
    return kind


def _cell(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else str(value)
