"""Fairness of a binary model by group: fairlearn's definitions from four counts per group.

Notation: a group's selection rate is P(prediction positive), the true positive rate P(prediction
positive | truth positive), the false positive rate P(prediction positive | truth negative).
A deliberate difference to fairlearn: a rate without rows (a group without a positive row) is left
out; fairlearn counts such a rate as 0.

Source: Agarwal et al. (2018), A Reductions Approach to Fair Classification; fairlearn.metrics.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

RATES = ("selection_rate", "true_positive_rate", "false_positive_rate", "accuracy", "precision")


@dataclass(frozen=True, slots=True)
class GroupCounts:
    """The counts from which a group's rates are computed.

    Args:
        value: The group: a value of the sensitive column; None for a missing value.
        rows: Number of rows.
        actual: Number of rows whose truth is positive.
        predicted: Number of rows predicted positive.
        hits: Number of rows whose truth and prediction are positive.
    """

    value: Any
    rows: int
    actual: int
    predicted: int
    hits: int

    @property
    def selection_rate(self) -> float | None:
        """Share of rows predicted positive."""
        return _share(self.predicted, self.rows)

    @property
    def true_positive_rate(self) -> float | None:
        """Share of positive rows predicted positive (recall)."""
        return _share(self.hits, self.actual)

    @property
    def false_positive_rate(self) -> float | None:
        """Share of negative rows predicted positive."""
        return _share(self.predicted - self.hits, self.rows - self.actual)

    @property
    def accuracy(self) -> float | None:
        """Share of rows predicted correctly."""
        return _share(self.rows - self.actual - self.predicted + 2 * self.hits, self.rows)

    @property
    def precision(self) -> float | None:
        """Share of rows predicted positive whose truth is positive."""
        return _share(self.hits, self.predicted)


def count_groups(
    truth: object, prediction: object, sensitive: "pl.DataFrame"
) -> dict[str, list[GroupCounts]]:
    """Return, per sensitive column and group, the counts for the five rates.

    >>> import polars as pl
    >>> groups = count_groups([1, 0], [1, 1], pl.DataFrame({"sex": ["f", "m"]}))
    >>> [group.selection_rate for group in groups["sex"]]
    [1.0, 1.0]

    Args:
        truth: Whether the truth is positive: booleans or 0/1, shape (n,).
        prediction: Whether the prediction is positive, shape (n,).
        sensitive: The sensitive columns, n rows.

    Returns:
        Groups per column, sorted by value, a missing value last.
    """
    import polars as pl

    marks = pl.DataFrame({"t": truth, "p": prediction}).select(
        t=pl.col("t").cast(pl.Boolean), p=pl.col("p").cast(pl.Boolean)
    )
    marks = marks.with_columns(h=pl.col("t") & pl.col("p"))
    return {column.name: _count(marks, column) for column in sensitive}


def _count(marks: "pl.DataFrame", column: "pl.Series") -> list[GroupCounts]:
    import polars as pl

    counts = (
        marks.with_columns(column.alias("g"))
        .group_by("g")
        .agg(pl.len(), pl.col("t").sum(), pl.col("p").sum(), pl.col("h").sum())
        .sort("g", nulls_last=True)
    )
    return [GroupCounts(*row) for row in counts.iter_rows()]


def demographic_parity_difference(groups: Sequence[GroupCounts]) -> float | None:
    """Return the highest selection rate minus the lowest; None without groups.

    >>> demographic_parity_difference([GroupCounts("f", 4, 2, 1, 1), GroupCounts("m", 4, 2, 3, 2)])
    0.5
    """
    return rate_difference(groups, "selection_rate")


def demographic_parity_ratio(groups: Sequence[GroupCounts]) -> float | None:
    """Return the lowest selection rate divided by the highest; None if no row is selected.

    >>> demographic_parity_ratio([GroupCounts("f", 4, 2, 1, 1), GroupCounts("m", 4, 2, 2, 2)])
    0.5
    """
    return rate_ratio(groups, "selection_rate")


def equalized_odds_difference(groups: Sequence[GroupCounts]) -> float | None:
    """Return the greater of the differences in true and in false positive rate.

    >>> equalized_odds_difference([GroupCounts("f", 4, 2, 1, 1), GroupCounts("m", 4, 2, 3, 2)])
    0.5
    """
    return _worst(max, groups, rate_difference)


def equalized_odds_ratio(groups: Sequence[GroupCounts]) -> float | None:
    """Return the smaller of the ratios in true and in false positive rate.

    >>> equalized_odds_ratio([GroupCounts("f", 4, 2, 2, 1), GroupCounts("m", 4, 2, 3, 2)])
    0.5
    """
    return _worst(min, groups, rate_ratio)


def _worst(
    choose: Callable[[Iterable[float]], float],
    groups: Sequence[GroupCounts],
    compare: Callable[[Sequence[GroupCounts], str], float | None],
) -> float | None:
    figures = [compare(groups, rate) for rate in ("true_positive_rate", "false_positive_rate")]
    known = [figure for figure in figures if figure is not None]
    return choose(known) if known else None


def rate_difference(groups: Sequence[GroupCounts], rate: str) -> float | None:
    """Return the highest minus the lowest value of a rate over the groups that have the rate."""
    figures = _known(groups, rate)
    return max(figures) - min(figures) if figures else None


def rate_ratio(groups: Sequence[GroupCounts], rate: str) -> float | None:
    """Return the lowest value of a rate divided by the highest; None if the highest is 0."""
    figures = _known(groups, rate)
    return min(figures) / max(figures) if figures and max(figures) > 0 else None


def parity(groups: Sequence[GroupCounts]) -> Mapping[str, float]:
    """Return the four parity figures of a column by name; an undefined figure is absent."""
    figures = {
        "demographic_parity_difference": demographic_parity_difference(groups),
        "demographic_parity_ratio": demographic_parity_ratio(groups),
        "equalized_odds_difference": equalized_odds_difference(groups),
        "equalized_odds_ratio": equalized_odds_ratio(groups),
    }
    return {name: figure for name, figure in figures.items() if figure is not None}


def _known(groups: Sequence[GroupCounts], rate: str) -> list[float]:
    figures = [getattr(group, rate) for group in groups]
    return [figure for figure in figures if figure is not None]


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
