"""Norm: the properties of accepted versions of a data set, and the distance of new rows.

New rows are compared with the most similar accepted version, so that seasons and slow trends are no
faults; the limit is learned from the distances between accepted versions.
"""

import math
import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, TypeAlias

from penstock.core import with_article
from penstock.data._finding import Level
from penstock.data._joint import JointProfile, find_exchanged
from penstock.data._profile import ColumnProfile
from penstock.data._row_hashes import hash_rows
from penstock.data._snapshot import Snapshot
from penstock.tables import Kind

if TYPE_CHECKING:
    import polars as pl

_NUMBERS: frozenset[Kind] = frozenset({"number", "integer"})
_LEVELS: frozenset[Kind] = frozenset({"category", "boolean", "constant"})
_INTERIOR = slice(1, 20)  # of 21 quantiles: the ends are extremes
_DAY = timedelta(days=1).total_seconds()
_RECENT = 12  # versions that a swap is looked for in
_SWAPPED = 0.15
_FEW = 10  # fewer versions do not tell an exception from the rule

Told: TypeAlias = tuple[Level, str, str]
"""Level, column and message."""
Distance: TypeAlias = Callable[[ColumnProfile, ColumnProfile], float]


@dataclass(frozen=True, slots=True)
class Version:
    """Facts of accepted rows that new ones are compared with.

    Args:
        snapshot: The rows; their table is not loaded.
        copies: Number of rows that are exact copies of earlier rows; None if not known.
    """

    snapshot: Snapshot
    copies: int | None = None


