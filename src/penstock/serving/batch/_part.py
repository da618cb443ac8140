"""Prediction of a part: rows are checked, predicted, and written as columns."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from penstock.core import DataError, summarize_error
from penstock.models import CheckedFrame, Model, Signature
from penstock.serving._served_version import ServedVersion
from penstock.serving.batch._options import BatchOptions, target_column

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    from penstock.tables.reading import ReadingRule

_COMPARED = 32  # rows of a part that are predicted alone, where independence is not known by kind
BY_KIND, ROW_BY_ROW = "by kind", "row by row"
COMPARED = f"compared on {_COMPARED} rows of each part"


@dataclass(slots=True)
class PartPredictions:
    """The predictions of a part.

    Args:
        table: A row per predicted row: kept columns and predictions.
        refused: A document per refused row: ``row``, ``reason`` and kept columns.
        warned: Number of predicted rows with warnings.
        answers: Evidence that the rows have the answers of single requests.
    """

    table: "pl.DataFrame"
    refused: list[dict[str, Any]] = field(default_factory=list)
    warned: int = 0
    answers: str = BY_KIND


def predict_part(
    served: ServedVersion,
    part: "pl.DataFrame",
    *,
    first_row: int,
    batch_id: str,
    options: BatchOptions,
    rules: "Mapping[str, ReadingRule] | None" = None,
) -> PartPredictions:
    """Predict the rows of a part, each as a request with that row alone.

    Args:
        served: The version.
        part: Rows of the source.
        first_row: Number of the first row in the source.
        batch_id: The run; the beginning of each prediction's id.
        options: See BatchOptions.
        rules: How texts of the source are read, for inputs that had none in training.
    """
    import polars as pl

    kept = part.select(kept_columns(part.columns, served.signature, options))
    checked = _check(served, part, rules or {})
    refused = dict(checked.refused)
    predicted = _Predicted(served.model)
    predicted.predict(checked.frame, checked.accepted.to_list())
    refused.update(predicted.failed)
    table = predicted.table(options.probabilities)
    rows = pl.Series("row", predicted.rows, pl.Int64)
    ids = pl.select(pl.lit(f"{batch_id}-") + (rows + first_row).cast(pl.String)).to_series()
    texts = _warning_lists(checked.warnings, predicted.rows)
    table = pl.concat(
        [
            *([kept[rows]] if kept.width else []),
            pl.DataFrame([ids.rename("prediction_id")]),
            table,
            pl.DataFrame([texts]),
        ],
        how="horizontal",
    )
    reports = [
        {
            "row": first_row + row,
            "reason": reason,
            **(kept.row(row, named=True) if kept.width else {}),
        }
        for row, reason in sorted(refused.items())
    ]
    warned = sum(1 for row in checked.warnings if row not in refused)
    return PartPredictions(table, reports, warned, predicted.answers)


def _warning_lists(warnings: "Mapping[int, Sequence[str]]", rows: Sequence[int]) -> "pl.Series":
    """Return the texts of each row as a column of lists; made of one flat column, not list by list."""
    import polars as pl

    owned = [(place, text) for place, row in enumerate(rows) for text in warnings.get(row, ())]
    places, texts = zip(*owned, strict=True) if owned else ((), ())
    flat = pl.DataFrame({"place": places, "text": texts}, {"place": pl.Int64, "text": pl.String})
    lists = flat.group_by("place", maintain_order=True).agg("text")
    every = pl.DataFrame({"place": pl.int_range(len(rows), eager=True)})
    found = every.join(lists, on="place", how="left", maintain_order="left")
    none = pl.lit([], dtype=pl.List(pl.String))
    return found.select(pl.col("text").fill_null(none).alias("warnings")).to_series()


def kept_columns(columns: Sequence[str], signature: Signature, options: BatchOptions) -> list[str]:
    """Return the source's columns that stand beside the predictions."""
    if options.keep is not None:
        return list(options.keep)
    inputs = set(signature.names)
    return [name for name in columns if name not in inputs]


def _check(
    served: ServedVersion, part: "pl.DataFrame", rules: "Mapping[str, ReadingRule]"
) -> CheckedFrame:
    """Check the rows; features of views are looked up first, as for requests."""
    encoded = {name for name, rule in rules.items() if rule.type == "json"}
    read = {name: rule for name, rule in rules.items() if name not in encoded}
    signature = served.signature.reading(read) if read else served.signature
    if signature.features is None:
        return signature.check_frame(part, encoded=encoded)
    names = [n for n in part.columns if n in {*signature.names, *signature.features.request}]
    rows = part.select(names).to_dicts()
    for row in rows if encoded else ():
        row.update({n: json.loads(row[n]) for n in encoded if row[n] is not None})

    def check(some: Sequence[Mapping[str, Any]]) -> "tuple[pl.DataFrame, list[tuple[str, ...]]]":
        filled = served.fill(some)
        return signature.check_rows(some if filled is None else filled.rows)

    return _bisect(rows, check)


