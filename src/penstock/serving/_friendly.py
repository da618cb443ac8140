"""The row-based routes: predict rows by column name, post ground truth, describe the schema."""

from typing import Any

import anyio.to_thread
import msgspec

from penstock.core import did_you_mean
from penstock.http import Call, HttpError, Reply, encode_json, read_json, reply_json
from penstock.serving._prediction_log import PredictionLog
from penstock.serving._predictor import Predictor
from penstock.serving._router import Router
from penstock.serving._served_version import ServedVersion, sample_row
from penstock.serving._truths import Truths
from penstock.stores import Store

_PREDICT_EXAMPLE = '{"rows": [{"column": value, …}], "unit": "customer-17"}'
_TRUTH_EXAMPLE = '{"truth": {"<prediction id>": value}}'
_MAX_TRUTH = 10_000
_MAX_UNIT = 500


class _PredictBody(msgspec.Struct, forbid_unknown_fields=True):
    rows: list[dict[str, Any]] | None = None
    row: dict[str, Any] | None = None
    unit: str | int | None = None
    outputs: list[str] = []


class _TruthBody(msgspec.Struct, forbid_unknown_fields=True):
    truth: dict[str, Any]


class FriendlyRoutes:
    """Handlers of ``/models/{name}/…``.

    Args:
        store: The store where ground truth is recorded.
        router: Source of the routes.
        predictor: Predicts rows.
        log: Flushed when ground truth arrives before the prediction was written; None if off.
    """

    def __init__(
        self, store: Store, router: Router, predictor: Predictor, log: PredictionLog | None
    ) -> None:
        self._router, self._predictor = router, predictor
        self._truths = Truths(store, log, lambda: self._router.routes)
        self._predict_form = msgspec.json.Decoder(_PredictBody)
        self._truth_form = msgspec.json.Decoder(_TruthBody)

    async def predict(self, call: Call) -> Reply:
        """Predict rows sent as objects by column name."""
        body = read_json(call.body, self._predict_form, _PREDICT_EXAMPLE)
        if (body.rows is None) == (body.row is None):
            raise HttpError(
                400,
                "The body has " + ("no rows." if body.rows is None else "both 'rows' and 'row'."),
                "One of them has the rows to predict.",
                f"Send for example {_PREDICT_EXAMPLE}",
            )
        rows = body.rows if body.rows is not None else [body.row or {}]

        def read(served: ServedVersion) -> list[dict[str, Any]]:
            _require_extras(body.outputs, served)
            return rows

        response = await self._predictor.predict(
            call, read, read_unit(body.unit), outputs=body.outputs
        )
        number, predictions, lookups = (
            response.served.version,
            response.predictions,
            response.features,
        )
        replies: list[dict[str, Any]] = [
            {
                "prediction_id": prediction_id,
                "prediction": predictions.values[place],
                "score": predictions.scores[place],
                "version": number,
                "warnings": predictions.warnings[place],
            }
            for place, prediction_id in enumerate(response.ids)
        ]
        if body.outputs:
            extras = {name: values.tolist() for name, values in predictions.extras.items()}
            for place, reply in enumerate(replies):
                reply["outputs"] = {name: extras[name][place] for name in body.outputs}
        for reply, looked_up in zip(replies, lookups, strict=False):
            if looked_up:
                reply["features"] = looked_up
        document = {
            "predictions": replies,
            "model": response.route.record.model,
            "version": number,
        }
        return Reply(encode_json(document), headers=response.headers)

    async def truth(self, call: Call) -> Reply:
        """Record true values by prediction id."""
        route = self._router.route(call.path["name"])
        call.deployment = route.record.name
        body = read_json(call.body, self._truth_form, _TRUTH_EXAMPLE)
        if not 0 < len(body.truth) <= _MAX_TRUTH:
            raise HttpError(
                400,
                f"The body has {len(body.truth):,} true values.",
                f"One request takes 1 to {_MAX_TRUTH:,}.",
                f"Send for example {_TRUTH_EXAMPLE}",
            )
        # In a thread, because the database must not block the event loop.
        recording = await anyio.to_thread.run_sync(
            self._truths.record, route.record.name, body.truth, route.current.signature
        )
        if not recording.recorded and recording.refused:
            more = len(recording.refused) - 1
            raise HttpError(
                400,
                recording.refused[0]["why"] + (f" And {more:,} more." if more else ""),
                "Ground truth is compared with what the model answered.",
                "Send it to the deployment that answered, as the model answers.",
            )
        if not recording.recorded:
            unknown = recording.unknown
            raise HttpError(
                404,
                f"No prediction has the id {unknown[0][:40]!r}"
                + (f", nor the other {len(unknown) - 1:,}." if len(unknown) > 1 else "."),
                "Ground truth is joined to predictions by prediction id.",
                "Send the prediction_id of an answer.",
            )
        document: dict[str, Any] = {"recorded": recording.recorded, "unknown": recording.unknown}
        return reply_json(document | ({"refused": recording.refused} if recording.refused else {}))

    async def describe(self, call: Call) -> Reply:
        """Describe a deployment's inputs, with an example row."""
        route = self._router.route(call.path["name"])
        call.deployment = route.record.name
        signature, record = route.current.signature, route.record
        return reply_json(
            {
                "name": record.name,
                "model": record.model,
                "weights": {str(version): share for version, share in record.weights.items()},
                "generation": record.generation,
                "form": route.current.form,
                "target": signature.target,
                "task": signature.task,
                **({"unsafe": signature.unsafe} if signature.unsafe else {}),
                "classes": signature.classes,
                **(
                    {"targets": [each.to_json() for each in signature.targets]}
                    if signature.targets
                    else {}
                ),
                **(
                    {"outputs": [each.name for each in signature.extras]}
                    if signature.extras
                    else {}
                ),
                "schema": signature.to_json_schema(),
                "example": {"rows": [sample_row(signature.inputs)]},
            }
        )


def _require_extras(outputs: list[str], served: ServedVersion) -> None:
    known = [each.name for each in served.signature.extras]
    for name in outputs:
        if name not in known:
            raise HttpError(
                400,
                f"The model has no output {name[:60]!r} beside the prediction.",
                "outputs names what is computed for each row in addition.",
                did_you_mean(name[:100], known) if known else "Leave outputs out.",
            )


def read_unit(value: Any) -> str | None:
    """Read the unit: the id that sticky assignment hashes.

    >>> read_unit(17)
    '17'

    Raises:
        HttpError: 400 if the unit is no text or number, or very long.
    """
    if value is None:
        return None
    if (
        isinstance(value, str | int)
        and not isinstance(value, bool)
        and len(str(value)) <= _MAX_UNIT
    ):
        return str(value)
    raise HttpError(
        400,
        "The unit is no short text.",
        "It is hashed to choose the version, and kept with the prediction.",
        'Send for example "unit": "customer-17".',
    )