class Norm:
    """The normal properties of a data set.

    Args:
        versions: Accepted versions, oldest first; never empty.
    """

    def __init__(self, versions: Sequence[Version]) -> None:
        self._versions = versions
        self._snapshots = [version.snapshot for version in versions]

    def check(self, new: Snapshot, copies: int) -> list[Told]:
        """Return the deviations of new rows.

        Args:
            new: The new rows.
            copies: Number of rows that are exact copies of earlier rows.
        """
        return [*self._check_rows(new, copies), *self._check_columns(new), *self._check_swaps(new)]

    def _check_rows(self, new: Snapshot, copies: int) -> Iterator[Told]:
        yield from self._check_rate(new)
        yield from self._check_end(new)
        counted = [one for one in self._versions if one.copies is not None]
        before = sum(one.copies or 0 for one in counted)
        # Where no copy was seen in n rows, up to 3 in n are possible (the rule of three).
        expected = new.rows * (before + 3) / max(sum(one.snapshot.rows for one in counted), 1)
        usual = max(((one.copies or 0) / max(one.snapshot.rows, 1) for one in counted), default=0.0)
        limits: tuple[tuple[Level, float], ...] = (("fail", 2), ("warn", 1))
        for level, times in limits:
            most = times * max(expected, usual * new.rows) + 4 * math.sqrt(expected)
            if counted and copies > (most if before else min(most, times)):
                yield (
                    level, "",
                    (f"{copies:,} of {new.rows:,} rows are exact copies of another "
                    f"({copies / new.rows:.1%}); accepted versions had at most {usual:.1%}."),
                )  # fmt: skip
                return

    def _check_rate(self, new: Snapshot) -> Iterator[Told]:
        rate, rates = _rate(new), [_rate(one) for one in self._snapshots]
        known = [math.log(one) for one in rates if one]
        if not rate or not known:
            return
        low, high = min(known), max(known)
        room = max(0.7 if len(known) < 3 else 0.35, high - low)  # noqa: PLR2004 - two tell no spread
        logarithm = math.log(rate)
        if low - room <= logarithm <= high + room:
            return
        unit = "rows a day" if new.first_time else "rows"
        word = "fewer" if logarithm < low else "more"
        yield (
            "fail", "",
            (f"There are {rate:,.0f} {unit}, {word} than in accepted versions "
            f"({math.exp(low):,.0f} to {math.exp(high):,.0f})."),
        )  # fmt: skip

    def _check_end(self, new: Snapshot) -> Iterator[Told]:
        gap, gaps = _gap(new), [_gap(one) for one in self._snapshots]
        known = [one for one in gaps if one is not None]
        if gap is None or not known:
            return
        window = _window(new)
        limit = max(3 * max(known), 0.05 * window, 3600.0)
        if gap > limit:
            yield (
                "fail", "",
                (f"The newest row is {gap / _DAY:.1f} days before the cutoff; in accepted versions "
                f"that were at most {max(known) / _DAY:.1f}."),
            )  # fmt: skip

    def _check_columns(self, new: Snapshot) -> Iterator[Told]:
        own = (
            set()
            if new.time is None
            else {new.time}
            if isinstance(new.time, str)
            else set(new.time)
        )
        for name, column in new.profile.columns.items():
            before = [
                one.profile.columns[name] for one in self._snapshots if name in one.profile.columns
            ]
            if not before or name in own:
                continue
            yield from _check_missing(name, column, before)
            if column.quantiles and all(one.quantiles for one in before):
                yield from _check_numbers(name, column, before)
            elif column.top and all(one.top for one in before):
                yield from _check_levels(name, column, before)
            if _all_of(before, frozenset({"id"})) and column.unique < column.rows - column.missing:
                repeated = column.rows - column.missing - column.unique
                yield (
                    "fail", name,
                    (f"'{name}' was different in every row of accepted versions; now {repeated:,} "
                    "rows repeat one."),
                )  # fmt: skip

    def _check_swaps(self, new: Snapshot) -> Iterator[Told]:
        """Find two columns whose values fit the other's better than their own."""
        last = self._snapshots[-_RECENT:]
        names = [
            name
            for name, column in new.profile.columns.items()
            if name != new.time
            and _varies(column)
            and all(_varies(one.profile.columns.get(name)) for one in last)
        ]
        far = {
            (mine, theirs): min(
                _distance(new.profile.columns[mine], one.profile.columns[theirs]) for one in last
            )
            for mine in names
            for theirs in names
        }
        exchanged = self._find_exchanged(new, names)
        for place, a in enumerate(names):
            for b in names[place + 1 :]:
                apart, crossed = far[a, a] + far[b, b], far[a, b] + far[b, a]
                sure = exchanged.get((a, b), exchanged.get((b, a)))
                # The values must not contradict: each is as near to the other's as to its own.
                if sure is not None and crossed <= _SWAPPED + 2 * apart:
                    yield (
                        "fail" if sure and crossed <= _SWAPPED + apart else "warn", a,
                        (f"'{a}' and '{b}' look swapped: each goes together with the other columns "
                        "as the other did in accepted versions."),
                    )  # fmt: skip
                elif apart > _SWAPPED + 2 * crossed:
                    yield (
                        "fail" if apart > 1 + 3 * crossed else "warn", a,
                        (f"'{a}' and '{b}' look swapped: the values of each are like those that the "
                        "other had in accepted versions."),
                    )  # fmt: skip

    def _find_exchanged(self, new: Snapshot, names: Sequence[str]) -> dict[tuple[str, str], bool]:
        """Find pairs by how they go together with other columns; see `find_exchanged`."""
        if len(names) < 2 or len(self._snapshots) < 2:  # noqa: PLR2004 - a pair
            return {}
        before = [_joint(snapshot) for snapshot in self._snapshots[-_RECENT:]]
        return find_exchanged(_joint(new), before, names)


def _joint(snapshot: Snapshot) -> JointProfile:
    return snapshot.joint or JointProfile.of(snapshot)


def count_copies(batches: "Iterable[pl.DataFrame]") -> int:
    """Count the rows that are exact copies of an earlier row.

    >>> import polars as pl
    >>> count_copies(
    ...     [pl.DataFrame({"a": [1, 1], "b": [[1], [1]]}), pl.DataFrame({"a": [1], "b": [[1]]})]
    ... )
    2
    """
    import polars as pl

    hashes = [pl.DataFrame(dict(zip("ab", hash_rows(batch), strict=True))) for batch in batches]
    rows = pl.concat(hashes)
    return rows.height - rows.n_unique()


