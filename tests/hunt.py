"""`make hunt`: rounds of the laws and the long versions with new draws, until the time is over.

Each round has a seed of its own. What fails is printed with the command that draws the same again.
usage: python tests/hunt.py [--minutes 60] [--seed N] [-- words for pytest]
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
# What draws: laws by Hypothesis, and tests with a long version.
DRAWS = ("-m", "hypothesis or hunt")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, help="one whole round with this seed")
    parser.add_argument("words", nargs="*", help="for pytest, as tests/stores")
    asked = parser.parse_args()
    ends = time.monotonic() + 60 * asked.minutes
    rounds, found = 0, 0
    stopped = False
    while not stopped and (not rounds or (asked.seed is None and time.monotonic() < ends)):
        seed = asked.seed if asked.seed is not None else random.SystemRandom().randrange(2**32)
        rounds += 1
        left = max((ends - time.monotonic()) / 60, 0)
        print(f"== round {rounds}, seed {seed}, {left:.0f} min left", flush=True)
        limit = None if asked.seed is not None else ends
        failures, stopped = one_round(seed, asked.words, limit)
        for test in failures:
            print(f"== again: {sys.executable} tests/hunt.py --seed {seed} -- '{test}'", flush=True)
        found += len(failures)
    print(f"== {rounds} rounds, {found} failures", flush=True)
    return 1 if found else 130 if stopped else 0


def one_round(seed: int, words: list[str], ends: float | None) -> tuple[list[str], bool]:
    """Run what draws, with one seed, until the time is over.

    Returns:
        The tests that failed, and whether somebody pressed Ctrl-C.
    """
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder) / "found"
        environment = {
            **os.environ,
            "PENSTOCK_HUNT": "1",
            "PENSTOCK_SEED": str(seed),
            "PENSTOCK_FOUND": str(found),
        }
        command = [
            sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "worksteal", *DRAWS,
            f"--hypothesis-seed={seed}", *words,
        ]  # fmt: skip
        process = subprocess.Popen(command, cwd=ROOT, env=environment)
        code, stopped = None, False
        try:
            code = process.wait(None if ends is None else max(ends - time.monotonic(), 1))
        except (subprocess.TimeoutExpired, KeyboardInterrupt) as ended:
            stopped = isinstance(ended, KeyboardInterrupt)
            process.send_signal(signal.SIGINT)  # the workers end in order, and so do their services
            process.wait()
            print("== ended in the middle of a round", flush=True)
        failed = found.read_text(encoding="utf-8").split("\n")[:-1] if found.exists() else []
    if not failed and code not in {None, 0, 5}:  # 5: none of the words' tests draws
        failed = [f"the whole round: pytest ended with {code}"]
    return failed, stopped


if __name__ == "__main__":
    sys.exit(main())
