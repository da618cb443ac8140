"""F4 and F2: overhead of a step on a warm process, and maps of 10,000 items.

A chain of no-op steps on a warm process, the slope between 20 and 120 steps: the cost of isolation
per step. The same on Ray, beyond a bare call of Ray, if installed. A map over 10,000 items in this
process and on two.
"""

import importlib
from contextlib import suppress

from figures import median_s, quiet_store, tell, tell_multiple

PIPELINES = """
import penstock as ps


@ps.step(cache=False)
def add(x: int) -> int:
    return x + 1


@ps.step
def numbers(count: int) -> list[int]:
    return list(range(count))


@ps.step
def square(number: int) -> int:
    return number * number


@ps.step
def total(found: list[int]) -> int:
    return sum(found)


@ps.pipeline
def short():
    value = 0
    for _ in range(20):
        value = add(value)
    return value


@ps.pipeline
def long():
    value = 0
    for _ in range(120):
        value = add(value)
    return value


@ps.pipeline
def squares(count: int):
    return total(ps.map(square, numbers(count)))
"""
ITEMS = 10_000


def main() -> None:
    with quiet_store() as folder:
        (folder / "bench_side.py").write_text(PIPELINES, encoding="utf-8")
        execution = importlib.import_module("penstock.execution")
        module = importlib.import_module("bench_side")
        quiet = execution.QuietReporter()

        def run(pipeline, **options) -> None:
            result = execution.run(pipeline, reporter=quiet, **options)
            assert result.ok, result.error

        def timed(pipeline, times=5, **options) -> float:
            return median_s(lambda: run(pipeline, **options), times)

        one = {"runner": "processes", "workers": 1}
        slope = (timed(module.long, **one) - timed(module.short, **one)) / 100
        tell("F4", "a step on a warm process", slope * 1e3, "ms", 0.4)
        tell_multiple("F4", "a step on a warm process", slope)
        with suppress(ImportError):
            on_ray(lambda pipeline: timed(pipeline, runner="ray"), module)
        fresh = {"use_cache": False, "count": ITEMS}
        tell("F2", "a map of 10,000 items", timed(module.squares, 1, **fresh), "s", 3.0)
        run(module.squares, count=ITEMS)
        tell("F2", "the same, all known", timed(module.squares, 3, count=ITEMS), "s")
        two = {"runner": "processes", "workers": 2, **fresh}
        tell("F2", "a map of 10,000 items on two processes", timed(module.squares, 1, **two), "s")


def on_ray(timed, module) -> None:
    ray = importlib.import_module("ray")
    ray.init(
        address="local", num_cpus=2, include_dashboard=False, log_to_driver=False,
        configure_logging=False, _node_ip_address="127.0.0.1",
    )  # fmt: skip
    try:
        bare = ray.remote(lambda x: x + 1)
        ray.get(bare.remote(0))

        def calls() -> None:
            for number in range(100):
                ray.get(bare.remote(number))

        call = median_s(calls, 3) / 100
        timed(module.short)
        slope = (timed(module.long) - timed(module.short)) / 100
        tell("F4", "a bare call of Ray", call * 1e3, "ms")
        tell("F4", "a step on Ray, beyond a bare call", (slope - call) * 1e3, "ms", 5.0)
    finally:
        ray.shutdown()


if __name__ == "__main__":
    main()
