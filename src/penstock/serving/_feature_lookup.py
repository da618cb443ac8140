"""FeatureLookup: requests by key to full rows: features of views that a request leaves out.

Values in the request win. What was looked up is returned beside the rows, for the prediction log:
key, values, status, event time, knowledge time and version of the history.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from penstock.core import DataError, NotFoundError, PenstockError
from penstock.features import FeatureStore, FeatureView, OnDemandView
from penstock.features.online import LookedUp, OnlineStatus
from penstock.http import HttpError
from penstock.models import FeatureInputs, Signature, ViewInputs
from penstock.tables import Column

if TYPE_CHECKING:
    import polars as pl

Row = Mapping[str, Any]
_log = logging.getLogger("penstock.serving")
_SAMPLES: dict[str, Any] = {
    "integer": 0, "text": "", "boolean": False, "date": "2020-01-01"
}  # fmt: skip
_PRESENT = OnlineStatus.PRESENT


@dataclass(frozen=True, slots=True)
class Filled:
    """Rows of a request with the features that were looked up.

    Args:
        rows: The rows, without keys that the model does not take.
        features: For each row what was looked up, by view; empty where nothing was.
    """

    rows: Sequence[Row]
    features: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class _View:
    """A view as serving uses it.

    Args:
        inputs: The view in the signature.
        keys: Reads the keys of requests.
        store: The feature store.
        serves: Inputs of the model for which the view is read.
        sample: A row of keys that can be read.
    """

    inputs: ViewInputs
    keys: Signature
    store: FeatureStore
    serves: tuple[str, ...]
    sample: Row


@dataclass(frozen=True, slots=True)
class _OnDemand:
    view: OnDemandView
    request: Signature
    serves: tuple[str, ...]


@dataclass(slots=True)
class _Found:
    """What was found for a row of a request: values by column, and the record by view."""

    values: dict[str, Any] = field(default_factory=dict)
    record: dict[str, Any] = field(default_factory=dict)


class FeatureLookup:
    """Lookup of the features that a request leaves out.

    Threads: any number of threads may call ``fill`` at once.

    Args:
        signature: The model's signature.
        features: Where the features come from.
    """

    def __init__(self, signature: Signature, features: FeatureInputs) -> None:
        self._names = frozenset(signature.names)
        self._unused = frozenset(features.request) - self._names
        self._required = (
            frozenset()
            if signature.accepts_missing
            else frozenset(column.name for column in signature.inputs if column.is_required)
        )
        stores = {path: FeatureStore(path) for path in {each.path for each in features.views}}
        self._views = [
            _view_of(each, stores[each.path], features, self._names) for each in features.views
        ]
        self._on_demand = _on_demand_of(features, signature)

    def check(self) -> list[str]:
        """Return what stands in the way of a lookup, a sentence each."""
        problems = []
        for each in self._views:
            try:
                self._read(each, each.keys.check_rows([each.sample])[0])
            except PenstockError as error:
                problems.append(f"{error} Requests must have {', '.join(each.serves)}.")
        return problems

    def fill(self, rows: Sequence[Row]) -> Filled:
        """Add the features that rows leave out.

        Args:
            rows: Rows of a request; keys stand beside the model's inputs.

        Raises:
            DataError: If a key is missing or cannot be read, or has no value where one is needed.
            HttpError: 503 if the online store does not respond.
        """
        if not all(isinstance(row, Mapping) for row in rows):
            return Filled(rows, [{}] * len(rows))  # the row checker explains it
        found = [_Found() for _ in rows]
        for view in self._views:
            places = [i for i, row in enumerate(rows) if any(n not in row for n in view.serves)]
            if places:
                self._fill_view(view, rows, places, found)
        for each in self._on_demand:
            places = [i for i, row in enumerate(rows) if any(n not in row for n in each.serves)]
            if places:
                _compute(each, rows, places, found)
        full = [
            {
                **{name: value for name, value in one.values.items() if name in self._names},
                **{name: value for name, value in row.items() if name not in self._unused},
            }
            for row, one in zip(rows, found, strict=True)
        ]
        return Filled(full, [one.record for one in found])

    def _fill_view(
        self, view: _View, rows: Sequence[Row], places: Sequence[int], found: Sequence[_Found]
    ) -> None:
        keys = _read_keys(view, rows, places)
        looked_up = self._read(view, keys)
        columns = [looked_up.values[name].to_list() for name in view.inputs.features]
        origins = looked_up.describe_origins()
        by_name = dict(zip(view.inputs.features, columns, strict=True))
        for number, (place, key) in enumerate(zip(places, keys.iter_rows(named=True), strict=True)):
            values = {n: each[number] for n, each in by_name.items() if n not in rows[place]}
            status = looked_up.statuses[number]
            self._require_values(view, place, key, values, looked_up, number)
            found[place].values.update(values)
            found[place].record[view.inputs.name] = {
                "key": _plain(key),
                "values": _plain(values),
                "status": status.value,
                **origins[number],
            }

    @staticmethod
    def _read(view: _View, keys: "pl.DataFrame") -> LookedUp:
        try:
            return view.store.look_up(view.inputs.name, keys)
        except NotFoundError as error:
            raise HttpError(
                503,
                error.what,
                "The features that the request leaves out are looked up there.",
                f"Run: penstock features materialize {view.inputs.name}; or send the features.",
            ) from error

    def _require_values(
        self,
        view: _View,
        place: int,
        key: Row,
        values: Row,
        looked_up: LookedUp,
        number: int,
    ) -> None:
        status, name = looked_up.statuses[number], view.inputs.name
        needed = [
            column for column, value in values.items() if value is None and column in self._required
        ]
        if not needed and (status is _PRESENT or view.inputs.missing == "null"):
            return
        text = ", ".join(f"{column}={value}" for column, value in key.items())
        origin = looked_up.describe_origins()[number]
        reasons = {
            OnlineStatus.NOT_FOUND: f"feature view {name!r} knows no {text}",
            OnlineStatus.EXPIRED: f"the values of {text} in feature view {name!r} have expired: they"
            f" are of {origin.get('event_time')} and hold for {looked_up.view.ttl}",
            OnlineStatus.NULL: f"feature view {name!r} has no values of {text}",
            _PRESENT: f"feature view {name!r} has no {', '.join(needed)} of {text}",
        }
        raise DataError(
            what=f"Row {place}: {reasons[status]}.",
            why=f"Training rows always had {needed[0]!r}."
            if needed
            else 'The model was trained with missing="refuse".',
            fix=f"Send {', '.join(values)}, or bring the view up to date: penstock features"
            f" materialize {name}.",
            row=place,
            field=next(iter(key)),
        )


def _view_of(
    inputs: ViewInputs, store: FeatureStore, features: FeatureInputs, names: frozenset[str]
) -> _View:
    entity = inputs.view["entity"]["keys"]
    columns = tuple(Column(name, "id", dtype) for name, dtype in entity.items())
    computed = [
        name
        for each in features.on_demand
        if inputs.name in each.view["views"]
        for name in each.features
    ]
    own = [name for name in inputs.features if name in names]
    return _View(
        inputs,
        Signature(columns),
        store,
        tuple(dict.fromkeys([*own, *computed])),
        {column.name: _SAMPLES.get(column.family) for column in columns},
    )


def _on_demand_of(features: FeatureInputs, signature: Signature) -> list[_OnDemand]:
    stored = {each.name: FeatureView.from_json(each.view) for each in features.views}
    known = {column.name: column for column in signature.inputs}
    found = []
    for each in features.on_demand:
        views = [stored[name] for name in each.view["views"]]
        # Texts are read as the model's input of that name is; others by their declared dtype.
        columns = [
            known.get(name) or Column(name, "id", dtype, nullable=True)
            for name, dtype in each.view["request"].items()
        ]
        view = OnDemandView.from_json(each.view, views)
        found.append(_OnDemand(view, Signature(tuple(columns)), each.features))
    return found


def _read_keys(view: _View, rows: Sequence[Row], places: Sequence[int]) -> "pl.DataFrame":
    """Return the keys of some rows; the others' places are filled, so that errors name the row."""
    chosen = set(places)
    names = view.keys.names
    for place in places:
        absent = [name for name in names if rows[place].get(name) is None]
        if absent:
            left = next(name for name in view.serves if name not in rows[place])
            raise DataError(
                what=f"Row {place} has neither {left!r} nor {absent[0]!r}.",
                why=f"{left!r} is looked up in feature view {view.inputs.name!r} by"
                f" {', '.join(names)}.",
                fix=f"Send {absent[0]!r}, or {left!r} itself.",
                row=place,
                field=absent[0],
            )
    asked = [
        {name: row[name] for name in names} if place in chosen else view.sample
        for place, row in enumerate(rows)
    ]
    frame, _ = view.keys.check_rows(asked)
    return frame if len(places) == len(rows) else frame[list(places)]


