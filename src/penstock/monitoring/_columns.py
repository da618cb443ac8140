"""Compare a column's current values with the training profile; apart from the choice of columns."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from penstock.data import ColumnProfile, bin_places, level_places
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

if TYPE_CHECKING:
    import polars as pl

Verdict: TypeAlias = Literal["drifted", "unclear", "steady", "not compared"]

_FEW_LEVELS = 10
_RARE = 0.2
_LEAST_REFERENCE = 30
_TELLS_NOTHING = 5.0  # limits: a change that may be this large is not "as in training"
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


@dataclass(frozen=True, slots=True)
class Check:
    """A test of one aspect of a column: evidence, effect size and verdict.

    Args:
        aspect: ``distribution``, ``missing``, ``new`` or ``level``.
        statistic: ``w1``, ``tvd``, ``share`` or ``ratio``.
        effect: Effect size: how large the change is.
        minimum: Minimum effect: the lower bound must exceed this for the change to matter.
        p: Evidence that there is any change, as a p-value.
        p_adjusted: The p-value, adjusted for all checks of the report.
        drifted: True if the change is significant and the effect's lower bound exceeds the minimum.
        subject: The changed part of the column; empty for the column as a whole.
        reason: The verdict as a sentence.
    """

    aspect: str
    statistic: str
    effect: Measure
    minimum: float
    p: float
    p_adjusted: float = 1.0
    drifted: bool = False
    subject: str = ""
    reason: str = ""

    @property
    def is_unclear(self) -> bool:
        """True if there is no drift, but five times the minimum cannot be ruled out."""
        if self.drifted or self.aspect == "level":  # the distribution's check covers it
            return False
        far = self.effect.high > _TELLS_NOTHING * self.minimum
        return far and self.effect.value > self.minimum

    def to_json(self) -> dict[str, Any]:
        """Return the check as plain JSON."""
        return {
            "aspect": self.aspect,
            "statistic": self.statistic,
            "effect": self.effect.to_json(),
            "minimum": self.minimum,
            "p": _significant(self.p),
            "p_adjusted": _significant(self.p_adjusted),
            "drifted": self.drifted,
            "subject": self.subject,
            "unclear": self.is_unclear,
            "reason": self.reason,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Check":
        """Read the JSON of ``to_json``."""
        facts = {name: each for name, each in value.items() if name != "unclear"}
        return cls(**{**facts, "effect": Measure(**facts["effect"])})


@dataclass(frozen=True, slots=True)
class ColumnDrift:
    """The difference of a column's values from training.

    Args:
        column: The column's name.
        kind: As in the training profile.
        role: ``feature``, ``prediction`` or ``score``.
        checks: The checks made; empty if the column could not be checked.
        measures: All distances computed, by name.
        bins: Labels of the compared bins, with reference and current counts, for pictures.
        reference_rows: Values in the profile.
        rows: Current values.
        missing: Share of missing values in training and now.
        new_values: Up to 5 values that training never saw.
        note: Why a comparison was not made; else empty.
    """

    column: str
    kind: str
    role: str
    checks: tuple[Check, ...] = ()
    measures: Mapping[str, Measure] = field(default_factory=dict)
    bins: tuple[tuple[str, int, int], ...] = ()
    reference_rows: int = 0
    rows: int = 0
    missing: tuple[float, float] = (0.0, 0.0)
    new_values: tuple[str, ...] = ()
    note: str = ""

    @property
    def drifted(self) -> bool:
        """True if any check found drift."""
        return any(check.drifted for check in self.checks)

    @property
    def verdict(self) -> Verdict:
        """``drifted``, ``unclear`` (too few rows to decide), ``steady`` or ``not compared``."""
        if self.drifted:
            return "drifted"
        if not self.checks:
            return "not compared"
        return "unclear" if any(check.is_unclear for check in self.checks) else "steady"

    @property
    def main(self) -> Check | None:
        """The check of the distribution; None if the distribution was not compared."""
        return next((check for check in self.checks if check.aspect == "distribution"), None)

    @property
    def statistic(self) -> str:
        """Name of the deciding distance; empty if the distribution was not compared."""
        return self.main.statistic if self.main else ""

    @property
    def effect(self) -> float | None:
        """The deciding distance."""
        return self.main.effect.value if self.main else None

    @property
    def low(self) -> float | None:
        """Lower 95 % bound of the deciding distance."""
        return self.main.effect.low if self.main else None

    @property
    def high(self) -> float | None:
        """Upper 95 % bound of the deciding distance."""
        return self.main.effect.high if self.main else None

    @property
    def p(self) -> float | None:
        """p-value of the distribution's check, adjusted for all checks of the report."""
        return self.main.p_adjusted if self.main else None

    @property
    def reason(self) -> str:
        """Why the column drifted or not, as one or more sentences."""
        told = [check.reason for check in self.checks if check.drifted]
        told = told or [check.reason for check in self.checks if check.is_unclear]
        if not told and self.main:
            told = [self.main.reason]
        return " ".join(told) or self.note

    def to_json(self) -> dict[str, Any]:
        """Return the comparison as plain JSON."""
        return {
            "column": self.column,
            "kind": self.kind,
            "role": self.role,
            "drifted": self.drifted,
            "verdict": self.verdict,
            "reason": self.reason,
            "checks": [check.to_json() for check in self.checks],
            "measures": {name: measure.to_json() for name, measure in self.measures.items()},
            "bins": [list(each) for each in self.bins],
            "reference_rows": self.reference_rows,
            "rows": self.rows,
            "missing": [round(share, 6) for share in self.missing],
            "new_values": list(self.new_values),
            "note": self.note,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "ColumnDrift":
        """Read the JSON of ``to_json``."""
        return cls(
            column=value["column"],
            kind=value["kind"],
            role=value["role"],
            checks=tuple(Check.from_json(check) for check in value["checks"]),
            measures={name: Measure(**each) for name, each in value["measures"].items()},
            bins=tuple((str(label), int(a), int(b)) for label, a, b in value["bins"]),
            reference_rows=value["reference_rows"],
            rows=value["rows"],
            missing=(value["missing"][0], value["missing"][1]),
            new_values=tuple(value["new_values"]),
            note=value["note"],
        )


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
    missing = _missing_of(values)
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
    found = rarest_change(before, after, rare=_RARE, floor=limits.ratio_floor, tau=tau)
    if found is None or found.level == len(levels):  # new values have a separate check
        return []
    subject = f"The share of {levels[found.level]!r} went from {found.then:.2%} to {found.now:.2%}"
    effect = Measure(found.ratio, found.low, found.high)
    return [Check("level", "ratio", effect, limits.ratio, found.p, subject=subject)]


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


def _missing_of(values: "pl.Series") -> int:
    return int((values.fill_nan(None) if values.dtype.is_float() else values).null_count())


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


def _significant(value: float) -> float:
    return float(f"{value:.4g}")