def _bisect(
    rows: Sequence[Mapping[str, Any]],
    check: "Callable[[Sequence[Mapping[str, Any]]], tuple[pl.DataFrame, list[tuple[str, ...]]]]",
) -> CheckedFrame:
    import polars as pl

    frames: list[pl.DataFrame] = []
    places: list[int] = []
    warnings: dict[int, tuple[str, ...]] = {}
    refused: dict[int, str] = {}
    waiting = [(0, len(rows))]
    while waiting:
        low, high = waiting.pop()
        try:
            frame, texts = check(rows[low:high])
        except DataError as error:
            if high - low == 1:
                refused[low] = f"{error.what} {error.fix or ''}".strip()
            else:
                middle = (low + high) // 2
                waiting += [(middle, high), (low, middle)]
            continue
        frames.append(frame)
        places += range(low, high)
        warnings |= {low + i: each for i, each in enumerate(texts) if each}
    frame = pl.concat(frames) if frames else pl.DataFrame()
    return CheckedFrame(frame, pl.Series(places, dtype=pl.Int64), warnings, refused)


class _Predicted:
    """The predictions of checked rows; rows on which the model fails are apart."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._values: list[pl.Series] = []
        self._shares: list[NDArray[Any]] = []
        self.rows: list[int] = []
        self.failed: dict[int, str] = {}
        self.answers = BY_KIND if model.is_row_wise else COMPARED

    def predict(self, frame: "pl.DataFrame", rows: list[int]) -> None:
        if not rows:
            return
        if self.answers == COMPARED and self._depends(frame):
            self.answers = ROW_BY_ROW
        if self.answers == ROW_BY_ROW:
            for place, row in enumerate(rows):
                self._add(frame[place], [row])
        else:
            self._add(frame, rows)

    def table(self, probabilities: bool) -> "pl.DataFrame":
        import numpy as np
        import polars as pl

        model = self._model
        values = pl.concat(self._values) if self._values else pl.Series([], dtype=pl.Null)
        if model.signature.targets:
            return values.cast(_dtype_of(model)).struct.unnest().rename(target_column)
        columns = [values.rename("prediction").cast(_dtype_of(model))]
        scores = pl.Series("score", [None] * len(values), pl.Float64)
        if self._shares:
            shares = np.concatenate(self._shares)
            row_scores = shares if shares.ndim == 1 else model.score(shares)
            scores = pl.Series("score", row_scores.astype(np.float64))
            if probabilities and shares.ndim > 1:
                columns += [
                    pl.Series(f"probability_{each}", shares[:, i].astype(np.float64))
                    for i, each in enumerate(model.signature.classes)
                ]
        return pl.DataFrame([columns[0], scores, *columns[1:]])

    def _add(self, frame: "pl.DataFrame", rows: list[int]) -> None:
        """Predict rows; where the model fails, each half by itself."""
        try:
            values, shares = self._call(frame)
        except Exception as error:  # noqa: BLE001 - a model may raise anything; it is reported by row
            if len(rows) == 1:
                self.failed[rows[0]] = f"The model failed: {summarize_error(error)}."
                return
            middle = len(rows) // 2
            self._add(frame[:middle], rows[:middle])
            self._add(frame[middle:], rows[middle:])
            return
        self._values.append(values)
        self.rows += rows
        if shares is not None:
            self._shares.append(shares)

    def _call(self, frame: "pl.DataFrame") -> "tuple[pl.Series, NDArray[Any] | None]":
        import numpy as np
        import polars as pl

        if self._model.signature.targets:
            rows = self._model.predict(frame).values
            return pl.Series(rows, dtype=_dtype_of(self._model)), None
        if self._model.signature.task == "outliers":  # scores are decisions, not probabilities
            predictions = self._model.predict(frame)
            return pl.Series(predictions.values), np.asarray(predictions.scores, dtype=np.float64)
        output, shares = self._model.predict_checked(frame)
        return self._model.values_of(output, frame.height), shares

    def _depends(self, frame: "pl.DataFrame") -> bool:
        """Check on a sample whether predictions depend on the rows that are predicted with them."""
        try:
            values, shares = self._call(frame)
            step = max(frame.height // _COMPARED, 1)
            for place in range(0, frame.height, step):
                value, share = self._call(frame[place])
                if value[0] != values[place]:
                    return True
                if share is not None and shares is not None and (share[0] != shares[place]).any():
                    return True
        except Exception:  # noqa: BLE001 - the rows are predicted one by one, which names the bad one
            return True
        return False


def _dtype_of(model: Model) -> Any:
    """Return the type of predictions: the same in every part, also without rows."""
    import polars as pl

    signature = model.signature
    if signature.targets:
        return pl.Struct({each.name: _dtype(each.classes, each.task) for each in signature.targets})
    return _dtype(signature.classes, signature.task)


def _dtype(classes: Sequence[Any], task: str) -> Any:
    import polars as pl

    kinds = {type(label) for label in classes}
    if not kinds:
        return pl.Float64 if task == "regression" else pl.Int64
    known = {str: pl.String, bool: pl.Boolean, int: pl.Int64, float: pl.Float64}
    return known.get(kinds.pop(), pl.String) if len(kinds) == 1 else pl.String
