"""torch: optimizers report each step through their own hook."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from typing import Any
from weakref import WeakKeyDictionary

from penstock.tracking._active import active_run
from penstock.tracking._run import Run
from penstock.tracking.recorders._recording import log_params, quietly

_TENSOR_EVERY = 50  # a rate that is a tensor may be on a GPU, and reading it waits for the GPU
_hooks: list[Any] = []


@dataclass(slots=True)
class _Told:
    """The logged state of an optimizer in a run."""

    run_id: str
    steps: int = 0
    rates: dict[int, float] = field(default_factory=dict)


_told: "WeakKeyDictionary[Any, _Told]" = WeakKeyDictionary()


def start() -> None:
    """Observe the optimizers, including those that exist already."""
    if not _hooks:
        optimizers = import_module("torch.optim.optimizer")
        _hooks.append(optimizers.register_optimizer_step_post_hook(_stepped))


def stop() -> None:
    """Stop observing."""
    while _hooks:
        _hooks.pop().remove()


def _stepped(optimizer: Any, _args: Any, _options: Any) -> None:
    """Log an optimizer's settings once, and learning rates where they change."""
    run = active_run()
    if run is not None:
        quietly(lambda: _log_step(run, optimizer))


def _log_step(run: Run, optimizer: Any) -> None:
    logged = _told.get(optimizer)
    if logged is None or logged.run_id != run.run_id:
        logged = _told[optimizer] = _Told(run.run_id)
        kind = type(optimizer).__name__
        quietly(partial(log_params, run, kind, {"optimizer": kind, **_settings(optimizer)}))
    several = len(optimizer.param_groups) > 1
    for number, group in enumerate(optimizer.param_groups):
        rate = group.get("lr")
        if rate is None or (not isinstance(rate, float) and logged.steps % _TENSOR_EVERY):
            continue
        rate = float(rate)
        if logged.rates.get(number) != rate:
            logged.rates[number] = rate
            run.log_metric(f"lr-{number}" if several else "lr", rate, logged.steps)
    logged.steps += 1


def _settings(optimizer: Any) -> Mapping[str, Any]:
    """Return the settings that differ from None, numbers out of their tensors."""
    settings: dict[str, Any] = {"param_groups": len(optimizer.param_groups)}
    for name, value in optimizer.defaults.items():
        settings[name] = value.item() if hasattr(value, "item") else value
    return {name: value for name, value in settings.items() if value is not None}
