"""Predictor: request rows to logged predictions; the path that both prediction routes share."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from penstock.core import DataError, PenstockError, PredictionRecord, new_id, now
from penstock.http import Call, HttpError
from penstock.models import Predictions
from penstock.serving._prediction_log import PredictionLog
from penstock.serving._router import Router, ServedDeployment
from penstock.serving._served_version import ModelError, Row, ServedVersion

# Requests that may wait for a thread; further requests are refused with 503.
_MAX_WAITING = 256
MAX_ROWS = 10_000
_BAD_REQUEST = 400

Read = Callable[[ServedVersion], Sequence[Row]]
"""Reads a request's rows for a version; raises DataError or HttpError 400 if that fails."""


@dataclass(frozen=True, slots=True)
class Response:
    """The predictions for a request.

    Args:
        route: The deployment generation that answered.
        served: The version that answered.
        ids: Prediction ids, in row order.
        predictions: Results of the model, in row order.
        features: Values looked up in feature views, in row order; empty if the model has none.
    """

    route: ServedDeployment
    served: ServedVersion
    ids: list[str]
    predictions: Predictions
    features: Sequence[Mapping[str, Any]] = ()

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """Response headers with the version and the generation that answered."""
        return [*_headers(self.served.version, self.route.record.generation)]


@lru_cache(maxsize=1024)
def _headers(version: int, generation: int) -> tuple[tuple[bytes, bytes], ...]:
    return (
        (b"x-penstock-model-version", b"%d" % version),
        (b"x-penstock-generation", b"%d" % generation),
    )


_Answer = tuple[Predictions, Sequence[Row], Sequence[Mapping[str, Any]]]
"""Predictions, the rows that were predicted, and what was looked up for each."""


class Predictor:
    """The service behind both routes: version choice, prediction off the event loop, logging.

    Args:
        router: Source of the routes.
        log: Receives the predictions; None to log none.
    """

    def __init__(self, router: Router, log: PredictionLog | None) -> None:
        self._router, self._log = router, log
        self._waiting = 0
        self._threads: Any = None

    async def predict(
        self,
        call: Call,
        read: Read,
        unit: str | None,
        version: int | None = None,
        *,
        outputs: Sequence[str] | None = (),
    ) -> Response:
        """Predict rows and log the predictions.

        A failed request leaves a single record. During a rollout, a request that the chosen version
        refuses and the rollout's second version would accept is also recorded as a failure: for the
        caller the effect is the same as a failing model. A request that both versions refuse is the
        caller's mistake and is not recorded.

        Args:
            call: The request; deployment and version are filled in here.
            read: Reads the rows for the version that was chosen.
            unit: The caller's id for sticky assignment, or None.
            version: A version requested by number, or None.
            outputs: Names of further outputs to compute; None for all.

        Raises:
            NotFoundError: If the deployment or version is not served.
            DataError: If a row cannot be used.
            HttpError: 400 with too many rows, 503 with too many requests waiting.
            ModelError: If the model failed; the failure is logged.
        """
        route = self._router.route(call.path["name"])
        call.deployment = route.record.name
        served = route.choose(unit, version)
        call.version = str(served.version)
        started, at = time.perf_counter(), now()
        rows: Sequence[Row] = ()
        try:
            rows = _require_few(read(served))
            predictions, rows, features = await self._predict(
                served, rows, _extras(served, outputs)
            )
        except ModelError as error:
            failure = error.values["failure"]
            # A hard fault needs no statistics: a value that is no prediction is wrong by itself.
            if failure.hard:
                self._router.controller(route.record.name).fault(served.version, error.what)
            row = {} if failure.row is None else rows[failure.row]
            self._record_failure(route, served, row, unit, at, started, failure.message)
            raise
        except (DataError, HttpError) as error:
            if version is None and _is_refusal(error) and _other_takes(route, served, read):
                text = f"refused: {' '.join(error.what.split())}"[:300]
                self._record_failure(route, served, {}, unit, at, started, text)
            raise
        ids = [new_id() for _ in rows]
        if self._log is not None:
            elapsed = time.perf_counter() - started
            self._log.add(
                _records(route, served, ids, rows, predictions, features, unit, at, elapsed)
            )
        return Response(route, served, ids, predictions, features)

    async def _predict(
        self, served: ServedVersion, rows: Sequence[Row], outputs: Sequence[str]
    ) -> _Answer:
        if served.is_quick(len(rows)):
            return _answer(served, rows, outputs)
        if self._waiting >= _MAX_WAITING:
            raise HttpError(
                503,
                f"{self._waiting} requests wait already.",
                "The model is too slow for the load, and later responses would be too late.",
                "Send the request again in a second.",
            )
        import anyio

        if self._threads is None:
            self._threads = anyio.CapacityLimiter(max(os.cpu_count() or 1, 2))
        self._waiting += 1
        try:
            return await anyio.to_thread.run_sync(
                _answer, served, rows, outputs, limiter=self._threads
            )
        finally:
            self._waiting -= 1

    def _record_failure(
        self,
        route: ServedDeployment,
        served: ServedVersion,
        row: Row,
        unit: str | None,
        at: datetime,
        started: float,
        message: str,
    ) -> None:
        if self._log is None:
            return
        record = PredictionRecord(
            prediction_id=new_id(),
            deployment=route.record.name,
            model=route.record.model,
            version=served.version,
            at=at,
            inputs=row,
            prediction=None,
            unit=unit,
            latency_s=time.perf_counter() - started,
            error=message,
            form=served.form,
        )
        self._log.add([record])


