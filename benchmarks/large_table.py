"""F20: a table larger than the memory it may take: ingest with profile, then a split by time.

Each in a fresh process. Beside it: polars' streaming engine and DuckDB copy the same files into one
Parquet file, and cut the copy by the same time into two. Neither profiles, digests or checks for
leaks. The table is a folder of files of 10 columns (about 1 GiB in 40 million rows) or, with a third
argument, of more columns of random numbers: 40 of them make 6 GiB in 20 million rows.
usage: python benchmarks/large_table.py [MILLION_ROWS] [parquet|csv] [MORE_COLUMNS]
"""

import importlib
import json
import shutil
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

from figures import quiet_store, tell

_MILLIONS = 40
_PART = 2_000_000
_TITLES = {
    "polars": "polars streaming, copy and cut",
    "duckdb": "DuckDB, copy and cut",
    "ingest": "ingest with profile",
    "split": "split by time with leak checks",
}


def main() -> None:
    if len(sys.argv) > 4:
        print(json.dumps(_measure(sys.argv[1], Path(sys.argv[2]), sys.argv[3])))
        return
    kind = sys.argv[2] if len(sys.argv) > 2 else "parquet"
    millions = int(sys.argv[1]) if len(sys.argv) > 1 else _MILLIONS
    more = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    with quiet_store() as folder:
        rows = folder / "rides"
        rows.mkdir()
        for number in range(millions * 1_000_000 // _PART):
            _write(rows / f"{number:03}.{kind}", number, more)
        size = sum(file.stat().st_size for file in rows.iterdir())
        table = f"{millions}M rows of {10 + more} columns, {size / 2**20:,.0f} MiB of {kind}"
        found = {job: _run(job, rows, kind, table) for job in _TITLES}
    for second in ("polars", "duckdb"):
        for measure, name in (("cpu", "processor time"), ("seconds", "time")):
            ours = found["ingest"][measure] + found["split"][measure]
            tell(
                "F20",
                f"{table}: ingest, profile and split, of {second}'s {name} for copy and cut",
                found[second][measure] / ours,
                "times",
                at_least=0.7 if measure == "seconds" else None,
            )


def _run(job: str, rows: Path, kind: str, table: str) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, __file__, job, str(rows), kind, "-"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    told: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    title = _TITLES[job]
    tell("F20", f"{table}: {title}", told["seconds"], "s")
    tell("F20", f"{table}: {title}, processor time", told["cpu"], "s")
    goal = 2048.0 if job in {"ingest", "split"} else None
    tell("F20", f"{table}: {title}, memory", told["mib"], "MiB", goal)
    if "written" in told:
        tell("F20", f"{table}: {title}, bytes written", told["written"], "MiB")
    return told


def _measure(job: str, rows: Path, kind: str) -> dict[str, float]:
    psutil: Any = importlib.import_module("psutil")
    work = {"polars": _polars, "duckdb": _duckdb, "ingest": _ingest, "split": _split}[job]
    for name in ("polars", "numpy", "penstock", "penstock.data"):
        importlib.import_module(name)
    process, peak, done = psutil.Process(), [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            peak[0] = max(peak[0], process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    before_bytes = _bytes_in(rows.parent)
    started, before = time.perf_counter(), time.process_time()
    try:
        work(rows, kind)
    finally:
        done.set()
        watcher.join()
    seconds, cpu = time.perf_counter() - started, time.process_time() - before
    written = (_bytes_in(rows.parent) - before_bytes) / 2**20
    shutil.rmtree(rows.parent / job, ignore_errors=True)
    return {"seconds": seconds, "cpu": cpu, "mib": peak[0] / 2**20, "written": written}


def _bytes_in(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _cut(rows: Path) -> Any:
    """The first moment of the newest fifth of the rows."""
    datetime: Any = importlib.import_module("datetime")
    count = len(list(rows.iterdir())) * _PART
    return datetime.datetime(2025, 1, 1) + datetime.timedelta(seconds=count * 4 // 5)


def _polars(rows: Path, kind: str) -> None:
    pl: Any = importlib.import_module("polars")
    scan = partial(pl.scan_csv, try_parse_dates=True) if kind == "csv" else pl.scan_parquet
    files = sorted(rows.glob(f"*.{kind}"))
    folder = _new_folder(rows, "polars")
    pl.concat([scan(file) for file in files]).sink_parquet(folder / "copy")
    copy = pl.scan_parquet(folder / "copy")
    copy.filter(pl.col("at") < _cut(rows)).sink_parquet(folder / "train")
    copy.filter(pl.col("at") >= _cut(rows)).sink_parquet(folder / "test")


def _duckdb(rows: Path, kind: str) -> None:
    duckdb: Any = importlib.import_module("duckdb")
    folder = _new_folder(rows, "duckdb")
    to = "(FORMAT parquet, COMPRESSION zstd)"
    duckdb.sql(f"COPY (FROM read_{kind}('{rows}/*.{kind}')) TO '{folder}/copy' {to}")
    for name, sign in (("train", "<"), ("test", ">=")):
        cut = f"FROM read_parquet('{folder}/copy') WHERE \"at\" {sign} TIMESTAMP '{_cut(rows)}'"
        duckdb.sql(f"COPY ({cut}) TO '{folder}/{name}' {to}")


def _new_folder(rows: Path, name: str) -> Path:
    folder = rows.parent / name
    folder.mkdir()
    return folder


def _ingest(rows: Path, kind: str) -> None:
    del kind
    ps: Any = importlib.import_module("penstock")
    data: Any = importlib.import_module("penstock.data")
    with ps.open_store(f"sqlite:///{rows.parent}/penstock.db") as store:
        record = store.put(data.ingest(ps.FileSource(rows, time="at"), store=store))
    (rows.parent / "digest").write_text(record.digest)


def _split(rows: Path, kind: str) -> None:
    """Split what `_ingest` stored."""
    del kind
    ps: Any = importlib.import_module("penstock")
    data: Any = importlib.import_module("penstock.data")
    with ps.open_store(f"sqlite:///{rows.parent}/penstock.db") as store:
        snapshot = store.get((rows.parent / "digest").read_text())
        store.put(data.split_table(snapshot, target="tip", by_time="at", drop=["ride"]))


def _write(path: Path, number: int, more: int) -> None:
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
            **{f"sensor {place}": random.normal(size=_PART) for place in range(more)},
        }
    )
    if path.suffix == ".csv":
        frame.write_csv(path)
    else:
        frame.write_parquet(path)


if __name__ == "__main__":
    main()
