"""to_json: the JSON form of every record, for CLI, web UI, webhooks and results.

A form is the record's fields by name, so that a new noun or field has a form without code here.
Only the differences stand in the three tables: fields that are internal or secret, fields with
a different name, and facts that a reader would otherwise compute.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime
from enum import Enum
from operator import attrgetter
from typing import Any

from penstock.core.records._artifacts import ArtifactRecord
from penstock.core.records._hooks import HookRecord
from penstock.core.records._metrics import MetricSummary
from penstock.core.records._models import ModelVersionRecord, StageEvent
from penstock.core.records._rollouts import ROLLOUT_FORM, RolloutRecord
from penstock.core.records._runs import RunRecord
from penstock.core.records._schedules import TickRecord
from penstock.core.records._steps import StepRunRecord
from penstock.core.records._tokens import SessionRecord, TokenRecord
from penstock.core.records._users import UserRecord

# The pipeline's spec is a document of its own; the rest tells processes apart or is bytes.
_HIDDEN: Mapping[type, frozenset[str]] = {
    RunRecord: frozenset({"graph", "metrics", "pid_started", "process", "presumed_at"}),
    StepRunRecord: frozenset({"addresses", "facts"}),
    ArtifactRecord: frozenset({"inline"}),
    HookRecord: frozenset({"secret"}),
    MetricSummary: frozenset({"last_time"}),
    UserRecord: frozenset({"password_hash"}),
    TokenRecord: frozenset({"digest"}),
    SessionRecord: frozenset({"digest"}),
    TickRecord: frozenset({"holder", "until"}),
    StageEvent: frozenset({"hash"}),
}
_NAMES: Mapping[type, Mapping[str, str]] = {StepRunRecord: {"step": "name"}}
_PLAIN = frozenset({str, int, bool, type(None)})


def to_json(value: object) -> Any:  # Any: JSON
    """Return a record, or a structure that contains records, as plain JSON.

    >>> from datetime import UTC, datetime
    >>> to_json({"at": datetime(2026, 1, 31, tzinfo=UTC), "loss": float("nan"), "ids": (1, 2)})
    {'at': '2026-01-31T00:00:00Z', 'loss': None, 'ids': [1, 2]}

    Args:
        value: Records, dataclasses, mappings, sequences, times, enums and JSON's own types; a value
            with ``to_json()`` or NumPy's ``tolist()`` returns that form; the rest becomes text.

    Returns:
        dict, list, str, int, float, bool and None. Times are RFC 3339 in UTC; NaN and infinities,
        which JSON lacks, become None.
    """
    kind = type(value)
    if kind in _PLAIN:
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if is_dataclass(kind) and not _has_form(value):
        return _record(value)
    return _other(value)


def _record(record: Any) -> dict[str, Any]:
    kind = type(record)
    names = _NAMES.get(kind, {})
    document = {names.get(name, name): to_json(getattr(record, name)) for name in _shown(kind)}
    for name, derive in _DERIVED.get(kind, {}).items():
        document[name] = to_json(derive(record))
    return document


def _other(value: Any) -> Any:
    match value:
        case Enum():
            return to_json(value.value)
        case str() | int():
            return str(value) if isinstance(value, str) else int(value)
        case datetime():
            return _time(value)
        case date():
            return value.isoformat()
        case Mapping():
            return {_key(key): to_json(each) for key, each in value.items()}
    if _has_form(value):
        return to_json(value.to_json())
    if hasattr(value, "tolist"):
        return to_json(value.tolist())
    if isinstance(value, Iterable) and not isinstance(value, bytes):
        return [to_json(each) for each in value]
    return str(value)


def _has_form(value: Any) -> bool:
    return callable(getattr(value, "to_json", None))


def _shown(kind: type[Any]) -> tuple[str, ...]:
    hidden = _HIDDEN.get(kind, frozenset())
    return tuple(field.name for field in fields(kind) if field.name not in hidden)


def _key(key: Any) -> str:
    return str(key.value if isinstance(key, Enum) else key)


def _time(moment: datetime) -> str:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _seconds(record: RunRecord | StepRunRecord) -> float | None:
    if record.started_at is None or record.ended_at is None:
        return None
    return (record.ended_at - record.started_at).total_seconds()


def _last_values(run: RunRecord) -> dict[str, float]:
    return {name: summary.last for name, summary in run.metrics.items()}


def _form(_rollout: RolloutRecord) -> int:
    return ROLLOUT_FORM


def _summaries(run: RunRecord) -> Mapping[str, MetricSummary]:
    return run.metrics


_DERIVED: Mapping[type, Mapping[str, Callable[[Any], Any]]] = {
    RunRecord: {"metrics": _last_values, "metric_summaries": _summaries, "seconds": _seconds},
    StepRunRecord: {"seconds": _seconds},
    RolloutRecord: {"percent": attrgetter("percent"), "form": _form},
    ModelVersionRecord: {"ref": attrgetter("ref")},
}
