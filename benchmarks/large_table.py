"""F20: a table larger than the memory it may take: ingest and profile, each in a fresh process.

Beside it: polars' streaming engine copies the same files into one Parquet file, and so does DuckDB
for CSV. The table is a folder of files. usage: python benchmarks/large_table.py [MILLION_ROWS] [csv]
"""

import importlib
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from figures import quiet_store, tell

_MILLIONS = 40
_PART = 2_000_000


def main() -> None:
    if len(sys.argv) > 3:
        print(json.dumps(_measure(sys.argv[1], Path(sys.argv[2]), sys.argv[3])))
        return
    kind = sys.argv[2] if len(sys.argv) > 2 else "parquet"
    millions = int(sys.argv[1]) if len(sys.argv) > 1 else _MILLIONS
    with quiet_store() as folder:
        rows = folder / "rides"
        rows.mkdir()
        for number in range(millions * 1_000_000 // _PART):
            _write(rows / f"{number:03}.{kind}", number)
        size = sum(file.stat().st_size for file in rows.iterdir())
        table = f"{millions}M rows of 10 columns"
        table += f", {size / 2**20:,.0f} MiB of CSV" if kind == "csv" else ""
        seconds, cpu = {}, {}
        for job in ("polars", "duckdb", "penstock") if kind == "csv" else ("polars", "penstock"):
            found = subprocess.run(
                [sys.executable, __file__, job, str(rows), kind],
                capture_output=True,
                text=True,
                check=True,
            )
            told = json.loads(found.stdout.splitlines()[-1])
            seconds[job], cpu[job] = told["seconds"], told["cpu"]
            title = {
                "polars": "polars streaming copy",
                "duckdb": "DuckDB copy",
                "penstock": "ingest with profile",
            }[job]
            tell("F20", f"{table}: {title}", told["seconds"], "s")
            tell("F20", f"{table}: {title}, processor time", told["cpu"], "s")
            goal = 2048.0 if job == "penstock" else None
            tell("F20", f"{table}: {title}, memory", told["mib"], "MiB", goal)
        tell(
            "F20",
            f"{table}: ingest with profile, of polars' processor time",
            cpu["polars"] / cpu["penstock"],
            "times",
        )
        tell(
            "F20",
            f"{table}: ingest with profile, of polars' speed",
            seconds["polars"] / seconds["penstock"],
            "times",
            at_least=0.7,
        )


def _measure(job: str, rows: Path, kind: str) -> dict[str, float]:
    psutil: Any = importlib.import_module("psutil")
    pl: Any = importlib.import_module("polars")
    ps: Any = importlib.import_module("penstock")
    data: Any = importlib.import_module("penstock.data")
    process, peak, done = psutil.Process(), [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            peak[0] = max(peak[0], process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    started, before = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory(dir=rows.parent) as folder:
        if job == "polars":
            scan = pl.scan_csv if kind == "csv" else pl.scan_parquet
            files = sorted(rows.glob(f"*.{kind}"))
            pl.concat([scan(file) for file in files]).sink_parquet(f"{folder}/copy")
        elif job == "duckdb":
            duckdb: Any = importlib.import_module("duckdb")
            duckdb.sql(f"COPY (FROM read_csv('{rows}/*.csv')) TO '{folder}/copy' (FORMAT parquet)")
        else:
            with ps.open_store(f"sqlite:///{folder}/penstock.db") as store:
                store.put(data.ingest(ps.FileSource(rows, time="at"), store=store))
        seconds, cpu = time.perf_counter() - started, time.process_time() - before
    done.set()
    watcher.join()
    return {"seconds": seconds, "cpu": cpu, "mib": peak[0] / 2**20}


def _write(path: Path, number: int) -> None:
    np: Any = importlib.import_module("numpy")
    pl: Any = importlib.import_module("polars")
    random = np.random.default_rng(number)
    ids = np.arange(number * _PART, (number + 1) * _PART)
    frame = pl.DataFrame(
        {
            "ride": ids,
            "at": np.datetime64("2025-01-01", "us") + ids * np.timedelta64(1_000_000, "us"),
            "zone": random.integers(1, 264, _PART).astype(np.int32),
            "km": random.gamma(2.0, 2.5, _PART).round(2),
            "fare": random.gamma(3.0, 5.0, _PART).round(2),
            "tip": random.gamma(1.0, 2.0, _PART).round(2),
            "passengers": random.integers(1, 6, _PART).astype(np.int8),
            "payment": random.choice(["card", "cash", "app"], _PART),
            "company": np.char.add("company ", random.integers(0, 50, _PART).astype(str)),
            "shared": random.random(_PART) < 0.1,
        }
    )
    if path.suffix == ".csv":
        frame.write_csv(path)
    else:
        frame.write_parquet(path)


if __name__ == "__main__":
    main()