def _all_of(columns: Iterable[ColumnProfile], kinds: frozenset[Kind]) -> bool:
    return all(column.kind in kinds for column in columns)


def _check_missing(
    name: str, column: ColumnProfile, before: Sequence[ColumnProfile]
) -> Iterator[Told]:
    share = column.missing / max(column.rows, 1)
    shares = [one.missing / max(one.rows, 1) for one in before]
    high = max(shares)
    error = 4 * _error(high, min(column.rows, *(one.rows for one in before)))
    spread = statistics.pstdev(shares)
    # What the share of one more version may be: versions differ, and each has an error of its own.
    mean = statistics.fmean(shares)
    apart = math.hypot(spread, _error(mean, column.rows))
    next_one = mean + 4 * (1 + 2 / len(before)) * apart
    limits: tuple[tuple[Level, float], ...] = (
        ("fail", high + max(0.05, 3 * spread) + error),
        ("warn", min(high + max(0.01, spread) + error, max(high, next_one) + 0.01)),
    )
    for level, limit in limits:
        if share > limit:
            yield (
                level, name,
                f"{share:.1%} of the rows have no '{name}'; in accepted versions at most {high:.1%}.",
            )  # fmt: skip
            return


def _check_numbers(
    name: str, column: ColumnProfile, before: Sequence[ColumnProfile]
) -> Iterator[Told]:
    distance = min((_distance(column, one) for one in before), default=0.0)
    usual = _usual(before, _distance)
    noise = 4 / math.sqrt(max(column.rows - column.missing, 1))
    limits: tuple[tuple[Level, float], ...] = (
        ("fail", max(1.0, 3 * usual) * (1 + 2 / len(before)) + noise),
        ("warn", max(0.4, 2 * usual) + noise),
    )
    was_constant = not any(map(_varies, before))  # nothing tells how it may change
    for level, limit in limits:
        if distance > limit:
            yield (
                "warn" if was_constant else level, name,
                (f"'{name}' moved: its quantiles are {distance:.2g} of its usual spread away from the "
                f"most similar accepted version, more than {limit:.2g}. Its middle was "
                f"{_middle(before[-1])} and is {_middle(column)}."),
            )  # fmt: skip
            return
    yield from _check_extremes(name, column, before)


def _check_extremes(
    name: str, column: ColumnProfile, before: Sequence[ColumnProfile]
) -> Iterator[Told]:
    lows = [one.min for one in before if one.min is not None]
    highs = [one.max for one in before if one.max is not None]
    if not lows or not highs or column.min is None or column.max is None:
        return
    low, high = min(lows), max(highs)
    room = 10 * max(high - low, abs(high) * 1e-9)
    for value in (column.min, column.max):
        if value < low - room or value > high + room:
            yield (
                "warn", name,
                f"'{name}' has {value:.6g}, far outside of {low:.6g} to {high:.6g} in accepted versions.",
            )  # fmt: skip
            return


def _check_levels(
    name: str, column: ColumnProfile, before: Sequence[ColumnProfile]
) -> Iterator[Told]:
    present = max(column.rows - column.missing, 1)
    if all(one.other == 0 for one in before):
        yield from _check_new(name, column, before, present)
    if all(len(one.top) == 1 for one in before):
        return
    variation = min(_variation(column, one) for one in before)
    usual = _usual(before, _variation)
    limit = max(0.3, 3 * usual) + math.sqrt(max(len(column.top), 1) / present)
    if variation > limit:
        yield (
            "fail", name,
            (f"{variation:.0%} of the rows have another '{name}' than in the most similar accepted "
            f"version, more than {limit:.0%}."),
        )  # fmt: skip


