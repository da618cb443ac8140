"""Modules that can be trained on logical shards: known buffers, and no state outside of buffers."""

from collections.abc import Iterator
from typing import Any

from penstock.core import ParameterError

_PLAIN = (type(None), bool, int, float, complex, str, bytes)
_OWN = {"_parameters", "_buffers", "_modules", "training"}
_DEPTH, _ITEMS = 3, 100
_PLAIN_FIX = "Use a stateless layer instead, or plain DDP: DataParallel(…, invariant=False)."


def require_known(torch: Any, module: Any, optimizer: Any) -> None:
    """Refuse modules and optimizers whose result depends on the number of workers.

    Raises:
        ParameterError: With the name of the module or optimizer at fault.
    """
    nn = torch.nn
    wrapped = (nn.parallel.DistributedDataParallel, nn.DataParallel)
    for name, each in module.named_modules():
        kind = type(each).__name__
        if isinstance(each, nn.SyncBatchNorm):
            _refuse(
                name, kind, "computes statistics over the workers",
                "Use BatchNorm: its statistics are then those of logical shards.",
            )  # fmt: skip
        if isinstance(each, wrapped) or kind == "FullyShardedDataParallel":
            _refuse(name, kind, "is parallel itself", "Pass the module inside of it.")
        if isinstance(each, nn.Embedding | nn.EmbeddingBag) and each.sparse:
            _refuse(name, kind, "has sparse gradients", "Create it with sparse=False.")
        for attribute, value in vars(each).items():
            if isinstance(value, torch.Generator):
                _refuse(
                    name, kind, f"draws from a generator of its own ({attribute})",
                    "Draw from torch's global generator, which is seeded for each shard.",
                )  # fmt: skip
    lazy = [name for name, each in module.named_parameters() if _is_lazy(torch, each)]
    if lazy:
        raise ParameterError(
            what=f"Parameter {lazy[0]!r} has no shape yet.",
            why="Each worker would initialize it by itself.",
            fix="Call the module once on a few rows before.",
        )
    if isinstance(optimizer, torch.optim.LBFGS):
        raise ParameterError(
            what="LBFGS evaluates the loss several times in a step.",
            why="The shards of such a step are not those of one batch.",
            fix="Use an optimizer with one evaluation for each step, such as Adam or SGD.",
        )


def require_one_device(module: Any) -> str:
    """Return the type of the module's device.

    Raises:
        ParameterError: If parameters or buffers are on several types of devices, or on neither the
            CPU nor CUDA.
    """
    places: dict[str, str] = {}
    for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
        places.setdefault(tensor.device.type, name)
    if not places:
        raise ParameterError(
            what=f"{type(module).__name__} has no parameters.", fix="Pass the module to train."
        )
    if len(places) > 1 or not places.keys() <= {"cpu", "cuda"}:
        listed = ", ".join(f"{name} on {device}" for device, name in places.items())
        raise ParameterError(
            what=f"The module's tensors are on several kinds of device: {listed}.",
            why="Processors and cards round differently, so a sum over both has no fixed result.",
            fix="Move the whole module: module.to('cpu') or module.to('cuda').",
        )
    return next(iter(places))


class BufferRules:
    """The module's buffers: those that move with the batch by a known rule, and all remaining buffers.

    Args:
        torch: The package.
        module: The module.
    """

    def __init__(self, torch: Any, module: Any) -> None:
        self._torch, self._module = torch, module
        self.averaged: list[Any] = []
        """Float buffers that are averaged over the shards, weighted by rows."""
        self.counted: list[Any] = []
        """Integer buffers that count the steps of training."""
        for _, each in module.named_modules():
            if _moves(torch, each):
                buffers = each.running_mean, each.running_var
                self.averaged += [buffer for buffer in buffers if buffer is not None]
                if isinstance(each, torch.nn.modules.batchnorm._BatchNorm):  # noqa: SLF001 - the base of all
                    self.counted.append(each.num_batches_tracked)
        self._before = [buffer.clone() for buffer in [*self.averaged, *self.counted]]
        self._marks = dict(self._states())

    def restore(self) -> None:
        """Set the moving buffers to their values at the start of the step."""
        for buffer, value in zip([*self.averaged, *self.counted], self._before, strict=True):
            buffer.copy_(value)

    def finish(self, averages: list[Any]) -> None:
        """Set the moving buffers to their values after the step.

        Args:
            averages: Of the averaged buffers.
        """
        for buffer, value in zip(self.averaged, averages, strict=True):
            buffer.copy_(value)
        for buffer, value in zip(self.counted, self._before[len(self.averaged) :], strict=True):
            buffer.copy_(value + 1)

    def require_unchanged(self) -> None:
        """Refuse state that moved and is not known: such state would depend on the number of workers.

        Raises:
            ParameterError: With the names of the module and of the buffer or attribute.
        """
        after = dict(self._states())
        for place in sorted(self._marks.keys() | after.keys()):
            if self._marks.get(place) != after.get(place):
                name, attribute = place
                kind = type(self._module.get_submodule(name)).__name__
                _refuse(
                    name, kind, f"changes its state {attribute!r} while it computes", _PLAIN_FIX,
                    "How it would combine over shards is not known.",
                )  # fmt: skip

    def _states(self) -> Iterator[tuple[tuple[str, str], Any]]:
        moving = {id(buffer) for buffer in [*self.averaged, *self.counted]}
        for name, each in self._module.named_modules():
            for attribute, buffer in each._buffers.items():  # noqa: SLF001 - with names, without parents
                if buffer is not None and id(buffer) not in moving:
                    yield (name, attribute), self._mark(buffer, _DEPTH)
            for attribute, value in vars(each).items():
                if attribute not in _OWN and not attribute.endswith("_hooks"):
                    yield (name, attribute), self._mark(value, _DEPTH)

    def _mark(self, value: Any, depth: int) -> Any:
        """Return a value that changes whenever a plain value, container or tensor changes."""
        if isinstance(value, _PLAIN):
            return value if value == value else "nan"  # noqa: PLR0124 - of equal NaNs none changed
        if isinstance(value, self._torch.Tensor):
            return id(value), value._version  # noqa: SLF001 - counts changes in place
        if depth and isinstance(value, list | tuple | set | frozenset | dict):
            items = value.items() if isinstance(value, dict) else value
            marks = [self._mark(item, depth - 1) for item in list(items)[:_ITEMS]]
            return id(value), len(value), marks
        return id(value)


def _moves(torch: Any, module: Any) -> bool:
    """Return whether a module is known to move buffers with each batch now."""
    known = isinstance(module, torch.nn.modules.batchnorm._NormBase)  # noqa: SLF001 - the base of all
    return known and module.training and module.track_running_stats


def _is_lazy(torch: Any, parameter: Any) -> bool:
    return isinstance(parameter, torch.nn.parameter.UninitializedParameter)


def _refuse(name: str, kind: str, fault: str, fix: str, why: str = "") -> None:
    raise ParameterError(
        what=f"Module {name or '(the whole)'!r} ({kind}) {fault}.",
        why=why or "The result would depend on the number of workers.",
        fix=fix,
        module=name,
        kind=kind,
    )
