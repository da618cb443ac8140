"""Storage of a data set that grows by a day 365 times, read whole and read incrementally.

Every day is a run with an ingest step. Compared with one Parquet file of the last version, written
as the store writes tables. usage: python benchmarks/daily_snapshots.py [ROWS_PER_DAY] [DAYS]
"""

import importlib
import os
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from figures import quiet_store, tell

_ROWS, _DAYS = 10_000, 365
_FIRST = date(2025, 1, 1)
_PIPELINE = """
import penstock as ps

@ps.pipeline
def daily(source, cutoff):
    ps.steps.ingest(source, cutoff=cutoff)
"""


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else _ROWS
    year = int(sys.argv[2]) if len(sys.argv) > 2 else _DAYS
    ps: Any = importlib.import_module("penstock")
    execution: Any = importlib.import_module("penstock.execution")
    data: Any = importlib.import_module("penstock.data")

    # Read whole, the work grows with the square of the days: a part of the year is enough.
    for how, days in (("incremental", year), ("whole", year // 6)):
        with quiet_store() as folder:
            (folder / "rides").mkdir()
            # A project of its own, or the runs would record the sources of this one.
            (folder / "pyproject.toml").touch()
            (folder / "daily.py").write_text(_PIPELINE)
            sys.path.insert(0, str(folder))
            sys.modules.pop("daily", None)
            daily = importlib.import_module("daily").daily
            store = ps.open_store(f"sqlite:///{folder}/store/penstock.db")
            source = ps.FileSource(folder / "rides", time="at", name="rides")
            if how == "incremental":
                source = ps.data.IncrementalSource(source)
            seconds = []
            for number in range(days):
                _day(number, rows).write_parquet(folder / "rides" / f"{number:03}.parquet")
                started = time.perf_counter()
                result = ps.run(
                    daily,
                    store=store,
                    reporter=execution.QuietReporter(),
                    source=source,
                    cutoff=_FIRST + timedelta(days=number + 1),
                )
                seconds.append(time.perf_counter() - started)
            snapshot = result.step_output("ingest")
            store.close()  # the write-ahead log is no part of it
            kept = _size(folder / "store")
            rows_only = _size(folder / "store" / "artifacts")
            store = ps.open_store(f"sqlite:///{folder}/store/penstock.db")
            with ps.open_store(f"sqlite:///{folder}/alone/penstock.db") as alone:
                one = alone.pack(snapshot.table)[0].size_bytes
            title = f"{days} days of {rows:,} rows, read {how}"
            tell("show 4", f"{title}: stored, of the last version alone", kept / one, "times", 1.2)
            tell("show 4", f"{title}: of which outside the database", rows_only / one, "times")
            tell("show 4", f"{title}: last version alone", one / 1e6, "MB")
            tell("show 4", f"{title}: the last day's run", seconds[-1], "s")
            first, last = (data.get_dataset("rides", store=store).versions[i] for i in (-2, -1))
            found = data.diff_tables(
                data.load_snapshot(first, store=store).table,
                data.load_snapshot(last, store=store).table,
            )
            assert (found.added, found.deleted) == (rows, 0), found
            assert snapshot.rows == rows * days
            store.close()


def _day(number: int, rows: int) -> pl.DataFrame:
    random = np.random.default_rng(number)
    start = datetime.combine(_FIRST + timedelta(days=number), datetime.min.time(), UTC)
    seconds = np.sort(random.integers(0, 86_400, rows))
    return pl.DataFrame(
        {
            "ride": np.arange(number * rows, (number + 1) * rows),
            "at": [start + timedelta(seconds=int(second)) for second in seconds],
            "zone": random.integers(1, 264, rows).astype(np.int32),
            "km": random.gamma(2.0, 2.5, rows).round(2),
            "fare": random.gamma(3.0, 5.0, rows).round(2),
            "tip": (random.gamma(1.0, 2.0, rows) * (random.random(rows) < 0.6)).round(2),
            "passengers": random.integers(1, 6, rows).astype(np.int8),
            "payment": random.choice(["card", "cash", "app"], rows),
            "company": [f"company {n}" for n in random.integers(0, 50, rows)],
            "shared": random.random(rows) < 0.1,
        }
    )


def _size(folder: Path) -> int:
    return sum(
        (Path(place) / name).stat().st_size for place, _, names in os.walk(folder) for name in names
    )


if __name__ == "__main__":
    main()
