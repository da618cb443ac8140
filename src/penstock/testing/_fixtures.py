"""Helpers for tests: a store in a temporary folder, a clock that is set by hand, a small table."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Self

from penstock.core import set_clock
from penstock.stores import Store, open_store

if TYPE_CHECKING:
    import polars as pl


@contextmanager
def temporary_store(folder: Path) -> Iterator[Store]:
    """Open an empty store in a folder, for a test.

    >>> import tempfile
    >>> with temporary_store(Path(tempfile.mkdtemp())) as store:
    ...     store.metadata.runs.list_experiments()
    []
    """
    artifacts = str(folder / "artifacts")  # not the project's, which may be a bucket
    with open_store(f"sqlite:///{folder / 'penstock.db'}", artifacts=artifacts) as store:
        yield store


class FakeClock:
    """A clock that stands still until `advance` is called.

    >>> from penstock.core import now
    >>> with FakeClock() as clock:
    ...     clock.advance(hours=1)
    ...     print(now())
    2026-01-01 01:00:00+00:00

    Args:
        start: An aware time; by default the first moment of 2026, UTC.
    """

    def __init__(self, start: datetime | None = None) -> None:
        self.time = start or datetime(2026, 1, 1, tzinfo=UTC)

    def advance(self, **duration: float) -> None:
        """Move the clock forward; arguments as of timedelta."""
        self.time += timedelta(**duration)

    def __call__(self) -> datetime:
        return self.time

    def __enter__(self) -> Self:
        set_clock(self)
        return self

    def __exit__(self, *_: object) -> None:
        set_clock(None)


def tiny_dataset(rows: int = 200, *, seed: int = 0) -> "pl.DataFrame":
    """Return a small table with a number, a category, a time, a few gaps and a target.

    >>> tiny_dataset(4).columns
    ['day', 'amount', 'shop', 'paid']

    Args:
        rows: Number of rows.
        seed: Seed of the random values.
    """
    import numpy as np
    import polars as pl

    random = np.random.default_rng(seed)
    amount = random.gamma(2.0, 20.0, rows).round(2)
    shop = random.choice(["north", "south", "web"], rows)
    paid = random.random(rows) < 1 / (1 + np.exp((amount - 40) / 15 - (shop == "web")))
    first = datetime(2026, 1, 1, tzinfo=UTC)
    return pl.DataFrame(
        {
            "day": [first + timedelta(hours=6 * index) for index in range(rows)],
            "amount": [
                None if gap else value
                for gap, value in zip(random.random(rows) < 0.05, amount.tolist(), strict=True)
            ],
            "shop": shop.tolist(),
            "paid": paid.tolist(),
        }
    )
