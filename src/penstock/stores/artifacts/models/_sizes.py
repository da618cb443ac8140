"""How large a network becomes by its settings, told without taking the memory.

Settings come with a file: a width of 10**9 in ``config.json`` must be refused before the library makes weights of that
size, and a number of layers before it makes that many modules.
"""

import importlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

# Caches that a network fills itself, such as masks of positions, are in no file.
_MAX_COMPUTED = 2**27
# Modules without weights, such as dropouts, stand between those that a file has weights of.
_MODULES_PER_TENSOR, _MAX_FURTHER_MODULES = 20, 1_000


def _parameters(network: Any) -> Iterable[Any]:
    parameters: Iterable[Any] = network.parameters()
    return parameters


def require_sizes(
    make: Callable[[], Any],
    stored: Mapping[str, int],
    weights: Callable[[Any], Iterable[Any]] = _parameters,
) -> None:
    """Refuse a network that would be larger than what is stored.

    Args:
        make: Makes the network from its settings; called where tensors have a shape and no memory.
        stored: The number of values of each stored tensor, by its name.
        weights: Finds the tensors of a network that a file has.

    Raises:
        ValueError: It would have more weights, more computed values or many more modules.
    """
    torch = importlib.import_module("torch")
    most = _MODULES_PER_TENSOR * len(stored) + _MAX_FURTHER_MODULES
    with _at_most_modules(most), torch.device("meta"):
        network = make()
    _require_at_most(sum(stored.values()), weights(network), "weights")
    _require_at_most(sum(stored.values()) + _MAX_COMPUTED, network.buffers(), "computed values")


def _require_at_most(limit: int, tensors: Iterable[Any], name: str) -> None:
    count = sum(each.numel() for each in tensors)
    if count > limit:
        raise ValueError(f"its settings ask for {count:,} {name}, its files allow {limit:,}")


@contextmanager
def _at_most_modules(limit: int) -> Iterator[None]:
    """Stop the making of a network by this thread at a number of modules."""
    thread, count = threading.get_ident(), 0

    def count_module(*_: Any) -> None:
        nonlocal count
        if threading.get_ident() == thread:  # others may make theirs at the same time
            count += 1
            if count > limit:
                raise ValueError(f"its settings ask for more than {limit:,} modules")

    module = importlib.import_module("torch.nn.modules.module")
    handle = module.register_module_module_registration_hook(count_module)
    try:
        yield
    finally:
        handle.remove()
