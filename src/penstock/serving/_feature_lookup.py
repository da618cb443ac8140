"""FeatureLookup: requests by key to full rows: features of views that a request leaves out.

Values in the request win. Looked-up values are returned beside the rows, for the prediction log:
key, values, status, event time, knowledge time and version of the history.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from penstock.core import DataError, NotFoundError, PenstockError
from penstock.features import FeatureStore
from penstock.features.online import LookedUp, OnlineStatus
from penstock.http import HttpError
from penstock.models import FeatureInputs, Signature
from penstock.serving._computed_inputs import compute_inputs, computed_inputs_of
from penstock.serving._found_values import Found, plain_values
from penstock.serving._looked_up_views import LookedUpView, note_sent, read_keys, view_of

if TYPE_CHECKING:
    import polars as pl

Row = Mapping[str, Any]
_log = logging.getLogger("penstock.serving")
_PRESENT = OnlineStatus.PRESENT


@dataclass(frozen=True, slots=True)
class Filled:
    """Rows of a request with the features that were looked up.

    Args:
        rows: The rows, without keys that the model does not take.
        features: For each row the looked-up values, by view; empty without a lookup.
    """

    rows: Sequence[Row]
    features: Sequence[Mapping[str, Any]]


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
        stores = {
            each.path: FeatureStore(each.path, options=each.options) for each in features.views
        }
        self._views = [
            view_of(each, stores[each.path], features, self._names) for each in features.views
        ]
        self._on_demand = computed_inputs_of(features, signature)

    def check(self) -> list[str]:
        """Return the obstacles of a lookup, a sentence each."""
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
            DataError: If a key is missing or cannot be read, or has no value where needed.
            HttpError: 503 if the online store does not respond.
        """
        if not all(isinstance(row, Mapping) for row in rows):
            return Filled(rows, [{}] * len(rows))  # the row checker explains it
        lookups = [Found() for _ in rows]
        for view in self._views:
            places = [i for i, row in enumerate(rows) if any(n not in row for n in view.serves)]
            if places:
                self._fill_view(view, rows, places, lookups)
            note_sent(view, rows, lookups)
        for each in self._on_demand:
            places = [i for i, row in enumerate(rows) if any(n not in row for n in each.serves)]
            if places:
                compute_inputs(each, rows, places, lookups)
        full = [
            {
                **{name: value for name, value in one.values.items() if name in self._names},
                **{name: value for name, value in row.items() if name not in self._unused},
            }
            for row, one in zip(rows, lookups, strict=True)
        ]
        return Filled(full, [one.record for one in lookups])

    def _fill_view(
        self,
        view: LookedUpView,
        rows: Sequence[Row],
        places: Sequence[int],
        lookups: Sequence[Found],
    ) -> None:
        keys = read_keys(view, rows, places)
        looked_up = self._read(view, keys)
        columns = [looked_up.values[name].to_list() for name in view.inputs.features]
        origins = looked_up.describe_origins()
        by_name = dict(zip(view.inputs.features, columns, strict=True))
        for number, (place, key) in enumerate(zip(places, keys.iter_rows(named=True), strict=True)):
            values = {n: each[number] for n, each in by_name.items() if n not in rows[place]}
            status = looked_up.statuses[number]
            self._require_values(view, place, key, values, looked_up, number)
            lookups[place].values.update(values)
            lookups[place].record[view.inputs.name] = {
                "key": plain_values(key),
                "values": plain_values(values),
                "status": status.value,
                **origins[number],
            }

    @staticmethod
    def _read(view: LookedUpView, keys: "pl.DataFrame") -> LookedUp:
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
        view: LookedUpView,
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
