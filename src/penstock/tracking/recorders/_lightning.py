"""Lightning, through a logger in Lightning's form that receives a module's values as logged."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from importlib import import_module
from types import ModuleType
from typing import Any

from penstock.tracking._active import active_run
from penstock.tracking._run import Run
from penstock.tracking._search import get_run
from penstock.tracking.recorders._recording import log_params, quietly, recording

# The package has two names, whose classes differ; either may be installed without the other.
PACKAGES = ("lightning.pytorch", "pytorch_lightning")
_originals: dict[tuple[type, str], Any] = {}


def start() -> None:
    """Add a logger to each trainer while it fits, validates or tests."""
    for package in (name for name in PACKAGES if name in sys.modules):
        trainer = sys.modules[package].Trainer
        for name in ("fit", "validate", "test"):
            if (trainer, name) not in _originals:
                original = _originals[trainer, name] = getattr(trainer, name)
                setattr(trainer, name, _listening(original, sys.modules[package]))


def stop() -> None:
    """Restore the trainers' methods."""
    while _originals:
        (trainer, name), original = _originals.popitem()
        setattr(trainer, name, original)


def _listening(original: Any, package: ModuleType) -> Any:
    fits = original.__name__ == "fit"

    @wraps(original)
    def listening(self: Any, model: Any = None, *data: Any, **options: Any) -> Any:
        # Of several processes the first logs; validating alone is not a training, and makes no run.
        if not self.is_global_zero or (not fits and active_run() is None):
            return original(self, model, *data, **options)
        with recording(type(model).__name__ if model is not None else "lightning") as run:
            if run is None:
                return original(self, model, *data, **options)
            with _logger_of(self, run, package):
                result = original(self, model, *data, **options)
            if fits:
                quietly(lambda: _log_fit(run, self))
            return result

    return listening


@contextmanager
def _logger_of(trainer: Any, run: Run, package: ModuleType) -> Iterator[None]:
    """Add a logger to a trainer; if the logger fails, the trainer trains without."""
    before = list(trainer.loggers)

    def add() -> None:
        trainer.loggers = [*before, _make_logger(run, package)]

    quietly(add)
    try:
        yield
    finally:
        trainer.loggers = before


def _log_fit(run: Run, trainer: Any) -> None:
    """Log a trainer's settings and results."""
    facts = {name: getattr(trainer, name, None) for name in _SETTINGS}
    facts["parameters"] = sum(each.numel() for each in trainer.lightning_module.parameters())
    log_params(run, "trainer", {k: v for k, v in facts.items() if v is not None})
    run.set_tag("module", type(trainer.lightning_module).__name__)
    run.log_metric("epochs", trainer.current_epoch)
    kept = trainer.checkpoint_callback
    if kept is not None and kept.best_model_score is not None:
        run.log_metric("best_model_score", float(kept.best_model_score))
        run.set_tag("best_model_path", kept.best_model_path)


_SETTINGS = ("max_epochs", "max_steps", "accumulate_grad_batches", "gradient_clip_val", "precision",
             "world_size")  # fmt: skip


def _make_logger(run: Run, package: ModuleType) -> Any:
    """Create a logger of the class of the trainer's package."""
    base: Any = import_module(f"{package.__name__}.loggers").Logger
    rank_zero_only = import_module(f"{package.__name__}.utilities").rank_zero_only

    class TrainerRecorder(base):  # type: ignore[misc] # loaded by name
        """Logger that writes to a run of penstock; spawned processes open the run again."""

        name, version = "penstock", run.run_id

        def __init__(self) -> None:
            super().__init__()
            self.run = run

        def __reduce__(self) -> Any:
            return _reopened, (run.run_id, run.store.url, package.__name__)

        @rank_zero_only  # type: ignore[untyped-decorator] # loaded by name
        def log_metrics(self, metrics: Mapping[str, Any], step: float | None = None) -> None:
            values = {key: float(value) for key, value in metrics.items()}
            quietly(lambda: self.run.log_metrics(values, step=step))

        @rank_zero_only  # type: ignore[untyped-decorator] # loaded by name
        def log_hyperparams(self, params: Any, *_: Any, **__: Any) -> None:
            known = params if isinstance(params, Mapping) else vars(params)
            quietly(lambda: log_params(self.run, "hparams", dict(known)))

    return TrainerRecorder()


def _reopened(run_id: str, url: str, package: str) -> Any:
    return _make_logger(get_run(run_id, store=url), import_module(package))
