"""The explain route: the contributions behind a prediction; single, and with a limit of seconds.

An explanation costs hundreds of predictions, so that it may not take the place of those: a second
request is refused during a computation, and models that are not trees give up after the limit.
"""

import threading
from typing import Any

import anyio.to_thread
import msgspec

from penstock.core import MissingPackageError, NotFoundError, PredictionRecord, ServingError
from penstock.http import Call, HttpError, Reply, read_json, reply_json
from penstock.models import Model
from penstock.registry import explain_loaded, inputs_of
from penstock.serving._friendly import read_unit
from penstock.serving._prediction_log import PredictionLog
from penstock.serving._router import Router, ServedDeployment
from penstock.serving._served_version import ServedVersion
from penstock.stores import Store

_EXAMPLE = '{"row": {"column": value, …}} or {"prediction_id": "<prediction id>"}'
LIMIT_S = 10.0


class _ExplainBody(msgspec.Struct, forbid_unknown_fields=True):
    row: dict[str, Any] | None = None
    prediction_id: str | None = None
    unit: str | int | None = None
    version: int | None = None


class ExplainRoute:
    """Handler of ``/models/{name}/explain``.

    Args:
        store: The store of versions and predictions.
        router: Source of the routes.
        log: Flushed when a prediction is requested before being written; None if off.
        limit_s: Seconds of predicting that an explanation may take.
    """

    def __init__(
        self, store: Store, router: Router, log: PredictionLog | None, *, limit_s: float = LIMIT_S
    ) -> None:
        self._store, self._router, self._log, self._limit_s = store, router, log, limit_s
        self._form = msgspec.json.Decoder(_ExplainBody)
        self._one_at_a_time = threading.Lock()

    async def explain(self, call: Call) -> Reply:
        """Explain the prediction of a row, or a logged prediction by the version of that prediction.

        Raises:
            HttpError: 400 without a row or id, 501 without shap, 503 during a computation
                or after the time limit.
            NotFoundError: If the deployment, version or prediction does not exist here.
            DataError: If the row cannot be used.
        """
        route = self._router.route(call.path["name"])
        call.deployment = route.record.name
        body = read_json(call.body, self._form, _EXAMPLE)
        if (body.row is None) == (body.prediction_id is None):
            raise HttpError(
                400,
                "The body has " + ("no row." if body.row is None else "a row and a prediction id."),
                "An explanation is of one row or of one logged prediction.",
                f"Send for example {_EXAMPLE}",
            )
        if body.prediction_id is None:
            served = route.choose(read_unit(body.unit), body.version)
            call.version = str(served.version)
        else:
            served = None
        if not self._one_at_a_time.acquire(blocking=False):
            raise HttpError(
                503,
                "Another explanation is being computed.",
                "It costs hundreds of predictions, and requests for these come first.",
                "Send the request again in a second.",
            )
        try:
            document = await anyio.to_thread.run_sync(self._answer, route, served, body)
        finally:
            self._one_at_a_time.release()
        call.version = str(document["version"])
        return reply_json(document, headers={"x-penstock-model-version": call.version})

    def _answer(
        self, route: ServedDeployment, served: ServedVersion | None, body: _ExplainBody
    ) -> dict[str, Any]:
        try:
            if served is None:
                return self._logged(route, str(body.prediction_id))
            row = body.row or {}
            filled = served.fill([row])
            rows = [row] if filled is None else filled.rows
            explanations = explain_loaded(
                served.model, served.record, rows, limit_s=self._limit_s, store=self._store
            )
        except MissingPackageError as error:
            raise HttpError(501, error.what, error.why, error.fix) from error
        except ServingError as error:
            raise HttpError(503, error.what, error.why, error.fix) from error
        return {**explanations.row(0), "model": served.record.model, "version": served.version}

    def _logged(self, route: ServedDeployment, prediction_id: str) -> dict[str, Any]:
        record = self._find(route, prediction_id)
        inputs = inputs_of(record)
        version = self._store.metadata.models.get_version(record.model, record.version)
        loaded = route.versions.get(record.version)
        # An earlier version is loaded for this explanation alone.
        model = loaded.model if loaded else Model.load(version, store=self._store)
        explanations = explain_loaded(
            model, version, [inputs], limit_s=self._limit_s, store=self._store
        )
        known = {"prediction_id": prediction_id, "prediction": record.prediction}
        return {**explanations.row(0), **known, "model": record.model, "version": record.version}

    def _find(self, route: ServedDeployment, prediction_id: str) -> PredictionRecord:
        records = self._store.metadata.predictions.get_many([prediction_id])
        if not records and self._log is not None and self._log.depth:
            self._log.flush(1.0)  # the answer was given before it was written
            records = self._store.metadata.predictions.get_many([prediction_id])
        record = records.get(prediction_id)
        if record is None or record.deployment != route.record.name:
            raise NotFoundError(
                what=f"Deployment {route.record.name!r} made no prediction {prediction_id[:40]!r}.",
                fix="Send the prediction_id of an answer to the deployment that gave it.",
            )
        return record
