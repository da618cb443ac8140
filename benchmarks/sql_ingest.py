"""F11: 10 columns of PostgreSQL into a snapshot: Parquet, both digests, profile and schema.

Beside it, in turns in the same minutes: a bare ADBC read and a bare Parquet write of the same table.
Needs PostgreSQL's programs; the server is started here. usage: python benchmarks/sql_ingest.py [ROWS]
"""

import importlib
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from figures import quiet_store, tell

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
services = importlib.import_module("services")

_ROWS = 5_000_000
_REPEATS = 3
_TABLE = """
CREATE TABLE rides AS SELECT g::bigint AS id, timestamptz '2026-01-01' + g * interval '1 s' AS at,
  (g % 97)::int AS zone, g * 0.37 % 100 AS km, (g::bigint * 7919 % 100000)::float8 / 100 AS fare,
  (g::bigint * 31 % 1000)::float8 AS tip, g % 3 = 0 AS shared, 'company ' || g % 50 AS company,
  (g * 13 % 10000)::numeric(10, 2) AS toll, CASE WHEN g % 10 > 0 THEN 'card ' || g % 4 END AS payment
FROM generate_series(1, {rows}) g
"""


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else _ROWS
    ps = importlib.import_module("penstock")
    data = importlib.import_module("penstock.data")
    stores = importlib.import_module("penstock.stores")
    with services.postgres() as server, quiet_store() as folder:
        url = server.url(name := server.empty_database())
        server.sql(_TABLE.format(rows=rows), name)
        server.sql("ALTER TABLE rides ADD PRIMARY KEY (id)", name)
        server.sql("VACUUM ANALYZE rides", name)
        with stores.open_store(f"sqlite:///{folder}/sql.db") as store:
            source = ps.data.SqlSource(url, table="rides", time="at")
            works = {
                "bare ADBC read and Parquet write": lambda: _bare(url, folder),
                "SqlSource and Parquet write": lambda: _read(source, folder),
                "SqlSource, Parquet write and both digests": lambda: _digest(source, folder),
                "ingest into a stored snapshot": lambda: store.pack(data.ingest(source)),
            }
            times: dict[str, list[float]] = {name: [] for name in works}
            cpu: dict[str, list[float]] = {name: [] for name in works}
            for _ in range(_REPEATS):
                for name, work in works.items():
                    started, before = time.perf_counter(), time.process_time()
                    work()
                    times[name].append(time.perf_counter() - started)
                    cpu[name].append(time.process_time() - before)
    seconds = {name: statistics.median(taken) for name, taken in times.items()}
    bare, read, digests, whole = seconds.values()
    for name, taken in seconds.items():
        tell("F11", f"{rows:,} rows of 10 columns: {name}", taken, "s")
        busy = statistics.median(cpu[name])
        tell("F11", f"{rows:,} rows of 10 columns: {name}, processor time", busy, "s")
    tell(
        "F11", "SqlSource and Parquet write, of the bare speed", bare / read, "times", at_least=0.8
    )
    tell("F11", "with both digests, of the bare speed", bare / digests, "times", at_least=0.8)
    tell(
        "F11",
        "a stored snapshot with its profile, of the bare speed",
        bare / whole,
        "times",
        at_least=0.8,
    )


def _digest(source: Any, folder: Path) -> None:
    data = importlib.import_module("penstock.data")
    table = source.read()
    table.write_parquet(folder / "read.parquet")
    data.digest_table(table)
    data.digest_rows(table)


def _bare(url: str, folder: Path) -> None:
    driver = importlib.import_module("adbc_driver_postgresql.dbapi")
    parquet: Any = importlib.import_module("pyarrow.parquet")
    with driver.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT * FROM rides")
        table = cursor.fetch_arrow_table()
    plain = [chunked.combine_chunks() for chunked in table.columns]
    names = table.column_names
    arrow: Any = importlib.import_module("pyarrow")
    stored = [getattr(column, "storage", column) for column in plain]
    parquet.write_table(arrow.table(stored, names), folder / "bare.parquet")


def _read(source: Any, folder: Path) -> None:
    source.read().write_parquet(folder / "read.parquet")


if __name__ == "__main__":
    main()