def _check_new(
    name: str, column: ColumnProfile, before: Sequence[ColumnProfile], present: int
) -> Iterator[Told]:
    known = {text for one in before for text, _ in one.top}
    new = [(text, count) for text, count in column.top if text not in known]
    count = sum(number for _, number in new) + (column.other if new else 0)
    if not new:
        return
    usual = max((_new_share(place, before) for place in range(1, len(before))), default=0.0)
    share = count / present
    was_constant = all(len(one.top) == 1 for one in before)  # nothing tells how it may change
    level: Level = (
        "fail"
        if not was_constant and share > max(0.1, 3 * usual) + 4 * _error(usual, present)
        else "warn"
    )
    if level == "warn" and share <= 2 * usual:
        return  # new values come in every version
    some = ", ".join(repr(text) for text, _ in new[:3])
    yield (
        level, name,
        f"{count:,} rows have {with_article(repr(name))} that no accepted version had: {some}.",
    )  # fmt: skip


def _new_share(place: int, before: Sequence[ColumnProfile]) -> float:
    """Return the share of rows of a version with values that no earlier version had."""
    known = {text for one in before[:place] for text, _ in one.top}
    column = before[place]
    fresh = sum(count for text, count in column.top if text not in known)
    return fresh / max(column.rows - column.missing, 1)


def _usual(before: Sequence[ColumnProfile], distance: Distance) -> float:
    """Return how far a version is from the most similar earlier one, exceptions left out."""
    distances = sorted(
        min(distance(before[place], one) for one in before[:place])
        for place in range(1, len(before))
    )
    if not distances:
        return 0.0
    # One change of regime must not excuse everything after it.
    return distances[-1] if len(distances) < _FEW else distances[int(0.9 * len(distances)) - 1]


def _distance(new: ColumnProfile, old: ColumnProfile) -> float:
    """Return the mean distance of the interior quantiles in robust standard deviations of the old."""
    if not new.quantiles or not old.quantiles:
        return 0.0
    mine, theirs = new.quantiles[_INTERIOR], old.quantiles[_INTERIOR]
    moved = sum(abs(a - b) for a, b in zip(mine, theirs, strict=True)) / len(mine)
    return moved / _spread(old) if moved else 0.0


def _spread(column: ColumnProfile) -> float:
    q = column.quantiles
    spread = max((q[15] - q[5]) / 1.349, (q[19] - q[1]) / 3.29)
    return spread or column.std or max(abs(q[10]), 1e-12)


def _variation(new: ColumnProfile, old: ColumnProfile) -> float:
    """Return the total variation distance of two distributions over their most frequent values."""
    mine, theirs = _shares(new), _shares(old)
    return sum(abs(mine.get(k, 0.0) - theirs.get(k, 0.0)) for k in mine.keys() | theirs.keys()) / 2


def _shares(column: ColumnProfile) -> dict[str, float]:
    total = max(column.rows - column.missing, 1)
    return {text: count / total for text, count in column.top} | {"\0other": column.other / total}


def _varies(column: ColumnProfile | None) -> bool:
    return (
        column is not None and bool(column.quantiles) and column.quantiles[1] < column.quantiles[19]
    )


def _middle(column: ColumnProfile) -> str:
    return f"{column.quantiles[10]:.4g}" if column.quantiles else "unknown"


def _rate(snapshot: Snapshot) -> float:
    """Return rows a day over the window; all rows without times."""
    if snapshot.first_time is None:
        return float(snapshot.rows)
    return snapshot.rows / max(_window(snapshot) / _DAY, 1e-9)


def _window(snapshot: Snapshot) -> float:
    begin, end = snapshot.since or snapshot.first_time, snapshot.cutoff or snapshot.last_time
    return 0.0 if begin is None or end is None else max((end - begin).total_seconds(), 1.0)


def _gap(snapshot: Snapshot) -> float | None:
    if snapshot.cutoff is None or snapshot.last_time is None:
        return None
    return (snapshot.cutoff - snapshot.last_time).total_seconds()


def _error(share: float, rows: int) -> float:
    """Return the standard error of a share; of a single row where that is 0."""
    share = min(max(share, 1 / max(rows, 1)), 1.0)
    return math.sqrt(share * (1 - share) / max(rows, 1))
