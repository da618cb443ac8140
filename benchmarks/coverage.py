"""Coverage of stated 95 % intervals: n = 40 … 10,000, rates 1 % … 50 %, separated classes.

Two normal classes, `apart` standard deviations from each other (4: separated), scored with their
true probability; then, on fewer cells, scores that are overconfident, tied (eight leaves), or of
labels that are wrong in one row of ten; three classes; numbers with normal and with heavy-tailed
errors. The true value is measured on 2,000,000 rows. A sample in which an interval is refused ("no
interval: 4 rows of class …") is counted separately: nothing is stated about such a sample, and a
cell in which most intervals are refused is left out: the remaining samples are a biased choice.
Fixed seed; a cell is outside of 93 … 97 if by more than two binomial errors (95 % of 400: ± 2.2).

`python benchmarks/coverage.py [SAMPLES]`
"""

import sys
from collections.abc import Callable, Iterator
from math import sqrt

import numpy as np
from figures import tell
from scipy.special import expit

from penstock.evaluation import Outcomes, measure

ROWS = (40, 100, 300, 1_000, 10_000)
RATES = (0.01, 0.05, 0.2, 0.5)
APART = (1.0, 2.0, 4.0)
OTHERS = ("overconfident", "leaves", "wrong labels")
LARGEST = 2_000_000
Make = Callable[[np.random.Generator, int], Outcomes]


def binary(rate: float, apart: float, kind: str = "true") -> Make:
    """Return a function that draws rows of two classes with scores of a kind."""

    def make(generator: np.random.Generator, rows: int) -> Outcomes:
        truth = (generator.random(rows) < rate).astype(np.int64)
        wrong = generator.random(rows) < (0.1 if kind == "wrong labels" else 0.0)
        seen = generator.normal(size=rows) + apart * (truth ^ wrong)
        if kind == "leaves":
            seen = np.clip(np.round(2 * seen) / 2, apart / 2 - 1.75, apart / 2 + 1.75)
        odds = np.log(rate / (1 - rate)) - apart**2 / 2 + apart * seen
        chance = expit(2 * odds + 0.5 if kind == "overconfident" else odds)
        said = (chance >= 0.5).astype(np.int64)
        return Outcomes("binary", (0, 1), truth, said, chance, probability=True)

    return make


def classes(apart: float) -> Make:
    """Return a function that draws three classes (60, 30, 10 %), with true probabilities."""
    shares = np.array([0.6, 0.3, 0.1])

    def make(generator: np.random.Generator, rows: int) -> Outcomes:
        truth = generator.choice(3, size=rows, p=shares).astype(np.int64)
        odds = apart * (generator.normal(size=(rows, 3)) + apart * np.eye(3)[truth])
        chance = np.exp(odds + np.log(shares))
        chance /= chance.sum(axis=1, keepdims=True)
        return Outcomes("multiclass", (0, 1, 2), truth, chance.argmax(axis=1), chance, True)

    return make


def numbers(errors: str) -> Make:
    """Return a function that draws a target and a model's predictions."""

    def make(generator: np.random.Generator, rows: int) -> Outcomes:
        truth = generator.normal(10, 1.5, rows)  # near 0 the mean of mape would be infinite
        off = generator.normal(0.2, 1, rows)
        if errors == "heavy-tailed":
            off = off * np.sqrt(5 / generator.chisquare(5, rows))
        return Outcomes("regression", (), truth, truth + off)

    return make


def cells() -> Iterator[tuple[str, Make, tuple[int, ...]]]:
    """Yield the cells: name, function to draw samples, and numbers of rows."""
    for rate in RATES:
        for apart in APART:
            yield f"{rate:.0%} positive, {apart:.0f} apart", binary(rate, apart), ROWS
    for kind in OTHERS:
        for rate in (0.05, 0.5):
            for apart in (1.0, 4.0):
                name = f"{kind}, {rate:.0%} positive, {apart:.0f} apart"
                yield name, binary(rate, apart, kind), (100, 1_000)
    for apart in (1.0, 2.0, 4.0):
        yield f"three classes, {apart:.0f} apart", classes(apart), (100, 1_000)
    for errors in ("normal", "heavy-tailed"):
        yield f"numbers, {errors} errors", numbers(errors), (40, 300)


def count(
    make: Make, generator: np.random.Generator, rows: int, truth: dict[str, float], samples: int
) -> dict[str, tuple[int, int]]:
    """Count per metric the samples whose interval covers the true value, and those with any."""
    held: dict[str, tuple[int, int]] = {}
    for _ in range(samples):
        for name, found in measure(make(generator, rows), resamples=300).metrics.items():
            if not found.needs:
                hits, seen = held.get(name, (0, 0))
                held[name] = (hits + (found.low <= truth[name] <= found.high), seen + 1)
    return held


def main() -> None:
    samples = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    total: dict[str, list[int]] = {}
    for number, (name, make, sizes) in enumerate(cells()):
        generator = np.random.default_rng(number)
        whole = measure(make(generator, LARGEST), resamples=0).metrics
        truth = {metric: estimate.value for metric, estimate in whole.items()}
        for rows in sizes:
            tries = samples if rows < 10_000 else max(samples // 4, 20)
            line = []
            for metric, (hits, seen) in count(make, generator, rows, truth, tries).items():
                if seen < tries / 2:
                    continue
                share, error = hits / seen, 2 * sqrt(0.95 * 0.05 / seen)
                low, high = share < 0.93 - error, share > 0.97 + error
                mark = " (LOW)" if low else " (high)" if high else ""
                line.append(f"{metric} {100 * share:.1f}{mark}")
                sums = total.setdefault(metric, [0, 0, 0, 0, 0])
                for place, more in enumerate((hits, seen, 1, low, high)):
                    sums[place] += more
            print(f"{name}, n = {rows:,}: {', '.join(line)}", flush=True)
    for metric, (hits, seen, count_, low, high) in total.items():
        what = f"{metric}: 95 % intervals that hold the truth, of {seen:,}"
        tell("D16", f"{what} ({low} of {count_} cells below 93, {high} above 97)", 100 * hits / seen, "%")  # fmt: skip


if __name__ == "__main__":
    main()