def _compute(
    each: _OnDemand, rows: Sequence[Row], places: Sequence[int], found: Sequence[_Found]
) -> None:
    """Compute the features of an on-demand view by the engine that computed them in training."""
    import polars as pl

    request = each.request.names
    inputs: dict[str, pl.Series] = {}
    if request:
        frame, _ = each.request.check_rows(
            [{name: row[name] for name in request if name in row} for row in rows]
        )
        chosen = frame if len(places) == len(rows) else frame[list(places)]
        inputs = {column.name: column for column in chosen}
    for name, kind in each.view.inputs.items():
        if name not in inputs:
            known = [found[i].values.get(name, rows[i].get(name)) for i in places]
            inputs[name] = pl.Series(name, known, dtype=kind)
    wanted = {name: kind for name, kind in each.view.inputs.items() if inputs[name].dtype != kind}
    table = pl.DataFrame([inputs[name] for name in each.view.inputs]).cast(wanted)  # type: ignore[arg-type] # instances
    computed = each.view.compute(table).select(each.serves)
    for place, row in zip(places, computed.iter_rows(named=True), strict=True):
        values = {name: value for name, value in row.items() if name not in rows[place]}
        found[place].values.update(values)
        found[place].record[each.view.name] = {"values": _plain(values)}


def _plain(values: Row) -> dict[str, Any]:
    return {name: _plain_value(value) for name, value in values.items()}


def _plain_value(value: Any) -> Any:
    match value:
        case datetime() | date():
            return value.isoformat()
        case Decimal():
            return str(value)
        case bytes():
            return value.hex()
        case list():
            return [_plain_value(each) for each in value]
        case _:
            return value
