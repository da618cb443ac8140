"""Sticky weighted assignment of requests to versions; apart because the assignment must never change.

Notation: a unit's bucket b is an integer in [0, 10,000); a version owns the half-open range of
buckets below a threshold. Thresholds of candidates start at 0, so raising a share only adds units.
"""

import hashlib
import random
from collections.abc import Mapping
from dataclasses import dataclass

from penstock.core import DeploymentRecord, ParameterError

BUCKETS = 10_000
_TOLERANCE = 1e-6


def bucket(salt: str, unit: str) -> int:
    """Hash a unit to a bucket: the same on every machine, in every process, for ever.

    >>> bucket("big-tips", "taxi-17")
    8113

    Args:
        salt: Makes assignments of two deployments independent.
        unit: The id that must always get the same version: a customer, a device.

    Returns:
        A number from 0 to 9,999.
    """
    text = f"{salt}\0{unit}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") % BUCKETS


@dataclass(frozen=True, slots=True)
class Assignment:
    """The version that answers, and whether the caller's unit decided.

    Args:
        version: The version's number.
        sticky: False if no unit was sent and chance decided.
    """

    version: int
    sticky: bool


class TrafficSplit:
    """A split that sends units to versions by weight; immutable, made per deployment generation.

    >>> split = TrafficSplit({1: 0.95, 2: 0.05}, control=1, salt="big-tips")
    >>> split.choose("taxi-17")
    Assignment(version=1, sticky=True)

    Args:
        weights: Share of units (0 to 1) by version; they sum to 1.
        control: The version that owns the buckets of no candidate.
        salt: See ``bucket``.

    Raises:
        ParameterError: If a weight is outside 0 to 1 or they do not sum to 1.
    """

    def __init__(self, weights: Mapping[int, float], *, control: int, salt: str) -> None:
        require_shares(weights)
        self.control = control
        candidates = sorted(version for version in weights if version != control)
        # The salt names the candidates: each rollout selects a different subset of the units.
        self.salt = "/".join([salt, *map(str, candidates)])
        thresholds: list[tuple[int, int]] = []
        upper = 0.0
        # Candidates first, so that raising a share takes units from the control only.
        for version in candidates:
            upper += weights[version]
            thresholds.append((round(upper * BUCKETS), version))
        self._thresholds = tuple(thresholds)
        self._alone = (
            None if thresholds else (Assignment(control, False), Assignment(control, True))
        )
        # A separate generator: drawing must not change the state that the user's model may rely on.
        self._chance = random.Random()  # noqa: S311 - load spreading, no secret

    @classmethod
    def of(cls, deployment: DeploymentRecord) -> "TrafficSplit":
        """Create the split of a deployment."""
        return cls(deployment.weights, control=deployment.control, salt=deployment.name)

    def choose(self, unit: str | None = None) -> Assignment:
        """Choose the version for a unit; by chance if there is no unit.

        Args:
            unit: The caller's id, or None.
        """
        if self._alone is not None:
            return self._alone[unit is not None]
        if unit is None:
            return Assignment(self._owner(self._chance.randrange(BUCKETS)), sticky=False)
        return Assignment(self._owner(bucket(self.salt, unit)), sticky=True)

    def _owner(self, place: int) -> int:
        for threshold, version in self._thresholds:
            if place < threshold:
                return version
        return self.control


def require_shares(weights: Mapping[int, float]) -> None:
    """Check that shares are from 0 to 1 and sum to 1.

    Args:
        weights: Share of units by version number.

    Raises:
        ParameterError: If they are not, or do not.
    """
    total = sum(weights.values())
    if abs(total - 1) <= _TOLERANCE and all(0 <= share <= 1 for share in weights.values()):
        return
    raise ParameterError(
        what=f"Traffic weights {dict(weights)} sum to {total:g}.",
        why="Every request must have exactly one version.",
        fix="Give shares from 0 to 1 that sum to 1, for example {1: 0.95, 2: 0.05}.",
        weights=dict(weights),
    )
