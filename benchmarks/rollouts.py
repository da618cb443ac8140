"""Rollouts simulated from the first request to the end: promotions and rollbacks.

Each rollout goes 5, 25, 100 %, is evaluated after every 20 requests to the new version, and is
judged by the default rules of `penstock deploy`. The rollout ends when promoted, rolled back, or
after the maximum of requests (then still waiting). Seeded; `ROLLOUTS=n` sets the number of each.
"""

import os
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from figures import tell

from penstock.core import PassedStep
from penstock.serving import Canary, RolloutRules
from penstock.serving.policies import Evidence, Move, RequestCounts, requests_needed

ROLLOUTS = int(os.environ.get("ROLLOUTS", "1000"))
STEPS = (5, 25, 100)
LOOK_EVERY = 20  # canary requests between two evaluations


class End(NamedTuple):
    """The end of a rollout, and the number of requests to the new version."""

    move: Move
    requests: int


def simulate(
    new_rate: float, control_rate: float, seed: int, rules: RolloutRules, most: int
) -> End:
    """Simulate a rollout of a version with an error rate, beside a control with an error rate."""
    generator = np.random.default_rng(seed)
    canary = Canary(STEPS, rules)
    rollout = canary.start(2, 1)
    n1 = k1 = n0 = k0 = begun = 0
    while n1 < most:
        share = rollout.percent / 100
        more = generator.poisson(LOOK_EVERY * (1 - share) / share)
        n1, k1 = n1 + LOOK_EVERY, k1 + int(generator.binomial(LOOK_EVERY, new_rate))
        n0, k0 = n0 + int(more), k0 + int(generator.binomial(more, control_rate))
        evidence = Evidence(RequestCounts(n1, k1), RequestCounts(n0, k0), step_requests=n1 - begun)
        decision = canary.judge(rollout, evidence)
        if decision.move is Move.ADVANCE:
            rollout, begun = canary.next_step(rollout, PassedStep()), n1
        elif decision.move in {Move.PROMOTE, Move.ROLL_BACK}:
            return End(decision.move, n1)
    return End(Move.STAY, n1)


def share(ends: list[End], move: Move) -> float:
    """Compute the percent of rollouts that ended with a move."""
    return 100 * sum(end.move is move for end in ends) / len(ends)


def main() -> None:
    """Print a figure per case."""
    rules = RolloutRules()
    for control, new, most in ((0.0, 0.02, 4_000), (0.01, 0.05, 4_000), (0.05, 0.15, 4_000)):
        ends = [simulate(new, control, seed, rules, most) for seed in range(ROLLOUTS)]
        case = f"{control:.0%} against {new:.0%} errors, of {ROLLOUTS}"
        tell("D6", f"{case}: promoted", share(ends, Move.PROMOTE), "%", 5.0)
        tell("D6", f"{case}: gone back within {most:,}", share(ends, Move.ROLL_BACK), "%")
    for control, new in ((0.0, 0.005), (0.01, 0.015)):
        ends = [simulate(new, control, seed, rules, 20_000) for seed in range(ROLLOUTS // 4)]
        case = f"{control:.1%} against {new:.1%}, just not allowed, of {ROLLOUTS // 4}"
        tell("D6", f"{case}: promoted", share(ends, Move.PROMOTE), "%", 5.0)
    for rate in (0.0, 0.001, 0.01, 0.05):
        ends = [simulate(rate, rate, seed, rules, 20_000) for seed in range(ROLLOUTS // 4)]
        case = f"both {rate:.1%}, of {ROLLOUTS // 4}"
        tell("D6", f"{case}: gone back", share(ends, Move.ROLL_BACK), "%", 1.0)
        tell("D6", f"{case}: promoted within 20,000", share(ends, Move.PROMOTE), "%")
        needed = [end.requests for end in ends if end.move is Move.PROMOTE]
        if needed:
            name = f"both {rate:.1%}: requests to the new version until promoted, median"
            tell("D6", name, float(np.median(needed)), "requests")
    for limit in (0.005, 0.01, 0.02, 0.05):
        needed_now = requests_needed(replace(rules, max_error_rate_increase=limit)) or 0
        tell(
            "D6",
            f"no error, {limit:.1%} allowed: requests for the evidence",
            needed_now,
            "requests",
        )


if __name__ == "__main__":
    main()
