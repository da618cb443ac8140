"""The Open Inference Protocol v2's routes, for the clients of KServe, Triton and MLServer."""

from importlib.metadata import version as package_version
from typing import Any

import msgspec

from penstock.core import NotFoundError, PenstockError
from penstock.http import (
    Call,
    HttpError,
    Reply,
    encode_json,
    read_json,
    reply_json,
    retry_header,
    status_of,
)
from penstock.serving._friendly import read_unit
from penstock.serving._predictor import Predictor
from penstock.serving._router import Router
from penstock.serving._served_version import ServedVersion
from penstock.serving._tensors import (
    InferBody,
    answer_tensors,
    input_tensors,
    join_warnings,
    output_tensors,
    require_outputs,
    rows_of,
)

_EXAMPLE = '{"inputs": [{"name": "column", "shape": [1], "datatype": "FP64", "data": [1.5]}]}'


class ProtocolRoutes:
    """Handlers of ``/v2/…``.

    Args:
        router: Source of the routes.
        predictor: Predicts rows.
    """

    def __init__(self, router: Router, predictor: Predictor) -> None:
        self._router, self._predictor = router, predictor
        self._form = msgspec.json.Decoder(InferBody)
        self._server = {
            "name": "penstock",
            "version": package_version("penstock"),
            "extensions": [],
        }

    async def server(self, _call: Call) -> Reply:
        """Describe the server."""
        return reply_json(self._server)

    async def live(self, _call: Call) -> Reply:
        """Report that the event loop runs."""
        return reply_json({"live": True})

    async def ready(self, _call: Call) -> Reply:
        """Report whether every deployment is served."""
        ready = self._router.ready
        return reply_json({"ready": ready}, 200 if ready else 503)

    async def model_ready(self, call: Call) -> Reply:
        """Report that a deployment is served."""
        served = self._served(call)
        return reply_json({"name": call.deployment, "version": call.version, "ready": bool(served)})

    async def model(self, call: Call) -> Reply:
        """Describe a deployment's inputs and outputs."""
        served = self._served(call)
        route = self._router.route(call.deployment)
        return reply_json(
            {
                "name": call.deployment,
                "versions": [str(number) for number in sorted(route.versions)],
                "platform": "penstock",
                "inputs": input_tensors(served.signature),
                "outputs": _outputs(served),
            }
        )

    async def infer(self, call: Call) -> Reply:
        """Predict rows sent as tensors."""
        body = read_json(call.body, self._form, _EXAMPLE)

        def read(served: ServedVersion) -> list[dict[str, Any]]:
            require_outputs(body.outputs, [output["name"] for output in _outputs(served)])
            signature = served.signature
            rows = rows_of(body.inputs, signature.names, signature.is_unused)
            if not rows:
                raise HttpError(400, "There is no row.", fix=f"Send for example {_EXAMPLE}")
            return rows

        unit = read_unit(body.parameters.get("unit", call.header(b"x-penstock-unit")))
        wanted = None if body.outputs is None else [output.name for output in body.outputs]
        response = await self._predictor.predict(call, read, unit, _version(call), outputs=wanted)
        document: dict[str, Any] = {
            "model_name": call.deployment,
            "model_version": str(response.served.version),
            "outputs": answer_tensors(
                response.served.signature,
                response.predictions,
                body.outputs,
            ),
            # The protocol's parameters are single values, so the ids are joined into one text.
            "parameters": {"prediction_ids": ",".join(response.ids)},
        }
        warnings = join_warnings(response.predictions.warnings)
        if warnings:
            document["parameters"]["warnings"] = warnings
        if body.id is not None:
            document["id"] = body.id
        return Reply(encode_json(document), headers=response.headers)

    def _served(self, call: Call) -> ServedVersion:
        route = self._router.route(call.path["name"])
        call.deployment = route.record.name
        number = _version(call)
        served = route.current if number is None else route.choose(None, number)
        call.version = str(served.version)
        return served


def _outputs(served: ServedVersion) -> list[dict[str, Any]]:
    return output_tensors(served.signature, has_scores=served.has_scores)


def _version(call: Call) -> int | None:
    text = call.path.get("version")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > 9:  # noqa: PLR2004 - no such versions
        raise NotFoundError(what=f"There is no version {text[:40]!r}.", fix="Versions are numbers.")
    return int(text)


def render_protocol_error(error: PenstockError) -> Reply:
    """Render an error as the Open Inference Protocol specifies: a single text."""
    return reply_json({"error": str(error)}, status_of(error), retry_header(error))
