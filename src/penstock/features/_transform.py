"""``table_transformer``: a scikit-learn ColumnTransformer for a table's columns, by their kinds."""

from typing import Any

from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from penstock.core import DataError
from penstock.data import Schema
from penstock.features._dates import DateParts
from penstock.features._levels import LevelMeans
from penstock.features._plain import ToNumber, ToText
from penstock.features._words import WordWeights
from penstock.tables import Column

_TARGET_TYPES = {
    None: None,
    "continuous": "regression",
    "regression": "regression",
    "binary": "binary",
    "multiclass": "multiclass",
}
_DAY_PARTS = ["year", "month", "day", "weekday", "epoch_days"]


def table_transformer(
    schema: Schema,
    *,
    scale: bool = False,
    max_one_hot: int = 20,
    target_type: str | None = None,
) -> ColumnTransformer:
    """Create the first part of a model: from raw columns to an array of numbers. Not fitted yet.

    Numbers: median for missing values, with an indicator column. Booleans: 0 and 1. Categories: a
    column per level up to ``max_one_hot`` levels, else the target's cross-fitted mean. Times: year,
    month, day, weekday, hour, days since 1970. Texts: weights of words. Identifiers, constants and
    empty columns are left out. A level or a missing value that was absent from training is no
    error.

    >>> import polars as pl
    >>> from penstock.data import infer_schema
    >>> table = pl.DataFrame({"age": [31, None, 25], "city": ["A", "B", "A"]})
    >>> columns = table_transformer(infer_schema(table)).fit(table)
    >>> [str(name) for name in columns.get_feature_names_out()]
    ['number__age', 'number__missingindicator_age', 'one_hot__city_A', 'one_hot__city_B']

    Args:
        schema: The features, for example ``split.schema``.
        scale: Whether to scale numbers to mean 0 and deviation 1 (for linear models and
            neighbours).
        max_one_hot: Maximum number of levels for a column per level, 0 or more.
        target_type: ``binary``, ``multiclass`` or ``regression`` where the target does not show it.

    Raises:
        DataError: If no column can be used, or a column is of a type that no model can use.
    """
    if target_type not in _TARGET_TYPES:
        raise DataError(
            what=f"target_type={target_type!r} is not known.",
            fix="Give binary, multiclass or regression, or leave it out.",
        )
    for column in schema:
        _require_usable(column)
    groups = _group(schema, max_one_hot)
    parts = [
        (name, _transformer(name, scale=scale, target_type=_TARGET_TYPES[target_type]), columns)
        for name, columns in groups.items()
        if columns
    ]
    parts += [
        (f"text_{position}", _scaled([WordWeights()], scale=scale), [name])
        for position, name in enumerate(schema.of_kind("text"))
    ]
    if not parts:
        raise DataError(
            what=f"None of the {len(schema)} columns can be used as a feature.",
            why="They are identifiers, or hold one value only.",
            fix="Give other columns, or more rows.",
        )
    return ColumnTransformer(parts, remainder="drop", sparse_threshold=0)


def _group(schema: Schema, max_one_hot: int) -> dict[str, list[str]]:
    categories = [column for column in schema if column.kind == "category"]
    # A missing value becomes a separate level.
    few = [c.name for c in categories if (c.distinct or 0) + c.nullable <= max_one_hot]
    return {
        "number": schema.of_kind("number", "integer"),
        "boolean": schema.of_kind("boolean"),
        "one_hot": few,
        "level_means": [c.name for c in categories if c.name not in few],
        "date": schema.of_kind("date"),
        "datetime": schema.of_kind("datetime"),
    }


def _transformer(name: str, *, scale: bool, target_type: str | None) -> Pipeline:
    match name:
        case "number":
            return _scaled([ToNumber(), _imputer("median")], scale=scale)
        case "boolean":
            return make_pipeline(ToNumber(), _imputer("most_frequent"))
        case "one_hot":
            one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
            return make_pipeline(ToText(), one_hot)
        case "level_means":
            return _scaled([ToText(), LevelMeans(target_type)], scale=scale)
        case "date":
            return _scaled([DateParts(_DAY_PARTS), _imputer("median")], scale=scale)
        case _:
            return _scaled([DateParts(), _imputer("median")], scale=scale)


def _imputer(strategy: str) -> SimpleImputer:
    return SimpleImputer(strategy=strategy, add_indicator=True, keep_empty_features=True)


def _scaled(steps: list[Any], *, scale: bool) -> Pipeline:
    return make_pipeline(*steps, *([StandardScaler()] if scale else []))


def _require_usable(column: Column) -> None:
    if column.kind != "other":
        return
    hints = {
        "Duration": f'pl.col("{column.name}").dt.total_seconds()',
        "Time": f'pl.col("{column.name}").dt.hour()',
        "List": f'pl.col("{column.name}").list.len()',
        "Struct": f'frame.unnest("{column.name}")',
    }
    hint = hints.get(column.dtype.split("(", 1)[0])
    raise DataError(
        what=f"Column {column.name!r} is {column.dtype}: it cannot be a feature.",
        why="A model takes numbers, booleans, texts, dates and times.",
        fix=f"Turn it into one, for example {hint}, or drop it."
        if hint
        else "Turn it into one, or drop it.",
        column=column.name,
    )
