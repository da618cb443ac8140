"""Generators seeded by keys: draws in a shard depend on the shard alone."""

import hashlib
import random
import sys
from typing import Any

_NUMPY_MASK = 0xFFFFFFFF


def key_seed(seed: int, purpose: str, *path: int) -> int:
    """Compute the seed of a generator from a path of keys.

    >>> key_seed(0, "shard", 3, 1) == key_seed(0, "shard", 3, 1)
    True
    >>> key_seed(0, "shard", 3, 1) == key_seed(0, "shard", 1, 3)
    False

    Args:
        seed: Seed of the step.
        purpose: Purpose of the draws.
        *path: Numbers of the place, such as step of training and shard.

    Returns:
        An integer from 0 to 2**63 - 1.
    """
    text = ":".join([purpose, str(seed), *map(str, path)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1


def seed_generators(torch: Any, seed: int, device: str) -> None:
    """Seed the global generators of random, numpy and torch.

    Args:
        torch: The package.
        seed: The seed.
        device: ``cuda`` to seed the devices' generators, too.
    """
    # Of torch only what is used: `torch.manual_seed` records a call for each absent device.
    torch.default_generator.manual_seed(seed)
    if device == "cuda":
        torch.cuda.manual_seed_all(seed)
    random.seed(seed)
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed(seed & _NUMPY_MASK)
