"""How often a stated 95 % interval holds the truth: n = 40 … 10,000, rates 1 % … 50 %, separated classes.

Two normal classes, `apart` standard deviations from each other (4: separated), scored with their true
probability; the truth is measured on 2,000,000 rows. A sample in which an interval is refused ("no
interval: 4 rows of class …") is counted apart: of it nothing is stated. Fixed seed; read the counts
with their binomial error (95 % of 400: ± 2.1).

`python benchmarks/coverage.py [SAMPLES]`
"""

import sys

import numpy as np
from figures import tell
from scipy.special import expit

from penstock.evaluation import Outcomes, measure

ROWS = (40, 100, 300, 1_000, 10_000)
RATES = (0.01, 0.05, 0.2, 0.5)
APART = (1.0, 2.0, 4.0)
LARGEST = 2_000_000


def sample(generator: np.random.Generator, rows: int, rate: float, apart: float) -> Outcomes:
    """Draw rows with their true probabilities as scores."""
    truth = (generator.random(rows) < rate).astype(np.int64)
    odds = np.log(rate / (1 - rate)) - apart**2 / 2
    chance = expit(odds + apart * (generator.normal(size=rows) + apart * truth))
    said = (chance >= 0.5).astype(np.int64)
    return Outcomes("binary", (0, 1), truth, said, chance, probability=True)


def numbers(generator: np.random.Generator, rows: int) -> Outcomes:
    """Draw a target with normal errors."""
    truth = generator.normal(10, 1.5, rows)  # with values near 0 the mean of mape would be infinite
    return Outcomes("regression", (), truth, truth + generator.normal(0.2, 1, rows))


def count(make: object, truth: dict[str, float], samples: int) -> dict[str, tuple[int, int]]:
    """Per metric: in how many samples the interval held the truth, of those that had one."""
    held: dict[str, tuple[int, int]] = {}
    for _ in range(samples):
        for name, found in measure(make(), resamples=300).metrics.items():
            if not found.needs:
                hits, seen = held.get(name, (0, 0))
                held[name] = (hits + (found.low <= truth[name] <= found.high), seen + 1)
    return held


def main() -> None:
    samples = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    total: dict[str, list[int]] = {}
    for rate in RATES:
        for apart in APART:
            generator = np.random.default_rng(round(1000 * rate + apart))
            whole = measure(sample(generator, LARGEST, rate, apart), resamples=0).metrics
            truth = {name: estimate.value for name, estimate in whole.items()}
            for rows in ROWS:
                tries = samples if rows < 10_000 else max(samples // 4, 20)
                held = count(
                    lambda g=generator, n=rows, r=rate, a=apart: sample(g, n, r, a), truth, tries
                )
                line = []
                for name, (hits, seen) in held.items():
                    if seen < tries / 2:
                        continue  # mostly refused: what is left is a choice of samples
                    line.append(f"{name} {100 * hits / seen:.0f}")
                    sums = total.setdefault(name, [0, 0])
                    sums[0], sums[1] = sums[0] + hits, sums[1] + seen
                print(f"{rate:.0%} positive, {apart:.0f} apart, n = {rows:,}: {', '.join(line)}")
    generator = np.random.default_rng(7)
    whole = measure(numbers(generator, LARGEST), resamples=0).metrics
    truth = {name: estimate.value for name, estimate in whole.items()}
    for rows in (40, 300):
        held = count(lambda g=generator, n=rows: numbers(g, n), truth, samples)
        for name, (hits, seen) in held.items():
            sums = total.setdefault(name, [0, 0])
            sums[0], sums[1] = sums[0] + hits, sums[1] + seen
    for name, (hits, seen) in total.items():
        what = f"{name}: 95 % intervals that hold the truth, of {seen:,}"
        tell("D16", what, 100 * hits / seen, "%")


if __name__ == "__main__":
    main()
