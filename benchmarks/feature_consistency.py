"""The feature store's consistency theorem: offline join and online answer on drawn histories.

Late rows, out of order, repeated, deletes, expiry at the edge, equal times, changes of clocks; every
dtype, compared bit by bit, with brute force as the third. usage: feature_consistency.py [histories]
"""

import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from figures import tell

sys.path.insert(0, str(Path(__file__).parent.parent))  # the histories are drawn by the tests

BATCH = 1_000


def one_batch(seed: int) -> tuple[int, int, int, list]:
    from tests.features.generated_histories import check

    from penstock.features.online import MemoryOnlineStore

    with tempfile.TemporaryDirectory(prefix="penstock-bench-") as folder:
        outcome = check(folder, MemoryOnlineStore(), seed=seed, histories=BATCH)
    return outcome.histories, outcome.answers, outcome.found, outcome.mismatches[:3]


def main() -> None:
    batches = int(sys.argv[1]) // BATCH if len(sys.argv) > 1 else 100
    started = time.perf_counter()
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        outcomes = list(pool.map(one_batch, range(batches)))
    seconds = time.perf_counter() - started
    histories, answers, found = (sum(each[i] for each in outcomes) for i in range(3))
    wrong = [each for outcome in outcomes for each in outcome[3]]
    for each in wrong[:3]:
        print(each, file=sys.stderr)
    what = f"online = offline = brute force, {histories:,} histories, {answers:,} answers ({found:,} with values)"
    tell("feature store", f"{what}: mismatches", len(wrong), "", 0)
    tell("feature store", f"{what}: time on two cores", seconds, "s")


if __name__ == "__main__":
    main()
