"""MLflow's calls on metrics: points are logged once, whatever is sent again."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from penstock.core import MetricColumns
from penstock.server.mlflow._desk import Desk
from penstock.server.mlflow._errors import invalid
from penstock.server.mlflow._fields import Fields, compact, number, page
from penstock.server.mlflow._logged_metrics import add_model_metrics
from penstock.server.mlflow._rules import (
    BATCH_ALL,
    BATCH_METRICS,
    BATCH_TAGS,
    check_key,
    check_run_id,
)
from penstock.server.mlflow._runs import log_params, read_params, read_tags, set_tags

_PAGE = 25_000
_LATEST_MS = 253_402_300_799_999
_BULK_RUNS = 100
_BULK_POINTS = 2500
_KNOWN = 200_000
_EXACT = 2**53
Point = tuple[int, int, float]


class SentMetric(NamedTuple):
    """A point as a client sends it; a tuple, since a batch has a thousand of them.

    Args:
        key: The metric.
        value: Any number.
        timestamp: Milliseconds since 1970.
        step: A whole number.
        model_id: The logged model that it is about; or empty.
        dataset_name: The dataset that it was computed on; or empty.
        dataset_digest: Digest of the dataset; or empty.
    """

    key: str
    value: float
    timestamp: int
    step: int
    model_id: str = ""
    dataset_name: str = ""
    dataset_digest: str = ""


def log_metric(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Log a point."""
    run_id = check_run_id(fields.require("run_id", "run_uuid"))
    metric = _read(fields)
    desk.require_open(run_id)
    log_points(desk, run_id, [metric])
    return {}


