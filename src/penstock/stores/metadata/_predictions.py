"""Predictions and their delayed ground truth."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from penstock.core import NotFoundError, PredictionRecord
from penstock.stores._json import dump_json, load_json
from penstock.stores.metadata._codec import RecordTable, to_micros
from penstock.stores.metadata._database import Database

_TAG = "$"  # names what only `dump_json` can write
_JSON_TYPES = frozenset({str, int, float, bool, type(None)})
_TEXTS = frozenset({str})
_NUMBERS = frozenset({int, float})
_LARGE = 1 << 63  # beyond, and for NaN and infinity, JSON is not written alike


def _read_warnings(text: str) -> tuple[str, ...]:
    return tuple(load_json(text))


def _warnings_text(warnings: Sequence[str]) -> str:
    return dump_json(list(warnings)) if warnings else "[]"


def _inputs_text(inputs: Mapping[str, Any]) -> str:
    """Write a row as `dump_json`, and in a tenth of its time where JSON has all of the types."""
    import msgspec

    values = inputs.values()
    if (
        type(inputs) is dict
        and _TAG not in inputs
        and _JSON_TYPES.issuperset(map(type, values))
        and _TEXTS.issuperset(map(type, inputs))
        and all(-_LARGE < value < _LARGE for value in values if type(value) in _NUMBERS)
    ):
        try:
            return msgspec.json.encode(inputs).decode()
        except UnicodeEncodeError:  # half of a character, which only an escape can write
            pass
    return dump_json(inputs)


PREDICTIONS = RecordTable(
    "predictions",
    PredictionRecord,
    times=("at", "truth_at"),
    structures=("prediction", "truth", "features"),
    kinds={
        "warnings": (_warnings_text, _read_warnings),
        "inputs": (_inputs_text, load_json),
    },
)
_ADD = f"{PREDICTIONS.insert} ON CONFLICT (prediction_id) DO NOTHING"
_COUNT = (
    "SELECT version, SUM(CASE WHEN row_index = 0 THEN 1 ELSE 0 END), COUNT(*),"
    " SUM(CASE WHEN error IS NULL THEN 0 ELSE 1 END),"
    " SUM(CASE WHEN truth_at IS NULL THEN 0 ELSE 1 END)"
    " FROM predictions WHERE deployment = ? AND at >= ? GROUP BY version ORDER BY version"
)
_BEFORE_ALL = -(2**62)
_AT_ONCE = 500  # ids in one statement


class SQLPredictionStore:
    """PredictionStore on SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, predictions: Sequence[PredictionRecord]) -> None:
        """See PredictionStore."""
        rows = [PREDICTIONS.row(prediction) for prediction in predictions]
        with self._database.write() as transaction:
            transaction.executemany(_ADD, rows)

    def get(self, prediction_id: str) -> PredictionRecord:
        """See PredictionStore."""
        with self._database.read() as transaction:
            row = transaction.execute(
                f"{PREDICTIONS.select} WHERE prediction_id = ?", (prediction_id,)
            ).fetchone()
        if row is None:
            raise NotFoundError(
                what=f"There is no prediction {prediction_id!r}.",
                fix="Use the prediction_id that the model server answered with; it is written"
                " within a second.",
                prediction_id=prediction_id,
            )
        return PREDICTIONS.read(row)

    def get_many(self, prediction_ids: Sequence[str]) -> dict[str, PredictionRecord]:
        """See PredictionStore."""
        records: dict[str, PredictionRecord] = {}
        with self._database.read() as transaction:
            for start in range(0, len(prediction_ids), _AT_ONCE):
                some = prediction_ids[start : start + _AT_ONCE]
                places = ", ".join("?" * len(some))
                rows = transaction.execute(
                    f"{PREDICTIONS.select} WHERE prediction_id IN ({places})", tuple(some)
                )
                for record in map(PREDICTIONS.read, rows.fetchall()):
                    records[record.prediction_id] = record
        return records

    def add_truth(self, truth: Mapping[str, Any], at: datetime) -> list[str]:
        """See PredictionStore."""
        moment = to_micros(at)
        with self._database.write() as transaction:
            return [
                prediction_id
                for prediction_id, value in truth.items()
                if not transaction.execute(
                    "UPDATE predictions SET truth = ?, truth_at = ? WHERE prediction_id = ?",
                    (dump_json(value), moment, prediction_id),
                ).rowcount
            ]

    def count(self, deployment: str, *, since: datetime | None = None) -> dict[int, dict[str, int]]:
        """See PredictionStore."""
        start = _BEFORE_ALL if since is None else to_micros(since)
        with self._database.read() as transaction:
            rows = transaction.execute(_COUNT, (deployment, start)).fetchall()
        return {
            version: {"requests": requests, "rows": count, "errors": errors, "truth": truth}
            for version, requests, count, errors, truth in rows
        }

    def list(
        self,
        deployment: str,
        *,
        version: int | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        with_truth: bool = False,
        limit: int | None = None,
    ) -> list[PredictionRecord]:
        """See PredictionStore."""
        wanted, values = ["deployment = ?"], [deployment]
        for condition, value in (
            ("version = ?", version),
            ("at >= ?", None if since is None else to_micros(since)),
            ("at < ?", None if until is None else to_micros(until)),
        ):
            if value is not None:
                wanted.append(condition)
                values.append(value)  # type: ignore[arg-type] # text and numbers
        if with_truth:
            wanted.append("truth_at IS NOT NULL")
        sql = f"{PREDICTIONS.select} WHERE {' AND '.join(wanted)} ORDER BY at DESC, id DESC LIMIT ?"
        with self._database.read() as transaction:
            rows = transaction.execute(sql, (*values, 2**62 if limit is None else limit)).fetchall()
        return [PREDICTIONS.read(row) for row in reversed(rows)]
