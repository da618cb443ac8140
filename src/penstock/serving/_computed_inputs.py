"""ComputedInputs: on-demand features that serving computes by the code of training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from penstock.features import FeatureView, OnDemandView
from penstock.models import FeatureInputs, Signature
from penstock.serving._found_values import Found, plain_values
from penstock.tables import Column

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ComputedInputs:
    """An on-demand view in the form for serving.

    Args:
        view: The view.
        request: Reads the inputs that come with requests.
        serves: Inputs of the model that the view computes.
    """

    view: OnDemandView
    request: Signature
    serves: tuple[str, ...]


def computed_inputs_of(features: FeatureInputs, signature: Signature) -> list[ComputedInputs]:
    """Return the on-demand views of a model as serving uses them."""
    stored = {each.name: FeatureView.from_json(each.view) for each in features.views}
    known = {column.name: column for column in signature.inputs}
    computed = []
    for each in features.on_demand:
        views = [stored[name] for name in each.view["views"]]
        # Texts are read as the model's input of that name is; others by their declared dtype.
        columns = [
            known.get(name) or Column(name, "id", dtype, nullable=True)
            for name, dtype in each.view["request"].items()
        ]
        view = OnDemandView.from_json(each.view, views)
        computed.append(ComputedInputs(view, Signature(tuple(columns)), each.features))
    return computed


def compute_inputs(
    each: ComputedInputs, rows: Sequence[Row], places: Sequence[int], lookups: Sequence[Found]
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
            known = [lookups[i].values.get(name, rows[i].get(name)) for i in places]
            inputs[name] = pl.Series(name, known, dtype=kind)
    wanted = {name: kind for name, kind in each.view.inputs.items() if inputs[name].dtype != kind}
    table = pl.DataFrame([inputs[name] for name in each.view.inputs]).cast(wanted)  # type: ignore[arg-type] # instances
    computed = each.view.compute(table).select(each.serves)
    for place, row in zip(places, computed.iter_rows(named=True), strict=True):
        values = {name: value for name, value in row.items() if name not in rows[place]}
        lookups[place].values.update(values)
        lookups[place].record[each.view.name] = {"values": plain_values(values)}
