"""F1 and F2: the cost of a no-op step with everything recorded, cached, and in a fan-out.

The slope between chains of 20 and 220 steps excludes the cost of a run; F18 requires that the cost
per step stays the same at ten times the length.
"""

import importlib

from figures import median_s, quiet_store, tell, tell_multiple

PIPELINES = """
import penstock as ps


@ps.step(cache=False)
def add(x: int) -> int:
    return x + 1


@ps.step
def add_cached(x: int) -> int:
    return x + 1


@ps.step
def spread(x: int, i: int) -> int:
    return x + i


@ps.step
def total(parts: list[int]) -> int:
    return sum(parts)


def make_chain(step, length):
    def chain() -> int:
        value = 0
        for _ in range(length):
            value = step(value)
        return value

    return ps.pipeline(chain)


def make_fan(width):
    def fan() -> int:
        first = add_cached(0)
        return total([spread(first, i) for i in range(width)])

    return ps.pipeline(fan)
"""


def main() -> None:
    with quiet_store() as folder:
        (folder / "bench_steps.py").write_text(PIPELINES, encoding="utf-8")
        ps = importlib.import_module("penstock")
        execution = importlib.import_module("penstock.execution")
        module = importlib.import_module("bench_steps")
        quiet = execution.QuietReporter()

        def chain_s(step: object, length: int, *, use_cache: bool, repeats: int = 5) -> float:
            pipeline = module.make_chain(step, length)
            return median_s(lambda: ps.run(pipeline, use_cache=use_cache, reporter=quiet), repeats)

        chain_s(module.add, 20, use_cache=False, repeats=2)
        short, long = (chain_s(module.add, n, use_cache=False) for n in (20, 220))
        tell("F1", "per recorded step, 20 to 220 steps", (long - short) / 200 * 1e3, "ms", 0.2)
        tell_multiple("F1", "per recorded step", (long - short) / 200, 6.0)
        longer = chain_s(module.add, 2020, use_cache=False, repeats=2)
        tell(
            "F18", "per recorded step, 220 to 2,020 steps", (longer - long) / 1800 * 1e3, "ms", 1.05
        )
        longest = chain_s(module.add, 10_020, use_cache=False, repeats=1)
        slope = (longest - longer) / 8000
        tell("F18", "per recorded step, 2,020 to 10,020 steps", slope * 1e3, "ms", 1.05)
        for n in (20, 220):
            chain_s(module.add_cached, n, use_cache=True, repeats=1)
        short, long = (chain_s(module.add_cached, n, use_cache=True) for n in (20, 220))
        tell("F1", "per cached step, 20 to 220 steps", (long - short) / 200 * 1e3, "ms", 0.1)
        tell_multiple("F1", "per cached step", (long - short) / 200)
        fan = module.make_fan(100)
        seconds = median_s(lambda: ps.run(fan, use_cache=False, reporter=quiet), 5)
        tell("F2", "fan-out 1 -> 100 -> 1", seconds, "s", 0.03)
        tell_multiple("F2", "fan-out 1 -> 100 -> 1", seconds)
        wide = module.make_fan(10_000)
        seconds = median_s(lambda: ps.run(wide, use_cache=False, reporter=quiet), 1)
        tell("F2", "fan-out 1 -> 10,000 -> 1", seconds, "s", 3.0)
        tell_multiple("F2", "fan-out 1 -> 10,000 -> 1", seconds)


if __name__ == "__main__":
    main()
