"""Hash seeds to execute a step under, chosen so that small sets change their order.

A set of two strings has two orders, so a hash seed drawn at random misses half of such sets. The
strings of a project are known, and so is CPython's hash function: the search finds seeds under
which every pair of these strings occurs once in each order. Sets of unknown strings are found by
the number of seeds alone.

Notation: k0, k1 key of the hash function; v0 … v3 the state (Aumasson and Bernstein 2012, SipHash;
a single compression and three finalisation rounds, as in CPython since 3.11).
"""

import ast
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations, islice

_PREFERRED = tuple(range(1, 65))
_MOST_STRINGS = 24
_LONGEST = 40
_SLOTS = 7  # the smallest table of a set has eight places
_MASK = (1 << 64) - 1
_SET_METHODS = {"intersection", "union", "difference", "symmetric_difference", "keys", "items"}
_SET_NAMES = {"set", "frozenset", "Set", "FrozenSet", "AbstractSet", "MutableSet", "hash", "eval",
              "exec", "id", "WeakSet", "__import__"}  # fmt: skip


def choose_seeds(
    strings: Sequence[Sequence[str]], used: Sequence[int] = (), *, recorded: str | None, count: int
) -> list[int]:
    """Choose hash seeds under which pairs of strings occur in both orders.

    >>> seeds = choose_seeds([["no", "yes"]], recorded="0", count=2)
    >>> len({first_of_two("no", "yes", seed) for seed in seeds})
    2

    Args:
        strings: Groups of strings that can be in the same set, the likeliest first.
        used: Seeds that are chosen already.
        recorded: Seed of the recorded run, which is not chosen again. None for a random seed.
        count: Number of seeds to choose.
    """
    free = [seed for seed in _PREFERRED if str(seed) != recorded and seed not in used]
    open_pairs = dict.fromkeys(_pairs(strings), 3)  # a bit for each order that was not seen
    if sys.hash_info.algorithm != "siphash13":  # a different interpreter: rely on chance
        return free[:count]
    orders = {seed: _orders(open_pairs, seed) for seed in [*used, *free]}
    for seed in used:
        _strike(open_pairs, orders[seed])
    chosen: list[int] = []
    while len(chosen) < count:
        best = max(free, key=lambda seed: (_news(open_pairs, orders[seed]), -seed))
        free.remove(best)
        chosen.append(best)
        _strike(open_pairs, orders[best])
    return chosen


def first_of_two(one: str, two: str, seed: int) -> str | None:
    """Return which of two strings comes first in a set of both; None if insertion decides."""
    order = _order(hash_of(one, seed), hash_of(two, seed))
    return None if not order else one if order == 1 else two


def hash_of(text: str, seed: int) -> int:
    """Return the unsigned ``hash(text)`` of a process whose PYTHONHASHSEED is `seed`."""
    return _sip_hash(_bytes_of(text), *_key_of(seed))


def places_of_sets(sources: Mapping[str, bytes]) -> dict[str, list[str]]:
    r"""Return the definitions that can put values into the order of a hash table, by file.

    >>> places_of_sets({"a.py": b"def f(x):\n    return x in {'a', 'b'}"})
    {}
    >>> places_of_sets({"a.py": b"def f():\n    return list({'a', 'b'})"})
    {'a.py': ['f']}

    Returns:
        By path, names of top-level definitions; empty where the whole file counts: the file cannot
        be read, or the code is outside definitions.
    """
    places: dict[str, list[str]] = {}
    for path, data in sources.items():
        try:
            body = ast.parse(data).body
        except (SyntaxError, ValueError):
            places[path] = []
            continue
        using = [node for node in body if _uses_sets(node)]
        if using:
            names = [name for node in using for name in _defined(node)]
            places[path] = names if all(map(_defined, using)) else []
    return places


def _uses_sets(tree: ast.stmt) -> bool:
    harmless = {
        id(side)
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare)
        and all(isinstance(operator, ast.In | ast.NotIn) for operator in node.ops)
        for side in node.comparators
        if isinstance(side, ast.Set)
    }
    return any(id(node) not in harmless and _is_set_like(node) for node in ast.walk(tree))


