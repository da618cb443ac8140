"""Skew of features: served values compared with the history at the same time.

Features are looked up, or come with a request that has the key, too. Each difference has a cause,
by the facts of the served row:

    late data   a different row was served: older, or of a different version
    ttl         the values had expired and were served, or had not and were not
    type        the same row; the value is right in a narrower type
    missing     a null was served as a value, or a value as null
    transform   the same row; a different value
    request     the value came with the request, and the history does not have that value
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any

import numpy as np
import polars as pl

from penstock.core import PredictionRecord
from penstock.features import (
    FeatureStore,
    FeatureView,
    OnDemandView,
    Recomputed,
    recompute_served,
)
from penstock.models import FeatureInputs, Signature, ViewInputs
from penstock.monitoring._evidence import wilson
from penstock.monitoring._feature_skew import LIMIT, Cause, FeatureSkew
from penstock.monitoring._window import frame_of
from penstock.stores import Store, open_store

_EXAMPLES = 3
_LACKS: Mapping[str, Any] = {}


def check_skew(
    deployment: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int = 10_000,
    store: Store | str | None = None,
) -> list[FeatureSkew]:
    """Compare the features that a deployment has looked up with their histories.

    Args:
        deployment: Name of the deployment.
        since: Start of the window, included; None for no limit.
        until: End of the window, excluded; None for now.
        limit: Maximum number of predictions, the newest ones.
        store: The store of the predictions; by default the project's.

    Returns:
        The skew of each feature that was looked up; by view and feature.

    Raises:
        NotFoundError: If the deployment, a model version or a feature view does not exist.
    """
    store = open_store(store)
    store.metadata.deployments.get(deployment)
    records = store.metadata.predictions.list(deployment, since=since, until=until, limit=limit)
    used = [record for record in records if record.features]
    by_version: dict[tuple[str, int], list[PredictionRecord]] = {}
    for record in used:
        by_version.setdefault((record.model, record.version), []).append(record)
    skews: dict[tuple[str, str], list[FeatureSkew]] = {}
    for (model, version), some in by_version.items():
        signature = Signature.from_json(store.metadata.models.get_version(model, version).signature)
        if signature.features is not None:
            sent = frame_of(some, signature)
            for skew in compare_served(some, signature.features, sent=sent):
                skews.setdefault((skew.view, skew.feature), []).append(skew)
    return [_together(parts) for _, parts in sorted(skews.items())]


def compare_served(
    records: Sequence[PredictionRecord],
    inputs: FeatureInputs,
    *,
    sent: "pl.DataFrame | None" = None,
    limit: float = LIMIT,
) -> Iterator[FeatureSkew]:
    """Compare the features of predictions with the histories.

    Args:
        records: Predictions of a model version.
        inputs: Origin of the features.
        sent: The inputs of each record as the server read them, to compare features that came with
            requests as well; by default only those that were looked up.
        limit: Share of mismatches above which a skew is an alarm.

    Raises:
        NotFoundError: If a feature view does not exist.
    """
    for each in inputs.views:
        used = [i for i, record in enumerate(records) if each.name in (record.features or {})]
        if used:
            feature_store = FeatureStore(each.path, options=each.options)
            own = None if sent is None else sent[used]
            yield from _compare_view([records[i] for i in used], each, feature_store, own, limit)
    views = {each.name: FeatureView.from_json(each.view) for each in inputs.views}
    for computed in inputs.on_demand:
        used = [i for i, record in enumerate(records) if computed.name in (record.features or {})]
        needed = [views[name] for name in computed.view["views"]]
        if used:
            view = OnDemandView.from_json(computed.view, needed)
            yield from _compare_computed([records[i] for i in used], view, limit)


def _compare_view(
    records: Sequence[PredictionRecord],
    inputs: ViewInputs,
    features: FeatureStore,
    sent: "pl.DataFrame | None",
    limit: float,
) -> Iterator[FeatureSkew]:
    name = inputs.name
    served = [(record.features or {})[name] for record in records]
    view = features.get_view(name)
    keys = _frame([each["key"] for each in served], view.entity.dtypes)
    at = pl.Series("at", [record.at for record in records], dtype=pl.Datetime("us", "UTC"))
    right = recompute_served(features, name, keys, at)
    values = _frame([each["values"] for each in served], view.dtypes)
    for feature in view.feature_names:
        # Of a value that came with the request it is not known which row it is of.
        rows = {i: each for i, each in enumerate(served) if feature in each["values"]}
        column = values[feature]
        if sent is not None and feature in sent.columns and feature in inputs.features:
            own = [i for i, one in enumerate(records) if i not in rows and feature in one.inputs]
            rows |= dict.fromkeys(own, _LACKS)
            column = _with_sent(column, sent[feature], own)
        if rows:
            yield _skew_of(name, feature, rows, records, column, right, limit)


def _with_sent(column: "pl.Series", sent: "pl.Series", places: Sequence[int]) -> "pl.Series":
    """Return the column with the values that came with requests; null if of no such dtype."""
    if not places:
        return column
    values = sent[places].cast(column.dtype, strict=False)
    return column.clone().scatter(pl.Series(places, dtype=pl.UInt32), values)


def _skew_of(
    view: str,
    feature: str,
    served: Mapping[int, Mapping[str, Any]],
    records: Sequence[PredictionRecord],
    values: "pl.Series",
    right: Recomputed,
    limit: float,
) -> FeatureSkew:
    rows = pl.Series(sorted(served))
    differs = rows.filter(values[rows].ne_missing(right.values[feature][rows])).to_list()
    causes: Counter[Cause] = Counter(
        _cause(served[i], values[i], feature, i, right) for i in differs
    )
    examples = [
        _example(records[i].prediction_id, values[i], right.values[feature][i])
        for i in differs[:_EXAMPLES]
    ]
    return _skew(view, feature, len(served), causes, examples, limit)


def _skew(
    view: str,
    feature: str,
    rows: int,
    causes: Mapping[Cause, int],
    examples: Sequence[Mapping[str, Any]],
    limit: float,
) -> FeatureSkew:
    count = sum(causes.values())
    low, high = wilson(count / rows, rows)
    ordered = dict(sorted(causes.items(), key=lambda each: -each[1]))
    return FeatureSkew(view, feature, rows, count, low, high, ordered, tuple(examples), limit)


def _together(parts: Sequence[FeatureSkew]) -> FeatureSkew:
    """Return the skew of a feature over several model versions."""
    causes: Counter[Cause] = Counter()
    for each in parts:
        causes.update(each.causes)
    examples = [one for each in parts for one in each.examples][:_EXAMPLES]
    rows = sum(each.rows for each in parts)
    first = parts[0]
    return _skew(first.view, first.feature, rows, causes, examples, first.limit)


def _cause(
    served: Mapping[str, Any], value: Any, feature: str, place: int, right: Recomputed
) -> Cause:
    """Return why a served value is not right."""
    wanted = right.values[feature][place]
    event, _, version = right.origins.row(place)
    came = served.get("event_time"), served.get("version")
    if right.expired[place] and value is not None and value == right.unexpired[feature][place]:
        return "ttl"
    if served.get("status") == "EXPIRED" and wanted is not None:
        return "ttl"
    is_other = came[0] is not None and (
        event is None or (datetime.fromisoformat(came[0]), came[1]) != (event, version)
    )
    if is_other:
        return "late data"
    if value is None or wanted is None:
        return "missing"
    if _is_narrower(value, wanted):
        return "type"
    return "request" if served is _LACKS else "transform"


def _is_narrower(value: Any, wanted: Any) -> bool:
    """Return whether a value is changed by a cast to a narrower type.

    >>> _is_narrower(float(np.float32(0.1)), 0.1), _is_narrower(3.0, 3.7), _is_narrower(2, 3)
    (True, True, False)
    """
    if isinstance(wanted, float) and isinstance(value, float) and math.isfinite(wanted):
        casts = [float(np.float32(wanted)), float(np.float16(wanted)), float(math.trunc(wanted))]
        return value in casts
    if isinstance(wanted, int) and not isinstance(wanted, bool) and isinstance(value, int):
        return any(value == int(np.array(wanted).astype(kind)) for kind in ("i4", "i2", "i1"))
    if isinstance(wanted, datetime) and isinstance(value, datetime):
        return value in {
            wanted.replace(microsecond=0),
            wanted.replace(microsecond=wanted.microsecond // 1000 * 1000),
        }
    return False


def _compare_computed(
    records: Sequence[PredictionRecord], view: OnDemandView, limit: float
) -> Iterator[FeatureSkew]:
    """Compare on-demand features with those of the inputs that were served."""
    rows = [{name: _input(record, name, view) for name in view.inputs} for record in records]
    right = view.compute(_frame(rows, view.inputs))
    served = [(record.features or {})[view.name]["values"] for record in records]
    values = _frame(served, view.dtypes)
    for feature in view.feature_names:
        places = pl.Series([i for i, each in enumerate(served) if feature in each])
        if not len(places):
            continue
        differs = places.filter(values[feature][places].ne_missing(right[feature][places]))
        causes: Counter[Cause] = Counter()
        for i in differs:
            value, wanted = values[feature][i], right[feature][i]
            gone = value is None or wanted is None
            causes[
                "missing" if gone else "type" if _is_narrower(value, wanted) else "transform"
            ] += 1
        examples = [
            _example(records[i].prediction_id, values[feature][i], right[feature][i])
            for i in differs[:_EXAMPLES]
        ]
        yield _skew(view.name, feature, len(places), causes, examples, limit)


def _input(record: PredictionRecord, name: str, view: OnDemandView) -> Any:
    for each in view.views:
        served = (record.features or {}).get(each.name, {}).get("values", {})
        if name in served:
            return served[name]
    return record.inputs.get(name)


def _frame(rows: Sequence[Mapping[str, Any]], dtypes: "Mapping[str, pl.DataType]") -> pl.DataFrame:
    """Return logged values with their dtypes."""
    return pl.DataFrame(
        [
            pl.Series(name, [_read(row.get(name), kind) for row in rows], dtype=kind)
            for name, kind in dtypes.items()
        ]
    )


def _read(value: Any, kind: "pl.DataType") -> Any:
    match value, kind:
        case list(), pl.List():
            inner: Any = kind.inner
            return [_read(each, inner) for each in value]
        case str(), pl.Datetime():
            return datetime.fromisoformat(value)
        case str(), pl.Date():
            return date.fromisoformat(value)
        case str(), pl.Binary():
            return bytes.fromhex(value)
        case int(), pl.Float64() | pl.Float32():
            return float(value)
        case _:
            return value


def _example(prediction_id: str, served: Any, right: Any) -> dict[str, Any]:
    return {"prediction_id": prediction_id, "served": str(served), "right": str(right)}
