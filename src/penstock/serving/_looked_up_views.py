"""LookedUpView: a feature view in the form for serving, and the keys of requests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from penstock.core import DataError
from penstock.features import FeatureStore
from penstock.models import FeatureInputs, Signature, ViewInputs
from penstock.serving._found_values import Found, plain_values
from penstock.tables import Column

if TYPE_CHECKING:
    import polars as pl

Row = Mapping[str, Any]
_SAMPLES: dict[str, Any] = {
    "integer": 0, "text": "", "boolean": False, "date": "2020-01-01"
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class LookedUpView:
    """A view in the form for serving.

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


def view_of(
    inputs: ViewInputs, store: FeatureStore, features: FeatureInputs, names: frozenset[str]
) -> LookedUpView:
    """Return a view in the form for serving."""
    entity = inputs.view["entity"]["keys"]
    columns = tuple(Column(name, "id", dtype) for name, dtype in entity.items())
    computed = [
        name
        for each in features.on_demand
        if inputs.name in each.view["views"]
        for name in each.features
    ]
    own = [name for name in inputs.features if name in names]
    return LookedUpView(
        inputs,
        Signature(columns),
        store,
        tuple(dict.fromkeys([*own, *computed])),
        {column.name: _SAMPLES.get(column.family) for column in columns},
    )


def read_keys(view: LookedUpView, rows: Sequence[Row], places: Sequence[int]) -> "pl.DataFrame":
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
    requested = [
        {name: row[name] for name in names} if place in chosen else view.sample
        for place, row in enumerate(rows)
    ]
    frame, _ = view.keys.check_rows(requested)
    return frame if len(places) == len(rows) else frame[list(places)]


def note_sent(view: LookedUpView, rows: Sequence[Row], lookups: Sequence[Found]) -> None:
    """Record the keys of rows that have all features: their values are compared with the history.

    A key that cannot be read is left out; no lookup needs that.
    """
    name, keys = view.inputs.name, view.keys.names
    for row, one in zip(rows, lookups, strict=True):
        if name in one.record or any(row.get(key) is None for key in keys):
            continue
        try:
            frame, _ = view.keys.check_rows([{key: row[key] for key in keys}])
        except DataError:
            continue
        one.record[name] = {"key": plain_values(frame.row(0, named=True)), "values": {}}