def _defined(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    return []


def strings_of(sources: Mapping[str, bytes]) -> list[list[str]]:
    """Return the short strings of Python files, grouped by literal, sets first."""
    literals: list[tuple[int, list[str]]] = []
    for path, data in sources.items():
        if not path.endswith(".py"):
            continue
        try:
            tree = ast.parse(data)
        except (SyntaxError, ValueError):
            continue
        literals += [literal for node in ast.walk(tree) if (literal := _literal(node))[1]]
    return [group for _, group in sorted(literals, key=lambda pair: pair[0])]


def _literal(node: ast.AST) -> tuple[int, list[str]]:
    """Return the strings of a container's literal, with the rank of the kind: sets first."""
    kinds = ((ast.Set, 0), (ast.List, 1), (ast.Tuple, 1), (ast.Dict, 2))
    rank = next((rank for kind, rank in kinds if isinstance(node, kind)), None)
    if rank is None:
        return 9, []
    items = node.keys if isinstance(node, ast.Dict) else getattr(node, "elts", [])
    return rank, [
        item.value
        for item in items
        if isinstance(item, ast.Constant)
        and isinstance(item.value, str)
        and 0 < len(item.value) <= _LONGEST
    ]


def _is_set_like(node: ast.AST) -> bool:
    match node:
        case ast.Set() | ast.SetComp():
            return True
        case ast.Name(id=name):
            return name in _SET_NAMES
        case ast.Attribute(attr=name):
            return name in _SET_METHODS - {"keys", "items"}
        case ast.BinOp(op=ast.BitAnd() | ast.BitOr() | ast.BitXor() | ast.Sub()):
            return any(
                isinstance(call, ast.Call)
                and isinstance(call.func, ast.Attribute)
                and call.func.attr in _SET_METHODS
                for call in (node.left, node.right)
            )
    return False


def _pairs(groups: Sequence[Sequence[str]]) -> Iterator[tuple[str, str]]:
    """Iterate over pairs within the groups, then pairs of the first strings of all groups."""
    for group in islice(groups, _MOST_STRINGS):
        yield from combinations(dict.fromkeys(group[:_MOST_STRINGS]), 2)
    every = dict.fromkeys(text for group in groups for text in group)
    yield from combinations(islice(every, _MOST_STRINGS), 2)


def _orders(pairs: Iterable[tuple[str, str]], seed: int) -> list[int]:
    key = _key_of(seed)
    hashes: dict[str, int] = {}
    for text in {text for pair in pairs for text in pair}:
        hashes[text] = _sip_hash(_bytes_of(text), *key)
    return [_order(hashes[one], hashes[two]) for one, two in pairs]


def _order(one: int, two: int) -> int:
    """Return 1 if the first is before the second, 2 if behind, 0 if insertion decides."""
    left, right = one & _SLOTS, two & _SLOTS
    return 0 if left == right else 1 if left < right else 2


def _news(open_pairs: Mapping[tuple[str, str], int], orders: Sequence[int]) -> int:
    return sum(bool(left & order) for left, order in zip(open_pairs.values(), orders, strict=True))


def _strike(open_pairs: dict[tuple[str, str], int], orders: Sequence[int]) -> None:
    for pair, order in zip(open_pairs, orders, strict=True):
        open_pairs[pair] &= ~order


def _key_of(seed: int) -> tuple[int, int]:
    """Return the key that CPython derives from PYTHONHASHSEED (in bootstrap_hash.c)."""
    if not seed:
        return 0, 0
    data, state = bytearray(), seed
    for _ in range(16):
        state = (state * 214013 + 2531011) & 0xFFFFFFFF
        data.append(state >> 16 & 0xFF)
    return int.from_bytes(data[:8], sys.byteorder), int.from_bytes(data[8:], sys.byteorder)


def _bytes_of(text: str) -> bytes:
    """Return a string's characters in the form of CPython: 1, 2 or 4 bytes each."""
    widest = max(map(ord, text), default=0)
    if widest < 1 << 8:
        return text.encode("latin-1")
    kind = "utf-16" if widest < 1 << 16 else "utf-32"
    return text.encode(f"{kind}-{'le' if sys.byteorder == 'little' else 'be'}", "surrogatepass")


def _sip_hash(data: bytes, k0: int, k1: int) -> int:
    if not data:
        return 0
    state = (
        k0 ^ 0x736F6D6570736575,
        k1 ^ 0x646F72616E646F6D,
        k0 ^ 0x6C7967656E657261,
        k1 ^ 0x7465646279746573,
    )
    whole = len(data) & ~7
    for place in range(0, whole, 8):
        state = _absorb(state, int.from_bytes(data[place : place + 8], "little"))
    state = _absorb(state, (len(data) << 56 | int.from_bytes(data[whole:], "little")) & _MASK)
    v0, v1, v2, v3 = state
    state = (v0, v1, v2 ^ 0xFF, v3)
    for _ in range(3):
        state = _round(*state)
    mixed = state[0] ^ state[1] ^ state[2] ^ state[3]
    return _MASK - 1 if mixed == _MASK else mixed  # -1 means an error in C, so CPython uses -2


def _absorb(state: tuple[int, int, int, int], word: int) -> tuple[int, int, int, int]:
    v0, v1, v2, v3 = state
    v0, v1, v2, v3 = _round(v0, v1, v2, v3 ^ word)
    return v0 ^ word, v1, v2, v3


def _round(v0: int, v1: int, v2: int, v3: int) -> tuple[int, int, int, int]:
    v0 = (v0 + v1) & _MASK
    v2 = (v2 + v3) & _MASK
    v1 = (v1 << 13 | v1 >> 51) & _MASK ^ v0
    v3 = (v3 << 16 | v3 >> 48) & _MASK ^ v2
    v0 = (v0 << 32 | v0 >> 32) & _MASK
    v2 = (v2 + v1) & _MASK
    v0 = (v0 + v3) & _MASK
    v1 = (v1 << 17 | v1 >> 47) & _MASK ^ v2
    v3 = (v3 << 21 | v3 >> 43) & _MASK ^ v0
    v2 = (v2 << 32 | v2 >> 32) & _MASK
    return v0, v1, v2, v3
