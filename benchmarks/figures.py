"""Tools shared by the benchmark scripts: timing, a JSON line per figure, a quiet store."""

import json
import os
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def median_s(work: Callable[[], object], repeats: int = 5) -> float:
    """Compute the median wall seconds of a function."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def tell(
    figure: str,
    name: str,
    value: float,
    unit: str,
    goal: float | None = None,
    *,
    at_least: float | None = None,
) -> None:
    """Print a figure as a JSON line; load shows how noisy the machine was.

    ``goal`` is the maximum goal, ``at_least`` the minimum goal.
    """
    reached = value <= goal if goal is not None else None
    if at_least is not None:
        goal, reached = at_least, value >= at_least
    line = {
        "figure": figure,
        "name": name,
        "value": float(f"{value:.4g}"),
        "unit": unit,
        "goal": None if goal is None else float(f"{goal:.4g}"),
        "reached": None if reached is None else bool(reached),  # of numpy numbers, too
        "load": round(os.getloadavg()[0], 1),
    }
    print(json.dumps(line), flush=True)


def tell_multiple(figure: str, name: str, seconds: float, goal: float | None = None) -> None:
    """Print a duration as a multiple of a bare SQLite commit, measured now in this folder.

    Machines of one kind differ by two from day to day; the multiple differs less.
    """
    tell(figure, f"{name}, of a bare SQLite commit", seconds / bare_commit_s(), "times", goal)


def bare_commit_s(commits: int = 500) -> float:
    """Measure a commit of two rows of a step's size, as the store commits: WAL, synchronous=NORMAL.

    Returns:
        The median seconds of a commit.
    """
    path = Path(tempfile.mkdtemp(dir=Path.cwd())) / "bare.db"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("CREATE TABLE rows (id TEXT PRIMARY KEY, body TEXT)")
    times = []
    for number in range(commits):
        started = time.perf_counter()
        connection.execute("BEGIN IMMEDIATE")
        for part in ("step", "artifact"):
            connection.execute("INSERT INTO rows VALUES (?, ?)", (f"{part}-{number}", "x" * 400))
        connection.execute("COMMIT")
        times.append(time.perf_counter() - started)
    connection.close()
    return statistics.median(times)


def group_cpu_s(group: int) -> float:
    """Return the seconds of processors that the living processes of a process group have used."""
    ticks = 0
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            facts = (entry / "stat").read_text().rpartition(")")[2].split()
            if facts[2] == str(group):
                ticks += int(facts[11]) + int(facts[12])
    return ticks / os.sysconf("SC_CLK_TCK")


@contextmanager
def quiet_store() -> Iterator[Path]:
    """Create an empty project folder, and make it the working folder."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="penstock-bench-") as folder:
        os.chdir(folder)
        (Path(folder) / "pyproject.toml").write_text("", encoding="utf-8")
        sys.path.insert(0, folder)
        try:
            yield Path(folder)
        finally:
            sys.path.remove(folder)
            os.chdir(before)


@contextmanager
def postgres_url() -> Iterator[str | None]:
    """Start a PostgreSQL server, syncing as in production; yield a fresh database's URL or None."""
    sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
    try:
        import services
    finally:
        sys.path.pop(0)
    if not list(Path("/usr/lib/postgresql").glob("*/bin/initdb")):
        yield None
        return
    with services.postgres(fsync=True) as server:
        yield server.database()
