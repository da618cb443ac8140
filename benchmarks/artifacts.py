"""F8: a file of 1 GiB, and 10,000 files, as the artifacts of a run.

A file can be stored no faster than the slower of digesting and writing to the disk, which are
measured in turn with the storing: the disks of shared machines change from second to second.
"""

import hashlib
import os
import shutil
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from figures import quiet_store, tell

import penstock as ps

GIB = 1 << 30
MIB = 1 << 20
BLOCK = os.urandom(1 << 24)
FILES = 10_000
ROUNDS = 5
SYNCED_ONE_BY_ONE = 500


def main() -> None:
    with quiet_store() as folder:
        one_large_file(folder)
    for kib, at_least in ((1, 5000), (4, None), (64, None)):
        with quiet_store() as folder:
            many_files(folder, kib, at_least)
    with quiet_store() as folder:
        growth(folder)


def one_large_file(folder: Path) -> None:
    big = folder / "big.bin"
    write(big)
    digesting, writing, keeping = [], [], []
    for number in range(ROUNDS):
        digesting.append(seconds_of(lambda: digest(big)))
        writing.append(seconds_of(lambda: write(folder / "copy.bin")))
        (folder / "copy.bin").unlink()
        store = ps.open_store(f"sqlite:///{folder}/store-{number}/penstock.db")
        with ps.start_run(store=store, strict=True) as run:
            keeping.append(seconds_of(lambda run=run: run.log_artifact(big)))
        store.close()
        shutil.rmtree(folder / f"store-{number}")
    tell(
        "F8",
        "SHA-256 of a file of 1 GiB",
        GIB / MIB / statistics.median(digesting),
        "MiB/s",
    )
    tell("F8", "writing 1 GiB to the disk", GIB / MIB / statistics.median(writing), "MiB/s")
    tell("F8", "log_artifact of 1 GiB", GIB / MIB / statistics.median(keeping), "MiB/s")
    shares = [max(d, w) / k for d, w, k in zip(digesting, writing, keeping, strict=True)]
    tell(
        "F8",
        "log_artifact of 1 GiB, of the slower of both",
        statistics.median(shares),
        "times",
        at_least=0.8,
    )


def growth(folder: Path) -> None:
    """Measure 100,000 files: each may cost half as much again as each of 10,000."""
    rates = []
    for count in (FILES, 10 * FILES):
        given = folder / f"given-{count}"
        given.mkdir()
        for number in range(count):
            (given / f"{number:06d}.bin").write_bytes(os.urandom(1 << 10))
        os.sync()
        store = ps.open_store(f"sqlite:///{folder}/store-{count}/penstock.db")
        with ps.start_run(store=store, strict=True) as run:
            rates.append(count / seconds_of(lambda run=run, given=given: run.log_artifact(given)))
        store.close()
    tell("F18", "log_artifact of 100,000 files of 1 KiB", rates[1], "files/s")
    tell("F18", "cost of each, to one of 10,000", rates[0] / rates[1], "times", 1.5)


def many_files(folder: Path, kib: int, at_least: float | None) -> None:
    given = folder / "given"
    given.mkdir()
    for number in range(FILES):
        (given / f"{number:05d}.bin").write_bytes(os.urandom(kib << 10))
    os.sync()
    rates = []
    for number in range(ROUNDS):
        store = ps.open_store(f"sqlite:///{folder}/store-{number}/penstock.db")
        with ps.start_run(store=store, strict=True) as run:
            rates.append(FILES / seconds_of(lambda run=run: run.log_artifact(given)))
        assert len(run.artifacts()) == FILES
        store.close()
    name = f"log_artifact of 10,000 files of {kib} KiB"
    tell("F8", name, statistics.median(rates), "files/s", at_least=at_least)
    if at_least is None:
        each = SYNCED_ONE_BY_ONE / seconds_of(lambda: sync_one_by_one(folder / "synced", kib))
        tell("F8", f"writing and syncing files of {kib} KiB one by one", each, "files/s")


def seconds_of(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def digest(path: Path) -> None:
    with path.open("rb") as file:
        hashlib.file_digest(file, "sha256")


def write(path: Path) -> None:
    with path.open("wb") as file:
        for _ in range(GIB // len(BLOCK)):
            file.write(BLOCK)
        file.flush()
        os.fsync(file.fileno())


def sync_one_by_one(folder: Path, kib: int) -> None:
    folder.mkdir()
    data = os.urandom(kib << 10)
    for number in range(SYNCED_ONE_BY_ONE):
        with (folder / str(number)).open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())


if __name__ == "__main__":
    main()
