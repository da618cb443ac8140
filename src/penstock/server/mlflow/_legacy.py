"""The call by which older clients record a model in a run's tag."""

from typing import Any

import msgspec

from penstock.server.mlflow._desk import Desk
from penstock.server.mlflow._errors import invalid
from penstock.server.mlflow._fields import Fields
from penstock.server.mlflow._rules import check_run_id

_HISTORY_TAG = "mlflow.log-model.history"
_NEEDED = ("flavors", "artifact_path", "run_id", "utc_time_created")


def log_model(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Append a model's description to the run's history of models."""
    run_id = check_run_id(fields.require("run_id", "run_uuid"))
    try:
        model = msgspec.json.decode(fields.require("model_json"))
    except msgspec.DecodeError as error:
        raise invalid(f"Malformed model info: it is no JSON ({error}).") from None
    lacking = [name for name in _NEEDED if not isinstance(model, dict) or name not in model]
    if lacking:
        raise invalid(f"Model json is missing mandatory fields: {', '.join(lacking)}")
    desk.require_open(run_id)
    with desk.lock(run_id):
        text = desk.run(run_id).tags.get(_HISTORY_TAG)
        history = [*(msgspec.json.decode(text) if text else []), model]
        value = msgspec.json.encode(history).decode()
        desk.metadata.runs.set_tags(run_id, {_HISTORY_TAG: value})
    return {}