def _answer(served: ServedVersion, rows: Sequence[Row], outputs: Sequence[str]) -> _Answer:
    """Predict rows, after the features that they leave out are looked up."""
    filled = served.fill(rows)
    if filled is None:
        return served.predict(rows, outputs), rows, ()
    return served.predict(filled.rows, outputs), filled.rows, filled.features


def _extras(served: ServedVersion, outputs: Sequence[str] | None) -> list[str]:
    known = [each.name for each in served.signature.extras]
    return known if outputs is None else [name for name in known if name in outputs]


def _require_few(rows: Sequence[Row]) -> Sequence[Row]:
    if len(rows) <= MAX_ROWS:
        return rows
    raise HttpError(
        413,
        f"The request has {len(rows):,} rows.",
        f"One request may have {MAX_ROWS:,}.",
        "Send them in several requests.",
    )


def _is_refusal(error: PenstockError) -> bool:
    return isinstance(error, DataError) or error.values.get("status") == _BAD_REQUEST


def _other_takes(route: ServedDeployment, served: ServedVersion, read: Read) -> bool:
    """Check whether the second version of a running rollout would accept the refused request."""
    rollout = route.record.rollout
    if rollout is None or not rollout.is_open:
        return False
    return any(_takes(other, read) for other in route.versions.values() if other is not served)


def _takes(served: ServedVersion, read: Read) -> bool:
    try:
        rows = read(served)
        filled = served.fill(rows)
        served.signature.check_rows(rows if filled is None else filled.rows)
    except (DataError, HttpError):
        return False
    return True


def _records(
    route: ServedDeployment,
    served: ServedVersion,
    ids: Sequence[str],
    rows: Sequence[Row],
    predictions: Predictions,
    features: Sequence[Mapping[str, Any]],
    unit: str | None,
    at: datetime,
    elapsed_s: float,
) -> list[PredictionRecord]:
    record = route.record
    return [
        PredictionRecord(
            prediction_id=prediction_id,
            deployment=record.name,
            model=record.model,
            version=served.version,
            at=at,
            inputs=row,
            prediction=predictions.values[place],
            unit=unit,
            score=predictions.scores[place],
            latency_s=elapsed_s,
            warnings=predictions.warnings[place],
            row_index=place,
            features=(features[place] or None) if features else None,
            form=served.form,
        )
        for place, (prediction_id, row) in enumerate(zip(ids, rows, strict=True))
    ]
