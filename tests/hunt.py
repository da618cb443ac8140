"""`make hunt`: rounds of the laws and the long versions with new draws, until the time is over.

Each round has a seed of its own. What fails is printed with the command that draws the same again.
usage: python tests/hunt.py [--minutes 60] [--seed N] [-- words for pytest]
"""

import argparse
import os
import random
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
# What draws: laws by Hypothesis, and tests with a long version.
DRAWS = ("-m", "hypothesis or hunt")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, help="one round with this seed")
    parser.add_argument("words", nargs="*", help="for pytest, as tests/stores")
    asked = parser.parse_args()
    ends = time.monotonic() + 60 * asked.minutes
    number, failed = 0, []
    while not number or (asked.seed is None and time.monotonic() < ends):
        seed = asked.seed if asked.seed is not None else random.SystemRandom().randrange(2**32)
        number += 1
        left = max((ends - time.monotonic()) / 60, 0)
        print(f"== round {number}, seed {seed}, {left:.0f} min left", flush=True)
        if not one_round(seed, asked.words, None if asked.seed is not None else ends):
            failed.append(seed)
            again = f"{sys.executable} tests/hunt.py --seed {seed} -- TEST"
            print(f"== found something. Again, with the test's name: {again}", flush=True)
    print(f"== {number} rounds, {len(failed)} of them found something", flush=True)
    return 1 if failed else 0


def one_round(seed: int, words: list[str], ends: float | None) -> bool:
    """Run what draws, with one seed; True if nothing was found until the time was over."""
    environment = {**os.environ, "PENSTOCK_HUNT": "1", "PENSTOCK_SEED": str(seed)}
    command = [
        sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "worksteal", *DRAWS,
        f"--hypothesis-seed={seed}", *words,
    ]  # fmt: skip
    process = subprocess.Popen(command, cwd=ROOT, env=environment)
    try:
        code = process.wait(timeout=None if ends is None else max(ends - time.monotonic(), 1))
    except subprocess.TimeoutExpired:
        process.terminate()
        process.wait()
        print(
            "== the time is over in the middle of a round; what had run found nothing", flush=True
        )
        return True
    return code in {0, 5}  # 5: none of the words' tests draws


if __name__ == "__main__":
    sys.exit(main())
