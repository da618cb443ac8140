"""Monitoring goals M-a to M-g: how often clean windows alarm, and how often a real change is found.

usage: python benchmarks/false_alarms.py [--windows 1000] [--cells M-a,M-d]

50 features unless it is said; fixed seeds; each reference serves ten windows. A count is told with
its upper 95 % bound (Clopper and Pearson). "Cannot tell" counts as no alarm.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from figures import tell
from scipy.signal import lfilter
from scipy.stats import beta

from penstock.data import profile_table
from penstock.monitoring import Limits, compare_table, judge_columns

LIMITS = Limits()
SHIFT = 0.2  # standard deviations, in 5 of the 50 features
FEATURES, MOVED = 50, 5
PER_REFERENCE = 10
SEASON = 1_000  # rows of a period
Make = Callable[[np.random.Generator, int], pl.DataFrame]


def mixed(generator: np.random.Generator, rows: int, shift: float = 0.0) -> pl.DataFrame:
    """Draw normal, lognormal, t with 3 degrees, zero-inflated and 1,000 categories, ten of each."""
    columns: dict[str, object] = {}
    for place in range(FEATURES // 5):
        moved = shift if place < MOVED else 0.0
        columns[f"normal{place}"] = generator.normal(size=rows) + moved
        columns[f"lognormal{place}"] = generator.lognormal(size=rows)
        columns[f"heavy{place}"] = generator.standard_t(3, size=rows)
        zero = generator.random(rows) < 0.7
        columns[f"zero{place}"] = np.where(zero, 0.0, generator.exponential(size=rows))
        columns[f"level{place}"] = [f"k{value}" for value in generator.integers(0, 1000, rows)]
    return pl.DataFrame(columns)


def frame(values: np.ndarray) -> pl.DataFrame:
    return pl.DataFrame({f"x{place}": row for place, row in enumerate(values)})


def chained(rho: float, shift: float = 0.0) -> Make:
    """Return a function that draws AR(1) features of standard deviation 1."""

    def make(generator: np.random.Generator, rows: int) -> pl.DataFrame:
        noise = generator.normal(size=(FEATURES, rows + 500))
        values = lfilter([np.sqrt(1 - rho**2)], [1, -rho], noise, axis=1)[:, 500:]
        values[:MOVED] += shift
        return frame(values)

    return make


def seasonal(generator: np.random.Generator, rows: int) -> pl.DataFrame:
    """Draw a sine of 0.7 standard deviations over 1,000 rows, random phase, in white noise."""
    times = np.arange(rows) + generator.integers(SEASON)
    wave = 0.7 * np.sin(2 * np.pi * times / SEASON)
    return frame(wave + generator.normal(size=(FEATURES, rows)))


def share(part: float) -> Make:
    """Return a function that draws a column of two categories."""

    def make(generator: np.random.Generator, rows: int) -> pl.DataFrame:
        return pl.DataFrame({"kind": np.where(generator.random(rows) < part, "rare", "usual")})

    return make


def normal(shift: float, outlier: float | None = None) -> Make:
    """Return a function that draws a column of normal values, optionally with an outlier."""

    def make(generator: np.random.Generator, rows: int) -> pl.DataFrame:
        values = generator.normal(shift, size=rows)
        if outlier is not None:
            values[rows // 2] = outlier
        return pl.DataFrame({"x": values})

    return make


def changed(before: int, shift: float) -> Make:
    """Return a function that draws normal features, five of which move after the given rows."""

    def make(generator: np.random.Generator, rows: int) -> pl.DataFrame:
        values = generator.normal(size=(FEATURES, rows))
        values[:MOVED, before:] += shift
        return frame(values)

    return make


def ordered(shift: float) -> Make:
    """Return a function that draws shifted features, with the rows sorted by the first."""

    def make(generator: np.random.Generator, rows: int) -> pl.DataFrame:
        values = generator.normal(size=(FEATURES, rows))
        values[:MOVED] += shift
        return frame(values[:, np.argsort(values[0])])

    return make


@dataclass(frozen=True)
class Cell:
    """A line of the goals: windows like ``current`` against a reference."""

    goal: str
    name: str
    reference: Make
    reference_rows: int
    current: Make
    rows: int
    most_alarms: float | None = None
    least_found: float | None = None
    windows: int | None = None


CELLS = (
    Cell("M-a", "clean, 200 rows", mixed, 1_000, mixed, 200, 2.0),
    Cell("M-a", "clean, 1,000 rows", mixed, 1_000, mixed, 1_000, 2.0),
    Cell("M-a", "clean, 10,000 rows", mixed, 10_000, mixed, 10_000, 2.0, windows=200),
    Cell("M-b", "clean, AR 0.5, 1,000 rows", chained(0.5), 1_000, chained(0.5), 1_000, 2.0),
    Cell("M-b", "clean, AR 0.8, 200 rows", chained(0.8), 1_000, chained(0.8), 200, 2.0),
    Cell("M-b", "clean, AR 0.8, 1,000 rows", chained(0.8), 1_000, chained(0.8), 1_000, 2.0),
    Cell("M-b", "clean, AR 0.95, 1,000 rows", chained(0.95), 1_000, chained(0.95), 1_000, 2.0),
    Cell("M-b", "clean, season of 1,000 rows, 200 rows", seasonal, 10_000, seasonal, 200, 2.0),
    Cell(
        "M-c", "0.2 sd in 5 of 50, 1,000 rows", mixed, 1_000,
        lambda generator, rows: mixed(generator, rows, SHIFT), 1_000, least_found=95.0,
    ),
    Cell(
        "M-d", "0.2 sd in 5 of 50, AR 0.8, 1,000 rows", chained(0.8), 10_000,
        chained(0.8, SHIFT), 1_000, least_found=60.0,
    ),
    Cell(
        "M-e", "a share of 0.2 % becomes 0.4 %, 50,000 rows", share(0.002), 50_000,
        share(0.004), 50_000, least_found=95.0,
    ),
    Cell(
        "M-e", "a share of 0.5 % becomes 4 %, 1,000 rows", share(0.005), 5_000,
        share(0.04), 1_000, least_found=95.0,
    ),
    Cell("M-f", "0.01 sd, 1,000,000 rows", normal(0.0), 1_000_000, normal(0.01), 1_000_000, 0.0),
    Cell(
        "M-g", "1 sd and a wild value in the reference", normal(0.0, 1000.0), 1_000,
        normal(1.0), 1_000, least_found=100.0,
    ),
    Cell(
        "M-g", "1 sd and a wild value in the window", normal(0.0), 1_000,
        normal(1.0, 1000.0), 1_000, least_found=100.0,
    ),
    Cell("M-g", "a wild value alone", normal(0.0), 1_000, normal(0.0, 10_000.0), 1_000, 2.0),
    Cell(
        "inside", "3 sd after 1,000 of 4,000 rows", chained(0.0), 1_000,
        changed(1_000, 3.0), 4_000, least_found=100.0, windows=100,
    ),
    Cell(
        "inside", "2 sd after 1,000 of 10,000 rows", chained(0.0), 1_000,
        changed(1_000, 2.0), 10_000, least_found=100.0, windows=100,
    ),
    Cell(
        "inside", "3 sd, rows sorted by a moved column", chained(0.0), 1_000,
        ordered(3.0), 1_000, least_found=100.0, windows=100,
    ),
)  # fmt: skip


def alarms(cell: Cell, windows: int) -> Iterator[bool]:
    """Yield for each window whether monitoring alarms."""
    generator = np.random.default_rng(11)
    for window in range(windows):
        if window % PER_REFERENCE == 0:
            profile = profile_table(cell.reference(generator, cell.reference_rows))
        drifts = compare_table(profile, cell.current(generator, cell.rows), LIMITS)
        judged, _ = judge_columns(drifts, (), LIMITS)
        yield any(drift.drifted for drift in judged)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--windows", type=int, default=1_000)
    parser.add_argument("--cells", default="", help="goals such as M-a,M-d; all without")
    asked = parser.parse_args()
    chosen = {goal for goal in asked.cells.split(",") if goal}
    for cell in CELLS:
        if chosen and cell.goal not in chosen:
            continue
        windows = min(cell.windows or asked.windows, asked.windows)
        count = sum(alarms(cell, windows))
        rate = 100 * count / windows
        upper = (
            100.0 if count == windows else 100 * float(beta.ppf(0.95, count + 1, windows - count))
        )
        if cell.least_found is not None:
            name = f"{cell.name}: found, of {windows:,} windows"
            tell(cell.goal, name, rate, "%", at_least=cell.least_found)
        else:
            name = f"{cell.name}: alarms, of {windows:,} windows (at most {upper:.2g} %)"
            tell(cell.goal, name, rate, "%", cell.most_alarms)


if __name__ == "__main__":
    main()
