"""Guard of a step with logical shards: float reductions whose order the library chooses are refused."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from penstock.core import ParameterError
from penstock.distributed._world import import_torch

_REDUCTIONS = ("all_reduce", "reduce", "reduce_scatter", "reduce_scatter_tensor")


@contextmanager
def only_fixed_order() -> Iterator[None]:
    """Refuse float reductions of torch, and torch's parallel module, inside a with-block."""
    torch = import_torch()
    distributed, parallel = torch.distributed, torch.nn.parallel.DistributedDataParallel
    kept = {name: getattr(distributed, name) for name in _REDUCTIONS}
    start = parallel.__init__

    def refuse(*_arguments: Any, **_options: Any) -> None:
        raise _refusal("torch.nn.parallel.DistributedDataParallel")

    for name, function in kept.items():
        setattr(distributed, name, _guarded(torch, name, function))
    parallel.__init__ = refuse
    try:
        yield
    finally:
        parallel.__init__ = start
        for name, function in kept.items():
            setattr(distributed, name, function)


def _guarded(torch: Any, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any, **options: Any) -> Any:
        for each in [*arguments, *options.values()]:
            items = each if isinstance(each, list) else [each]
            if any(isinstance(item, torch.Tensor) and _is_inexact(item) for item in items):
                raise _refusal(f"torch.distributed.{name} of floats")
        return function(*arguments, **options)

    return call


def _is_inexact(tensor: Any) -> bool:
    return bool(tensor.is_floating_point() or tensor.is_complex())


def _refusal(name: str) -> ParameterError:
    return ParameterError(
        what=f"{name} was called in a step that declares shards.",
        why="The order of its sum depends on the number of workers, and so would the result.",
        fix="Use ps.distributed.DataParallel, gather the values and add them in one order, or remove"
        " shards from @ps.step.",
    )
