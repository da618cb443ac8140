"""``autolog``: turning the frameworks' recorders on and off."""

import importlib
import importlib.util
import sys

from penstock.core import MissingPackageError, ParameterError, did_you_mean

_PLACES = {
    "sklearn": "penstock.tracking.recorders._sklearn",
    "xgboost": "penstock.tracking.recorders._xgboost",
    "lightgbm": "penstock.tracking.recorders._lightgbm",
}


def autolog(*frameworks: str, on: bool = True) -> list[str]:
    """Log what frameworks tell of each training: parameters, curves, scores.

    Where a run is active, in a step or a with-block, it goes there; where none is, each training
    becomes a run of its own. Boosters report through their own callbacks; scikit-learn has none, so
    the `fit` of its estimators is wrapped, and unwrapped again. A fit inside of a fit (a pipeline's
    parts, a search's trials) is not logged by itself. A parameter that the run has with another
    value already gets the estimator's name in front of it. Trouble with logging never stops a
    training; it is told once by the logger ``penstock``.

    >>> autolog("sklearn")
    ['sklearn']
    >>> autolog("sklearn", on=False)
    []

    Args:
        frameworks: ``sklearn``, ``xgboost``, ``lightgbm``; by default all that are installed.
        on: False to turn them off.

    Returns:
        Those of them that are on now.

    Raises:
        ParameterError: If there is no such framework.
        MissingPackageError: If one that is named is not installed.
    """
    for name in frameworks:
        _require(name)
    if not on:
        for name in frameworks or _PLACES:
            if _PLACES[name] in sys.modules:  # what was never turned on need not be loaded
                sys.modules[_PLACES[name]].stop()
        return []
    chosen = list(frameworks) or [name for name in _PLACES if importlib.util.find_spec(name)]
    for name in chosen:
        importlib.import_module(_PLACES[name]).start()
    return chosen


def _require(name: str) -> None:
    if name not in _PLACES:
        raise ParameterError(
            what=f"autolog does not know {name!r}.", fix=did_you_mean(name, _PLACES), name=name
        )
    if importlib.util.find_spec(name) is None:
        raise MissingPackageError(
            what=f"{name} is not installed.",
            why="autolog listens to it.",
            fix=f'Install it: pip install "{name}"',
        )
