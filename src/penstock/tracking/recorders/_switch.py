"""``autolog``: switch for the frameworks' recorders."""

import importlib
import importlib.util
import sys
from types import ModuleType

from wrapt import register_post_import_hook

from penstock.core import MissingPackageError, ParameterError, did_you_mean
from penstock.tracking.recorders._recording import quietly

# Recorder, and the modules after whose import it can begin.
_PLACES = {
    "sklearn": ("penstock.tracking.recorders._sklearn", ["sklearn"]),
    "xgboost": ("penstock.tracking.recorders._xgboost", ["xgboost"]),
    "lightgbm": ("penstock.tracking.recorders._lightgbm", ["lightgbm"]),
    "torch": ("penstock.tracking.recorders._torch", ["torch"]),
    "lightning": (
        "penstock.tracking.recorders._lightning",
        ["lightning.pytorch", "pytorch_lightning"],
    ),
}
_on: set[str] = set()
_waiting: set[str] = set()


def autolog(*frameworks: str, on: bool = True) -> list[str]:
    """Log the parameters, curves and scores of each training that frameworks report.

    Where a run is active, in a step or a with-block, the training is logged there; elsewhere, each
    training becomes a run. Frameworks report through their own callbacks: boosters each
    round, torch's optimizers their settings and learning rates, Lightning all that a module logs.
    scikit-learn has none, so the `fit` of all estimators is wrapped, and unwrapped again. A fit
    inside of a fit (a pipeline's steps, a search's trials) is not logged separately. torch alone
    has no training that begins and ends, so the steps are logged where a run is active. A parameter
    that the run has with a different value already gets the estimator's name as a prefix. Errors of
    logging never stop a training; each is logged once as a warning by the logger ``penstock``.

    No framework is imported: each is observed once imported by the program.

    >>> autolog("sklearn")
    ['sklearn']
    >>> autolog("sklearn", on=False)
    []

    Args:
        frameworks: ``sklearn``, ``xgboost``, ``lightgbm``, ``torch``, ``lightning``; by default all
            that are installed.
        on: False to switch them off.

    Returns:
        The frameworks that are on now.

    Raises:
        ParameterError: If there is no such framework.
        MissingPackageError: If a named framework is not installed.
    """
    for name in frameworks:
        _require(name)
    if not on:
        for name in frameworks or _PLACES:
            _stop(name)
        return []
    chosen = list(frameworks) or [name for name in _PLACES if _is_installed(name)]
    for name in chosen:
        _start(name)
    return chosen


def _start(name: str) -> None:
    _on.add(name)
    recorder, modules = _PLACES[name]

    def begin(_module: ModuleType) -> None:
        if name in _on:  # it may have been switched off before its framework was imported
            quietly(lambda: importlib.import_module(recorder).start())

    for module in modules:
        if module in sys.modules:
            begin(sys.modules[module])
        elif module not in _waiting:
            _waiting.add(module)
            register_post_import_hook(begin, module)


def _stop(name: str) -> None:
    _on.discard(name)
    recorder, _ = _PLACES[name]
    if recorder in sys.modules:  # a recorder that never began has nothing to end
        sys.modules[recorder].stop()


def _is_installed(name: str) -> bool:
    _, modules = _PLACES[name]
    return any(importlib.util.find_spec(module.partition(".")[0]) for module in modules)


def _require(name: str) -> None:
    if name not in _PLACES:
        raise ParameterError(
            what=f"autolog does not know {name!r}.", fix=did_you_mean(name, _PLACES), name=name
        )
    if not _is_installed(name):
        raise MissingPackageError(
            what=f"{name} is not installed.",
            why="autolog listens to it.",
            fix=f'Install it: pip install "{name}"',
        )
