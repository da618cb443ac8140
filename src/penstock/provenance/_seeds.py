"""Seeds derived per step by numpy's SeedSequence algorithm, without importing numpy.

Adding a step must not shift the seeds of existing steps, so each is a function of the run seed and
the step's name alone. The algorithm is O'Neill's seed_seq replacement as numpy ships it; the test
suite compares the result with numpy bit for bit. Words are unsigned 32-bit integers.
"""

import hashlib
from functools import lru_cache

_MASK = 0xFFFFFFFF
_POOL = 4
_INIT_A, _MULT_A = 0x43B0D7E5, 0x931E8875
_INIT_B, _MULT_B = 0x8B51F9DD, 0x58F38DED
_MIX_LEFT, _MIX_RIGHT = 0xCA01F9DD, 0x4973F715


@lru_cache(maxsize=4096)
def derive_seed(run_seed: int, step: str, index: int | None = None) -> int:
    """Compute the seed of a step, or of an item of a mapped step.

    >>> derive_seed(0, "train") == derive_seed(0, "train")
    True
    >>> derive_seed(0, "train") == derive_seed(0, "evaluate")
    False

    Args:
        run_seed: The run's seed, 0 or more.
        step: Name of the step in the pipeline.
        index: Place in a mapped step, from 0; None for an ordinary step.

    Returns:
        An integer from 0 to 2**31 - 1: the range that every library's seed accepts.
    """
    name = int.from_bytes(hashlib.sha256(step.encode()).digest()[:16], "little")
    spawn_key = (name,) if index is None else (name, index)
    return _first_word(run_seed, spawn_key) >> 1


def _first_word(entropy: int, spawn_key: tuple[int, ...]) -> int:
    """Return ``SeedSequence(entropy, spawn_key=spawn_key).generate_state(1)[0]``."""
    words = _words(entropy)
    words += [0] * (_POOL - len(words))  # numpy pads so that spawn keys cannot pass for entropy
    for key in spawn_key:
        words += _words(key)
    value = _mixed_pool(words)[0] ^ _INIT_B
    value = value * (_INIT_B * _MULT_B & _MASK) & _MASK
    return value ^ value >> 16


def _words(number: int) -> list[int]:
    words = [number & _MASK]
    while number := number >> 32:
        words.append(number & _MASK)
    return words


def _mixed_pool(words: list[int]) -> list[int]:
    constant = _INIT_A

    def scramble(value: int) -> int:
        nonlocal constant
        value ^= constant
        constant = constant * _MULT_A & _MASK
        value = value * constant & _MASK
        return value ^ value >> 16

    pool = [scramble(word) for word in words[:_POOL]]
    for source in range(_POOL):
        for target in range(_POOL):
            if source != target:
                pool[target] = _mix(pool[target], scramble(pool[source]))
    for word in words[_POOL:]:
        for target in range(_POOL):
            pool[target] = _mix(pool[target], scramble(word))
    return pool


def _mix(left: int, right: int) -> int:
    value = (_MIX_LEFT * left - _MIX_RIGHT * right) & _MASK
    return value ^ value >> 16
