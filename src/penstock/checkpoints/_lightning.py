"""LightningCheckpoint: a callback that sets a killed training of Lightning back to its last epoch."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from importlib import import_module
from typing import Any, Self

from penstock.checkpoints._state import pack_state, unpack_state
from penstock.core import MissingPackageError, ParameterError
from penstock.provenance import generator_states, set_generator_states
from penstock.tracking import Checkpoint, checkpoint

# The package has two names, whose classes differ; either may be installed without the other.
_PACKAGES = ("lightning.pytorch", "pytorch_lightning")
_PLACE = "a checkpoint in memory"
_CONSTRUCTION = ("hyper_parameters", "hparams_name", "hparams_type")  # arguments, not state


class LightningCheckpoint:
    """The state of a Lightning training at the start of its last epoch, for ``Trainer(callbacks=…)``.

    ```python
    @ps.step
    def train(rows: ps.Table) -> Net:
        trainer = lightning.Trainer(max_epochs=20, callbacks=[ps.checkpoints.LightningCheckpoint()])
        trainer.fit(net := Net(), loader_of(rows))
        return net
    ```

    A run that is killed and resumed, or a step that is retried, starts ``fit`` as the first time and
    is then set back to the start of the last saved epoch: weights, optimizers, schedulers, the other
    callbacks, the data module, logged metrics, all global generators and those of the loaders. It
    ends with the same bits as an undisturbed run. The state contains no pickle. Outside of runs
    nothing is stored.

    State of a module, data set or sampler outside of a ``state_dict`` and of torch generators
    is not seen: return it from ``on_save_checkpoint`` of the module or the data module.

    Args:
        name: Distinguishes several trainings of a step; each has a different name.
        every: Shortest time between two stored states; see ``ps.checkpoint``.

    Raises:
        ParameterError: By ``fit``, if the training cannot be resumed exactly: several processes,
            loaders that are made anew or keep their workers, or a name that was used before.
        SerializationError: By ``fit``, if a state has a value without a safe form.
    """

    def __new__(cls, *_: object, **__: object) -> Self:
        """Create an instance of a class that is a callback of the installed packages too."""
        return object.__new__(type(cls.__name__, (cls, *_callbacks()), {"__doc__": cls.__doc__}))

    def __init__(self, name: str = "lightning", *, every: str | timedelta = "0s") -> None:
        self._name, self._every = name, every
        self._saved: Checkpoint[Any] = checkpoint(name, every=every)
        self._started = False

    def setup(self, trainer: Any, *_: object, stage: str) -> None:  # Any: Lightning's Trainer
        """Come before all remaining callbacks, which then see each epoch's start exactly once."""
        if stage == "fit":
            self._saved, self._started = checkpoint(self._name, every=self._every), False
            self._saved.claim()
            trainer.callbacks = [self, *(each for each in trainer.callbacks if each is not self)]

    def on_train_epoch_start(self, trainer: Any, *_: object) -> None:  # Any: Lightning's Trainer
        """Set the training back to the saved epoch, or save the state of this epoch's start."""
        if not self._started:
            self._started = True
            _require_exact(trainer)
            if (packed := self._saved.load()) is not None:
                generators = generator_states()
                _set_back(trainer, unpack_state(packed))
                set_generator_states(generators)  # loading may have drawn
        elif self._saved.is_due():
            self._saved.save(pack_state(_state(trainer)))


def _callbacks() -> tuple[type, ...]:
    """Return the base of callbacks of each package that is loaded, or can be."""
    for package in (name for name in _PACKAGES if not any(map(sys.modules.get, _PACKAGES))):
        try:
            import_module(package)
        except ImportError:
            continue
    classes = tuple(sys.modules[name].Callback for name in _PACKAGES if name in sys.modules)
    if not classes:
        raise MissingPackageError(
            what="Neither lightning nor pytorch_lightning is installed.",
            why="It is needed for checkpoints of a Trainer.",
            fix="Run: pip install lightning",
            module="lightning",
        )
    return classes


def _state(trainer: Any) -> dict[str, Any]:
    """Return all that the rest of a training depends on, at the start of an epoch."""
    with _in_memory(trainer, {}) as memory:
        trainer.save_checkpoint(_PLACE)
    module = trainer.lightning_module
    own = module.automatic_optimization  # otherwise gradients may be kept from epoch to epoch
    return {
        "lightning": {
            key: value for key, value in memory.items() if not key.endswith(_CONSTRUCTION)
        },
        "callback_metrics": dict(trainer.callback_metrics),
        "logged_metrics": dict(trainer.logged_metrics),
        "should_stop": trainer.should_stop,
        "loaders": {
            stage: [each.get_state() for each in _generators(trainer, stage)] for stage in _LOADERS
        },
        "gradients": {} if own else {n: p.grad for n, p in module.named_parameters()},
    }


