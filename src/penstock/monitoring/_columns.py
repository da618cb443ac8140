"""Compare a column's current values with the training profile; apart from the choice of columns."""

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from penstock.data import ColumnProfile, bin_places, level_places
from penstock.monitoring._column_drift import Check, ColumnDrift
from penstock.monitoring._effects import Measure, share_measures, wasserstein
from penstock.monitoring._evidence import (
    RateChange,
    homogeneity_p,
    ordered_p,
    rarest_change,
    rate_change,
    rows_per_independent,
)
from penstock.monitoring._limits import Limits
from penstock.tables import without_nan

if TYPE_CHECKING:
    import polars as pl

_FEW_LEVELS = 10
_RARE = 0.2
_LEAST_REFERENCE = 30
_NEW = "(new)"
_OTHER = "(other)"
_MAX_NEW_TOLD = 5
_NOT_COMPARED = {
    "id": "identifiers are always new",
    "text": "free text is not compared",
    "datetime": "time moves on by itself",
    "date": "time moves on by itself",
    "other": "values of this type are not compared",
}


def compare_column(
    profile: ColumnProfile,
    values: "pl.Series",
    limits: Limits,
    *,
    role: str = "feature",
    as_category: bool = False,
) -> ColumnDrift:
    """Compare a column with the training profile; verdicts are set once all columns are known.

    Args:
        profile: The training profile.
        values: Current values in time order.
        limits: Source of the minimum effects.
        role: ``feature``, ``prediction`` or ``score``.
        as_category: True to compare whole numbers as categories: class labels.
    """
    limits = limits.of(values.name)
    missing = without_nan(values).null_count()
    drift = ColumnDrift(
        column=values.name,
        kind=profile.kind,
        role=role,
        reference_rows=profile.rows,
        rows=len(values),
        missing=(_share(profile.missing, profile.rows), _share(missing, len(values))),
    )
    if not len(values):
        return replace(drift, note="There are no current rows.")
    if profile.rows < _LEAST_REFERENCE:
        few = f"{profile.rows} reference rows are too few to compare with"
        return replace(drift, note=f"Not compared: {few}.")
    change = rate_change(profile.missing, profile.rows, missing, len(values))
    # A check without missing values would only weaken the adjusted p-values of the rest.
    if profile.missing or missing:
        drift = replace(drift, checks=(_rate_check("missing", change, limits.missing),))
    if missing == len(values) or profile.missing == profile.rows:
        return replace(drift, note="There are no values to compare.")
    if profile.kind in _NOT_COMPARED and not as_category:
        return replace(drift, note=f"Not compared: {_NOT_COMPARED[profile.kind]}.")
    if profile.top and (as_category or _is_category(profile)):
        return _compare_categories(drift, profile, values, limits)
    if profile.quantiles:
        return _compare_numbers(drift, profile, values, limits)
    return replace(drift, note="The profile has nothing to compare with.")


def _compare_numbers(
    drift: ColumnDrift, profile: ColumnProfile, values: "pl.Series", limits: Limits
) -> ColumnDrift:
    import numpy as np
    import polars as pl

    numbers = values.cast(pl.Float64, strict=False).fill_nan(None).drop_nulls().to_numpy()
    if not len(numbers):
        return replace(drift, note="No current value is a number.")
    # A constant has no spread to measure a shift by: any new value counts.
    if profile.unique <= 1:
        return _compare_constant(drift, profile, numbers, limits)
    codes = bin_places(profile.edges, numbers)
    counts = np.bincount(codes, minlength=len(profile.counts))
    tau = rows_per_independent(profile.dependence, codes, sum(profile.counts))
    effect = wasserstein(
        profile, np.sort(numbers), n=sum(profile.counts) / tau, m=len(numbers) / tau
    )
    p = ordered_p(np.asarray(profile.counts, dtype=float), counts.astype(float), tau)
    bins = tuple(
        (label, int(then), int(now))
        for label, then, now in zip(
            _bin_labels(profile.edges), profile.counts, counts.tolist(), strict=True
        )
    )
    shares = share_measures(profile.counts, counts.tolist(), name=drift.column, tau=tau)
    return replace(
        drift,
        checks=(Check("distribution", "w1", effect, limits.w1, p), *drift.checks),
        measures={"w1": effect, **shares},
        bins=bins,
    )


def _compare_constant(
    drift: ColumnDrift, profile: ColumnProfile, numbers: Any, limits: Limits
) -> ColumnDrift:
    same = int((numbers == profile.min).sum())
    known = profile.rows - profile.missing
    change = rate_change(0, known, len(numbers) - same, len(numbers))
    others = sorted({f"{value:g}" for value in numbers[numbers != profile.min][:1000].tolist()})
    return replace(
        drift,
        checks=(_rate_check("new", change, limits.new), *drift.checks),
        bins=((f"{profile.min:g}", known, same), (_NEW, 0, len(numbers) - same)),
        new_values=tuple(others[:_MAX_NEW_TOLD]),
    )