def log_batch(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Log points, parameters and tags; all are checked before any is logged."""
    run_id = check_run_id(fields.require("run_id", "run_uuid"))
    sent = fields.parts("metrics")
    if len(sent) > BATCH_METRICS:
        raise _too_many("metrics", BATCH_METRICS, len(sent))
    metrics = [_read(part) for part in sent]
    params, tags = read_params(fields), read_tags(fields)
    if len(fields.parts("tags")) > BATCH_TAGS:
        raise _too_many("tags", BATCH_TAGS, len(fields.parts("tags")))
    whole = len(metrics) + len(params) + len(tags)
    if whole > BATCH_ALL:
        raise _too_many("entities", BATCH_ALL, whole)
    desk.require_open(run_id)
    log_params(desk, run_id, params)
    log_points(desk, run_id, metrics)
    set_tags(desk, run_id, tags)
    return {}


def get_history(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Return the points of a metric of a run, by time."""
    run_id = check_run_id(fields.require("run_id", "run_uuid"))
    key = fields.require("metric_key")
    desk.run(run_id)
    most = fields.most(_PAGE, 2**31)
    points, token = page(_history(desk, run_id, key), fields, most)
    return compact(metrics=[_write(key, point) for point in points], next_page_token=token)


def get_bulk(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Return the points of a metric of several runs."""
    most = fields.most(_PAGE, _PAGE)
    found: list[dict[str, Any]] = []
    run_ids = _several(fields, "run_id", "run_ids")
    if not fields.has("metric_key"):
        raise invalid("GetMetricHistoryBulk request must specify a metric_key.")
    key = fields.require("metric_key")
    for run_id in _known(desk, sorted(run_ids)):
        found += [
            {**_write(key, point), "run_id": run_id}
            for point in _history(desk, run_id, key)[: most - len(found)]
        ]
    return compact(metrics=found)


def get_bulk_interval(desk: Desk, fields: Fields) -> dict[str, Any]:
    """Return points of a metric of several runs, thinned to a number for each run."""
    if not fields.texts("run_ids"):
        fields.require("run_ids", "run_id")
    run_ids, key = _several(fields, "run_ids", "run_id"), fields.require("metric_key")
    most = fields.integer("max_results", 320)
    if not 1 <= most <= _BULK_POINTS:
        raise invalid(
            f"Invalid value {most} for parameter 'max_results' supplied: "
            f"max_results must be between 1 and {_BULK_POINTS}."
        )
    low, high = _interval(fields)
    histories = {
        run_id: sorted(
            (p for p in _history(desk, run_id, key) if low <= p[1] <= high),
            key=lambda p: (p[1], p[0]),
        )
        for run_id in _known(desk, run_ids)
    }
    chosen = _spread(list(histories.values()), most)
    return compact(
        metrics=[
            {**_write(key, point), "run_id": run_id}
            for run_id, points in histories.items()
            for point in points
            if point[1] in chosen
        ]
    )


def _interval(fields: Fields) -> tuple[int, int]:
    if fields.has("start_step") != fields.has("end_step"):
        raise invalid("If either start step or end step are specified, both must be specified.")
    low = fields.integer("start_step", -(2**63) + 1)
    high = fields.integer("end_step", 2**63 - 1)
    if low > high:
        raise invalid(
            f"end_step must be greater than start_step. Found start_step={low} and end_step={high}."
        )
    return low, high


def log_points(desk: Desk, run_id: str, metrics: Sequence[SentMetric]) -> None:
    """Log points of a run that are not there yet.

    Clients send again what may not have arrived, and autologging logs the same points for the run
    and for its model.
    """
    by_key: dict[str, list[Point]] = defaultdict(list)
    for metric in metrics:
        by_key[metric.key].append((metric.step, metric.timestamp * 1000, metric.value))
    with desk.lock(run_id):
        new = [
            part
            for key, points in by_key.items()
            if (part := _only_new(desk, run_id, key, points)) is not None
        ]
        if new:
            desk.metadata.metrics.append(new)
            _remember(desk, run_id, new)
    add_model_metrics(desk, run_id, metrics)


def _only_new(desk: Desk, run_id: str, key: str, points: list[Point]) -> MetricColumns | None:
    sent = sorted(set(map(_identity, points)))
    newest = desk.newest.get((run_id, key))
    if newest is not None and sent[0][:2] > newest:
        return _columns(run_id, key, list(map(_value, sent)))
    history = desk.metadata.metrics.history(run_id, key)
    known = {
        _identity((int(step), int(at), float(value)))
        for step, at, value in zip(
            history.steps.tolist(), history.times.tolist(), history.values.tolist(), strict=True
        )
    }
    fresh = [point for point in sent if point not in known]
    if known:
        top = max(known)
        desk.newest[run_id, key] = top[:2]
        # Of points at the same step and time the largest value is the last; the store takes the
        # one that was written last, and points that are there twice are read once.
        if fresh and top[:2] == max(fresh)[:2] and top > max(fresh):
            fresh.append(top)
    return _columns(run_id, key, list(map(_value, fresh))) if fresh else None


def _identity(point: Point) -> tuple[int, int, bool, float]:
    """Return a point in a form in which NaN equals NaN, and sorts before every number."""
    step, at, value = point
    is_number = value == value  # noqa: PLR0124 - false for NaN only
    return step, at, is_number, value if is_number else 0.0


def _value(point: tuple[int, int, bool, float]) -> Point:
    step, at, is_number, value = point
    return step, at, value if is_number else float("nan")


def _columns(run_id: str, key: str, points: Sequence[Point]) -> MetricColumns:
    import numpy as np

    steps, times, values = zip(*points, strict=True)
    return MetricColumns(
        run_id,
        key,
        np.array(steps, np.float64),
        np.array(values, np.float64),
        np.array(times, np.int64),
    )


def _remember(desk: Desk, run_id: str, parts: Sequence[MetricColumns]) -> None:
    if len(desk.newest) > _KNOWN:
        desk.newest.clear()
    for part in parts:
        last = max(zip(map(int, part.steps.tolist()), part.times.tolist(), strict=True))
        key = run_id, part.key
        desk.newest[key] = max(desk.newest.get(key, last), last)


def _history(desk: Desk, run_id: str, key: str) -> list[tuple[int, int, float]]:
    """Return points as (time, step, value) in MLflow's order, each once."""
    columns = desk.metadata.metrics.history(run_id, key)
    found = {
        (at, int(step), *_identity((0, 0, value))[2:])
        for at, step, value in zip(
            columns.times.tolist(), columns.steps.tolist(), columns.values.tolist(), strict=True
        )
    }
    return [
        (at, step, value if is_number else float("nan"))
        for at, step, is_number, value in sorted(found)
    ]


def _several(fields: Fields, *names: str) -> list[str]:
    run_ids = next((found for name in names if (found := fields.texts(name))), [])
    if not run_ids:
        raise invalid(f"GetMetricHistoryBulk request must specify at least one {names[0]}.")
    if len(run_ids) > _BULK_RUNS:
        raise invalid(
            f"GetMetricHistoryBulk request cannot specify more than {_BULK_RUNS} run_ids: "
            f"GetMetricHistoryBulkInterval request must specify at most {_BULK_RUNS} run_ids. "
            f"Received {len(run_ids)} run_ids."
        )
    return run_ids


def _known(desk: Desk, run_ids: Sequence[str]) -> list[str]:
    """Return ids of runs that are there."""
    return [desk.run(check_run_id(run_id)).run_id for run_id in dict.fromkeys(run_ids)]


def _spread(histories: "Sequence[Sequence[Point]]", most: int) -> set[int]:
    """Return steps spread evenly over those of all runs, as MLflow chooses them.

    Besides them the last step, and the first and the last of each run: so a chart has its ends.
    """
    steps = sorted({point[1] for points in histories for point in points})
    if len(steps) <= most:
        return set(steps)
    chosen = {steps[int(place * len(steps) / most)] for place in range(most)}
    return chosen | {points[end][1] for points in histories if points for end in (0, -1)}


def _write(key: str, point: tuple[int, int, float]) -> dict[str, Any]:
    at, step, value = point
    return {"key": key, "value": number(value), "timestamp": at // 1000, "step": step}


_PLAIN = frozenset({"key", "value", "timestamp", "step"})
_TYPES = (str, float, int, int)


def _read(fields: Fields) -> SentMetric:
    return _read_plain(fields.values, fields.place) or _read_any(fields)


def _read_plain(values: Mapping[str, Any], place: str) -> SentMetric | None:
    """Return a point in the form that clients send most; None if it needs a closer look."""
    if values.keys() != _PLAIN:
        return None
    key, value, timestamp, step = found = (
        values["key"], values["value"], values["timestamp"], values["step"],
    )  # fmt: skip
    # By exact type, as a truth value is a whole number to isinstance.
    if tuple(map(type, found)) != _TYPES or not 0 <= timestamp <= _LATEST_MS or abs(step) > _EXACT:
        return None
    return SentMetric(check_key(key, "metric", place), value, timestamp, step)


def _read_any(fields: Fields) -> SentMetric:
    key = check_key(fields.require("key"), "metric", fields.place)
    timestamp = fields.integer("timestamp")
    if not 0 <= timestamp <= _LATEST_MS:
        raise invalid(
            f"Got invalid timestamp {timestamp} for metric '{key}'. Timestamp must be a "
            "nonnegative long (64-bit integer)"
        )
    step = fields.integer("step", 0)
    if abs(step) > _EXACT:
        raise invalid(f"Got step {step} for metric '{key}': beyond 2^53 steps are not exact.")
    return SentMetric(
        key,
        fields.number("value"),
        timestamp,
        step,
        fields.text("model_id"),
        fields.text("dataset_name"),
        fields.text("dataset_digest"),
    )


def _too_many(what: str, most: int, sent: int) -> Exception:
    return invalid(
        f"A batch logging request can contain at most {most} {what}. Got {sent} {what}. "
        f"Please split up {what} across multiple requests and try again."
    )
