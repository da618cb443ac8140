"""F25: values that users really return: sparse matrices, large dicts, printed lines, long lists.

Each value is stored as a step's output, digest included, and compared with pickle of the same
value.
"""

import importlib
import io
import pickle
import sys
from typing import Any

from figures import median_s, quiet_store, tell

PIPELINES = """
import penstock as ps


@ps.step(cache=False)
def count(items: list) -> int:
    return len(items)


@ps.step(cache=False)
def talk(lines: int) -> int:
    for line in range(lines):
        print("line", line)
    return lines


@ps.pipeline
def long_list(items: list):
    return count(items)


@ps.pipeline
def talkative(lines: int):
    return talk(lines)
"""
_ENTRIES = 2_000_000


def main() -> None:
    with quiet_store() as folder:
        (folder / "bench_values.py").write_text(PIPELINES, encoding="utf-8")
        ps = importlib.import_module("penstock")
        stores = importlib.import_module("penstock.stores")
        execution = importlib.import_module("penstock.execution")
        module = importlib.import_module("bench_values")
        quiet = execution.QuietReporter()
        with stores.open_store(f"sqlite:///{folder}/values.db") as store:
            for name, value, goal in _values():
                seconds = median_s(lambda value=value: store.pack(value), 3)
                plain = median_s(lambda value=value: pickle.dumps(value, 5), 3)
                tell("F25", f"store {name}", seconds, "s", max(goal, 2 * plain))
                tell("F25", f"pickle {name}", plain, "s")
        items = list(range(_ENTRIES))
        seconds = median_s(lambda: ps.run(module.long_list, items=items, reporter=quiet), 1)
        tell("F25", "a run with a list of 2,000,000 as parameter", seconds, "s", 2.0)
        before, sys.stderr = sys.stderr, io.StringIO()
        try:
            seconds = median_s(lambda: ps.run(module.talkative, lines=1_000_000, reporter=quiet), 1)
        finally:
            sys.stderr = before
        tell("F25", "a step that prints 1,000,000 lines", seconds, "s", 2.0)


def _values() -> list[tuple[str, Any, float]]:
    """Return name, value and the goal in seconds, the more lenient of this and twice pickle's."""
    sparse, numpy = importlib.import_module("scipy.sparse"), importlib.import_module("numpy")
    rng = numpy.random.default_rng(0)
    places = rng.integers(0, 20_000, size=(2, _ENTRIES))
    matrix = sparse.coo_matrix((rng.random(_ENTRIES), tuple(places)), (20_000, 20_000)).tocsr()
    counts = {f"key {i}": i for i in range(300_000)}
    pairs = {i: (i, str(i)) for i in range(300_000)}
    return [
        ("a csr matrix of 2,000,000 entries", matrix, 2.0),
        ("a dict of 300,000 numbers by text", counts, 2.0),
        ("a dict of 300,000 tuples by number", pairs, 2.0),
    ]


if __name__ == "__main__":
    main()