def _set_back(trainer: Any, state: Mapping[str, Any]) -> None:
    """Make the start of the first epoch the start of the saved start."""
    with _in_memory(trainer, state["lightning"]):
        trainer._checkpoint_connector.restore(_PLACE)  # noqa: SLF001 - there is no public way inside of fit
    _go_on(trainer.fit_loop)
    trainer.callback_metrics.update(state["callback_metrics"])
    trainer.logged_metrics.update(state["logged_metrics"])
    trainer.should_stop = state["should_stop"]
    for stage in _LOADERS:
        for generator, kept in zip(
            _generators(trainer, stage), state["loaders"][stage], strict=True
        ):
            generator.set_state(kept)
    for sampler in _samplers(trainer, "train_dataloader"):
        if hasattr(sampler, "set_epoch"):
            sampler.set_epoch(trainer.current_epoch)
    parameters = dict(trainer.lightning_module.named_parameters())
    for name, gradient in state["gradients"].items():
        parameters[name].grad = None if gradient is None else gradient.to(parameters[name].device)


def _go_on(loop: Any) -> None:
    """Clear the marks of a restart: the training goes on as if it had never stopped."""
    loop.restarting = False
    loop.on_iteration_done()
    for nested in vars(loop).values():
        if hasattr(nested, "on_iteration_done"):
            _go_on(nested)


@contextmanager
def _in_memory(trainer: Any, content: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Let a trainer write its checkpoint to a dict, or read the checkpoint from there, instead of a file."""
    package = next(
        name for name in _PACKAGES if name in sys.modules and isinstance(trainer, _trainer(name))
    )
    base: Any = import_module(f"{package}.plugins.io").CheckpointIO

    class MemoryIO(base):  # type: ignore[misc] # loaded by name
        def save_checkpoint(self, checkpoint: dict[str, Any], *_: Any, **__: Any) -> None:
            content.update(checkpoint)

        def load_checkpoint(self, *_: Any, **__: Any) -> dict[str, Any]:
            return content

        def remove_checkpoint(self, path: Any) -> None:
            raise NotImplementedError(path)

    before = trainer.strategy.checkpoint_io
    trainer.strategy.checkpoint_io = MemoryIO()
    try:
        yield content
    finally:
        trainer.strategy.checkpoint_io = before


def _trainer(package: str) -> type:
    trainer_class: type = sys.modules[package].Trainer
    return trainer_class


_LOADERS = ("train_dataloader", "val_dataloaders")


def _loaders(trainer: Any, stage: str) -> list[Any]:
    """Return a trainer's loaders, kept in lists and dicts of any depth."""
    loaders, rest = [], [getattr(trainer, stage)]
    while rest:
        each = rest.pop(0)
        if isinstance(each, Mapping):
            rest.extend(each.values())
        elif isinstance(each, list | tuple):
            rest.extend(each)
        elif each is not None:
            loaders.append(each)
    return loaders


def _samplers(trainer: Any, stage: str) -> Iterator[Any]:
    for loader in _loaders(trainer, stage):
        for sampler in (getattr(loader, "sampler", None), getattr(loader, "batch_sampler", None)):
            yield from (sampler, getattr(sampler, "sampler", None))


def _generators(trainer: Any, stage: str) -> list[Any]:
    """Return the generators of loaders and samplers; a shared generator comes more than once."""
    owners = [*_loaders(trainer, stage), *_samplers(trainer, stage)]
    generators = [getattr(owner, "generator", None) for owner in owners]
    return [each for each in generators if each is not None]


def _require_exact(trainer: Any) -> None:
    """Refuse trainers that would end with different bits after a resume."""
    loaders = [each for stage in _LOADERS for each in _loaders(trainer, stage)]
    cases = (
        (
            trainer.world_size > 1,
            f"The trainer uses {trainer.world_size} processes.",
            "Train in one process, or see ps.distributed and TorchCheckpoint for several.",
        ),
        (
            bool(trainer.reload_dataloaders_every_n_epochs),
            "reload_dataloaders_every_n_epochs makes loaders whose state is not known.",
            "Leave it out: a sampler with set_epoch can change with the epochs.",
        ),
        (
            any(getattr(each, "persistent_workers", False) for each in loaders),
            "A loader keeps its workers from epoch to epoch (persistent_workers=True).",
            "Leave persistent_workers out: generators inside of workers cannot be stored.",
        ),
        (
            any(hasattr(each, "load_state_dict") for each in loaders),
            "A loader has a state of its own (load_state_dict).",
            "Use torch.utils.data.DataLoader: each epoch starts it anew.",
        ),
    )
    for refused, what, fix in cases:
        if refused:
            raise ParameterError(what=what, why="It could not be resumed exactly.", fix=fix)
