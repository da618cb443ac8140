"""Coverage and width of the 95 % interval of the difference of two models on the same rows.

Two normal classes, 1 or 2.5 standard deviations apart, n = 100 … 10,000, 5 … 50 % positive. The
challenger is the champion with a little noise (correlation of the scores 0.999), a model trained on
similar data (0.9), an independent model as good, a worse model, or the champion. The width is a
multiple of the narrowest interval with that coverage: 3.92 standard deviations of the difference
over the samples. Where fewer than two rows on average distinguish the two models, shares are left
out of the widths. A gate `lower(roc_auc - champion.roc_auc) >= -0.02` tests whether a challenger is
not worse.

`python benchmarks/differences.py [SAMPLES]`
"""

import sys
from statistics import median

import numpy as np
from figures import tell
from scipy.special import expit

from penstock.evaluation import Difference, Outcomes, measure
from penstock.evaluation._comparison import compare_outcomes

ROWS = (100, 300, 1_000, 10_000)
RATES = (0.05, 0.2, 0.5)
APART = (1.0, 2.5)
# The challenger's correlation with the champion, and the class distance as a share of the
# champion's.
MODELS = {
    "nearly the same": (0.999, 1.0),
    "alike": (0.9, 1.0),
    "independent": (0.0, 1.0),
    "worse": (0.9, 0.7),
    "the same": (1.0, 1.0),
}
LARGEST = 2_000_000
MARGIN = 0.02


def pair(
    generator: np.random.Generator, rows: int, rate: float, apart: float, model: str
) -> tuple[Outcomes, Outcomes]:
    """Draw rows with the scores of challenger and champion."""
    tie, sight = MODELS[model]
    truth = (generator.random(rows) < rate).astype(np.int64)
    noise = generator.normal(size=rows)
    own = tie * noise + np.sqrt(1 - tie**2) * generator.normal(size=rows)

    def side(noise: np.ndarray, apart: float) -> Outcomes:
        odds = np.log(rate / (1 - rate)) + apart * (noise + apart * truth) - apart**2 / 2
        chance = expit(odds)
        said = (chance >= 0.5).astype(np.int64)
        return Outcomes("binary", (0, 1), truth, said, chance, probability=True)

    return side(own, apart * sight), side(noise, apart)


class Sums:
    """Counts over the cells of a kind of challenger."""

    def __init__(self) -> None:
        self.held = self.seen = self.passed = self.asked = 0
        self.widths: dict[str, list[float]] = {"shares": [], "areas": [], "losses": []}

    def add(self, name: str, rows: int, truth: float, found: list[Difference]) -> str:
        """Add a cell of a metric to the counts, and return the cell's figures as text."""
        values = np.array([each.difference for each in found])
        low = np.array([each.low for each in found])
        high = np.array([each.high for each in found])
        right = (low <= truth) & (truth <= high)
        self.held, self.seen = self.held + int(right.sum()), self.seen + len(right)
        least = 2 * 1.96 * values.std()
        wide = float((high - low).mean() / least) if least > 0 else 1.0
        kind = kind_of(name)
        # Where two rows or fewer distinguish the models, they are the same in one sample of seven.
        if least > 0 and (kind != "shares" or (values != 0).mean() > 1 - np.exp(-2)):
            self.widths[kind].append(wide)
        if name == "roc_auc" and rows >= 1_000:
            self.passed, self.asked = (
                self.passed + int((low >= -MARGIN).sum()),
                self.asked + len(low),
            )
        return f"{name} {100 * right.mean():.1f} ({wide:.2f} wide)"

    def tell(self, model: str) -> None:
        """Print the figures."""
        what = f"differences, {model}: 95 % intervals that hold the truth, of {self.seen:,}"
        tell("D16", what, 100 * self.held / self.seen, "%")
        for kind, multiples in self.widths.items():
            if multiples:
                what = f"differences of {kind}, {model}: median width by the narrowest"
                tell("D16", what, median(multiples), "times")
        what = f"{model}: pass a gate of -{MARGIN} on the area's difference, n >= 1,000"
        tell("D16", what, 100 * self.passed / max(self.asked, 1), "%")


def compare_cell(sums: Sums, model: str, rate: float, apart: float, samples: int) -> None:
    """Draw pairs of a cell and count."""
    generator = np.random.default_rng(round(100 * rate + apart))
    truth = {}  # 0 for two models that are equally good
    if MODELS[model][1] < 1:
        whole = (
            measure(side, resamples=0).metrics
            for side in pair(generator, LARGEST, rate, apart, model)
        )
        first, second = whole
        truth = {
            name: first[name].value - second[name].value for name in first.keys() & second.keys()
        }
    for rows in ROWS:
        tries = samples if rows < 10_000 else max(samples // 4, 20)
        found: dict[str, list[Difference]] = {}
        for _ in range(tries):
            both = pair(generator, rows, rate, apart, model)
            for name, each in compare_outcomes(*both, resamples=100, seed=0).items():
                if not each.needs:
                    found.setdefault(name, []).append(each)
        line = []
        for name, each in found.items():
            if len(each) >= tries / 2:
                line.append(sums.add(name, rows, truth.get(name, 0.0), each))
        cell = f"{model}: {rate:.0%} positive, {apart} apart, n = {rows:,}"
        print(f"{cell}: {', '.join(line)}", flush=True)


def main() -> None:
    samples = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    for model in MODELS:
        sums = Sums()
        for rate in RATES:
            for apart in APART:
                compare_cell(sums, model, rate, apart, samples)
        sums.tell(model)


def kind_of(name: str) -> str:
    """Return whether a metric consists of counts, of ranks or of losses."""
    if name in {"roc_auc", "average_precision"}:
        return "areas"
    return "losses" if name in {"log_loss", "brier"} else "shares"


if __name__ == "__main__":
    main()