def _compare_categories(
    drift: ColumnDrift, profile: ColumnProfile, values: "pl.Series", limits: Limits
) -> ColumnDrift:
    import numpy as np
    import polars as pl

    texts = _as_texts(values)
    levels = _comparable_levels(profile)
    if not levels:
        return replace(drift, note="No category is frequent enough to be compared.")
    codes = level_places(list(levels), texts)
    counts = np.bincount(codes, minlength=len(levels) + 1).tolist()
    known = profile.rows - profile.missing
    then = [*levels.values(), known - sum(levels.values())]
    tau = rows_per_independent(profile.dependence, codes, known)
    # Only a complete list of levels shows which values are new.
    complete = not profile.other and len(levels) == len(profile.top)
    measures = share_measures(then, counts, name=drift.column, tau=tau)
    before, after = np.asarray(then, dtype=float), np.asarray(counts, dtype=float)
    checks = [
        Check("distribution", "tvd", measures["tvd"], limits.tvd, homogeneity_p(before, after, tau))
    ]
    checks += _rare_level(list(levels), before, after, limits, tau)
    fresh: tuple[str, ...] = ()
    if complete and counts[-1]:
        # A training row with a unique value was new to the rest of the rows: that many new values
        # are expected where nothing has changed (Good 1953, Biometrika 40).
        once = sum(count == 1 for count in levels.values())
        change = rate_change(once, known, counts[-1], len(texts), tau)
        checks.append(_rate_check("new", change, limits.new))
        fresh = _commonest(texts.filter(pl.Series(codes) == len(levels)))
    labels = (*levels, _NEW if complete else _OTHER)
    bins = tuple(zip(labels, then, counts, strict=True))
    return replace(
        drift,
        checks=(*checks, *drift.checks),
        measures=measures,
        bins=bins if then[-1] or counts[-1] else bins[:-1],
        new_values=fresh,
    )


def _rare_level(
    levels: list[str], before: Any, after: Any, limits: Limits, tau: float
) -> list[Check]:
    """Test whether the share of any rare level rose or fell; few rows change, but may matter."""
    change = rarest_change(before, after, rare=_RARE, floor=limits.ratio_floor, tau=tau)
    if change is None or change.level == len(levels):  # new values have a separate check
        return []
    subject = (
        f"The share of {levels[change.level]!r} went from {change.then:.2%} to {change.now:.2%}"
    )
    effect = Measure(change.ratio, change.low, change.high)
    return [Check("level", "ratio", effect, limits.ratio, change.p, subject=subject)]


def _comparable_levels(profile: ColumnProfile) -> dict[str, int]:
    """Choose the levels whose reference count is a fair estimate of their share.

    A profile stores the most frequent levels only. Where many levels have similar counts, the
    stored levels were the lucky ones in training, and would all look rarer now; only levels that
    exceed the last stored level by more than chance are free of that bias.
    """
    if not profile.other:
        return dict(profile.top)
    last = profile.top[-1][1]
    return {
        level: count for level, count in profile.top if count - last > 3 * (count + last) ** 0.5
    }


def _is_category(profile: ColumnProfile) -> bool:
    if not profile.quantiles:
        return True
    return not profile.other and 1 < profile.unique <= _FEW_LEVELS


def _as_texts(values: "pl.Series") -> "pl.Series":
    import polars as pl

    if values.dtype.is_float():
        # Whole numbers are the same as text; a class 1.0 is the class 1.
        whole = values.fill_nan(None).drop_nulls()
        if bool((whole == whole.floor()).all()):
            values = whole.cast(pl.Int64, strict=False)
    return values.drop_nulls().cast(pl.String).rename("value")


def _commonest(texts: "pl.Series") -> tuple[str, ...]:
    counts = texts.value_counts(name="rows").sort(["rows", "value"], descending=[True, False])
    return tuple(str(text)[:60] for text in counts["value"].head(_MAX_NEW_TOLD))


def _rate_check(aspect: str, change: RateChange, minimum: float) -> Check:
    return Check(
        aspect, "share", Measure(change.difference, change.low, change.high), minimum, change.p
    )


def _bin_labels(edges: tuple[float, ...]) -> list[str]:
    inner = [f"{edge:.4g}" for edge in edges[1:-1]]
    if not inner:
        return [f"{edges[0]:.4g}"]
    between = [f"{low} to {high}" for low, high in pairwise(inner)]
    return [f"up to {inner[0]}", *between, f"above {inner[-1]}"]


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
