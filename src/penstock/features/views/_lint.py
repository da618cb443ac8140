"""Leaks of joined features: values known too late, made of the target, or encoded with the target."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from penstock.core import LeakageError
from penstock.data import Finding, check_leakage, split_table

if TYPE_CHECKING:
    import polars as pl

_MIN_ROWS = 50
_MIN_LEVELS = 5
_MAX_CLASSES = 10
_EXACT = 1e-9


def check_features(table: "pl.DataFrame", features: Sequence[str], *, target: str) -> list[Finding]:
    """Check joined features for leaks of the target.

    - ``L5``: a feature predicts the target almost alone: probably made of the target.
    - ``target_encoding``: a feature is the mean target of a category over these very rows, smoothed
      or not: each row's value contains the row's target.

    Args:
        table: Labels with features.
        features: The features.
        target: Column with the target.
    """
    return [*_find_proxies(table, features, target), *find_encodings(table, features, target)]


def require_no_leaks(findings: Sequence[Finding]) -> None:
    """Refuse features with a leak.

    Raises:
        LeakageError: If a finding is a failure.
    """
    failed = [each for each in findings if each.level == "fail"]
    if failed:
        raise LeakageError(
            what=" ".join(each.message for each in failed[:3]),
            why=f"{len(failed)} features would not have these values when the model is used.",
            fix="Leave them out, or correct their available_at.",
            columns=[each.column for each in failed],
        )


def find_encodings(table: "pl.DataFrame", features: Sequence[str], target: str) -> list[Finding]:
    """Return the features that are the mean target of a category over these rows.

    A smoothed mean is (s + m p) / (n + m) for all levels of the category, with s the sum of the
    target and n the number of rows of a level: two numbers, m and m p, explain all levels.

    Args:
        table: Labels with features.
        features: The features.
        target: Column with the target; numbers, or up to ten classes.
    """
    numbers = [name for name in features if table[name].dtype.is_numeric()]
    categories = [
        name
        for name, kind in table.schema.items()
        if name != target and (kind.is_integer() or str(kind) in {"String", "Boolean", "Date"})
    ]
    findings = []
    for feature in numbers:
        for category in categories:
            if category != feature and _is_encoding(table, feature, category, target):
                text = (
                    f"Feature '{feature}' is the mean of '{target}' by '{category}' over these rows:"
                    " each value contains the row's own target. Fit the encoding in the model, on"
                    " train rows (ps.table_transformer does), or write it with the time at which"
                    " its targets were known."
                )
                findings.append(Finding("fail", "target_encoding", feature, text))
                break
    return findings


def _is_encoding(table: "pl.DataFrame", feature: str, category: str, target: str) -> bool:
    import polars as pl

    rows = table.select(category, feature, target).drop_nulls()
    if rows.height < _MIN_ROWS:
        return False
    value = pl.col(feature).cast(pl.Float64)
    levels = rows.group_by(category, maintain_order=True).agg(
        value.min().alias("low"), value.max().alias("value"), pl.len().alias("rows")
    )
    is_function = levels.select((pl.col("low") == pl.col("value")).all()).item()
    if not is_function or levels["value"].n_unique() < _MIN_LEVELS or levels["rows"].max() == 1:
        return False
    values = levels["value"].to_numpy()
    counts = levels["rows"].to_numpy().astype(float)
    return any(_explains(values, counts, sums) for sums in _sums(rows, levels, category, target))


def _sums(
    rows: "pl.DataFrame", levels: "pl.DataFrame", category: str, target: str
) -> Iterator[Any]:
    """Yield the sum of the target by level; of classes, the number of rows of each."""
    import polars as pl

    column = rows[target]
    if column.dtype.is_numeric() or column.dtype == pl.Boolean:
        numbers = [column.cast(pl.Float64)]
    else:
        classes = column.unique().sort()
        numbers = [(column == each).cast(pl.Float64) for each in classes[:_MAX_CLASSES]]
    for each in numbers:
        by_level = rows.with_columns(each.alias("sum")).group_by(category, maintain_order=True)
        sums = levels.select(category).join(
            by_level.agg(pl.col("sum").sum()), on=category, maintain_order="left"
        )
        yield sums["sum"].to_numpy()


def _explains(values: Any, counts: Any, sums: Any) -> bool:
    """Return whether values n - s = m p - m values holds for all levels, for some m and p."""
    wanted = values * counts - sums
    parts = np.column_stack([np.ones_like(values), -values])
    weights = np.linalg.lstsq(parts, wanted, rcond=None)[0]
    scale = np.abs(sums).max() + np.abs(wanted).max()
    return bool(np.abs(parts @ weights - wanted).max() <= _EXACT * max(scale, 1.0))


def _find_proxies(table: "pl.DataFrame", features: Sequence[str], target: str) -> list[Finding]:
    if table.height < _MIN_ROWS or table[target].n_unique() < 2:  # noqa: PLR2004 - nothing varies
        return []
    split = split_table(table.select([*features, target]), target=target)
    return [each for each in check_leakage(split) if each.rule == "L5" and each.column in features]


def find_later_values(
    known: "pl.DataFrame", happened: "pl.DataFrame", features: Sequence[str]
) -> list[Finding]:
    """Count the labels whose value would differ if knowledge time were ignored.

    Args:
        known: The features of the join.
        happened: The features of the join by event time only.
        features: The features.
    """
    findings = []
    for name in features:
        count = int(known[name].ne_missing(happened[name]).sum())
        if count:
            text = (
                f"{count:,} of {known.height:,} labels have a value of '{name}' that was corrected"
                " or came later: by event time alone they would get one that was not known yet."
            )
            findings.append(Finding("info", "known_later", name, text))
    return findings
