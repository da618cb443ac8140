"""Kill a logging process at a random moment, a thousand times: what it had logged is there.

Each process logs from three threads, keeps artifacts, and writes down every call that has returned
into memory that it shares with this one. Then whoever opens the store next recovers it: every
acknowledged point must be there, none twice, none that was never logged, and the store sound.
"""

import argparse
import mmap
import os
import random
import signal
import threading
import time

from figures import quiet_store, tell

import penstock as ps
from penstock.stores import check_store, open_store

THREADS = 3
LONGEST_S = 0.25  # longest life of a process; most that can break happens at the start


def log_until_killed(url: str, shared: mmap.mmap) -> None:
    """Log for ever; the shared memory has a count of acknowledged points for each thread."""
    store = open_store(url)
    run = ps.start_run("victim", store=store, strict=True, console=False, system_metrics=False)
    shared[64:128] = run.run_id.encode().ljust(64)
    told = memoryview(shared).cast("q")  # a single memory write: old or new after a kill

    def work(place: int) -> None:
        count = 0
        while True:
            if count % 7:
                run.log_metric(f"m{place}", float(count), count)
                count += 1
            else:
                run.log_metrics({f"m{place}": float(count), f"other{place}": 0.0}, count)
                count += 1
            told[place] = count

    threads = [threading.Thread(target=work, args=(place,)) for place in range(THREADS)]
    for thread in threads:
        thread.start()
    kept = 0
    while True:
        run.log_artifact("x" * 6000 + str(kept), name=f"a{kept}")
        kept += 1
        told[THREADS] = kept


def kill_one(url: str, after_s: float) -> tuple[str, list[int]]:
    """Start a process, kill it, and return the run with the acknowledged counts."""
    shared = mmap.mmap(-1, 128)
    child = os.fork()
    if not child:
        try:
            log_until_killed(url, shared)
        finally:
            os._exit(1)
    while not shared[64:128].strip(b"\x00 "):
        time.sleep(0.0005)
    time.sleep(after_s)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    run_id = shared[64:128].decode().strip("\x00 ")
    return run_id, memoryview(shared).cast("q")[: THREADS + 1].tolist()


def judge(url: str, run_id: str, counts: list[int]) -> tuple[float, int]:
    """Open the store as the next process would; return the seconds taken, and the points."""
    started = time.perf_counter()
    with open_store(url) as store:
        seconds = time.perf_counter() - started
        points = 0
        for place in range(THREADS):
            found = store.metadata.metrics.history(run_id, f"m{place}").values
            points += len(found)
            told = (run_id, place, len(found), counts)
            assert len(found) in (counts[place], counts[place] + 1), told
            assert (found == range(len(found))).all(), told
        kept = store.metadata.artifacts.list(run_id)
        assert len(kept) in (counts[THREADS], counts[THREADS] + 1), (run_id, len(kept), counts)
        store.metadata.runs.kill_dead()
        assert store.metadata.runs.get(run_id).state == "killed"
    return seconds, points


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    chance = random.Random(asked.seed)
    slowest, points = 0.0, 0
    with quiet_store() as folder:
        url = f"sqlite:///{folder}/penstock.db"
        open_store(url).close()
        for number in range(asked.kills):
            run_id, counts = kill_one(url, chance.random() ** 2 * LONGEST_S)
            seconds, found = judge(url, run_id, counts)
            slowest, points = max(slowest, seconds), points + found
            if number % 100 == 99:
                print(f"  {number + 1} kills, {points:,} points", flush=True)
        with open_store(url) as store:
            broken = [each for each in check_store(store=store) if not each.harmless]
            assert broken == [], broken
    tell("durability", f"random kill -9 of {THREADS} logging threads, points lost", 0, "points", 0)
    tell("durability", f"points that {asked.kills:,} killed processes logged", points, "points")
    tell("durability", "recovery, the slowest of them", slowest, "s", 2.0)


if __name__ == "__main__":
    main()
