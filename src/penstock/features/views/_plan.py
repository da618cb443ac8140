"""The plan of a join: requested features, and the inputs of on-demand views beside them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from penstock.features.views._join import ViewSelection, require_free
from penstock.features.views._on_demand import OnDemandView
from penstock.features.views._view import FeatureView


@dataclass(frozen=True, slots=True)
class JoinPlan:
    """The features that a join reads and computes.

    Args:
        selections: Features to read, a selection for each view.
        on_demand: Views to compute then.
        output: Names of the features that were asked for, in order.
    """

    selections: list[ViewSelection]
    on_demand: list[OnDemandView]
    output: list[str]


def plan_join(views: Sequence[ViewSelection | OnDemandView]) -> JoinPlan:
    """Return the plan of a join of these views."""
    output = [name for each in views for name in _names(each)]
    needed: dict[str, tuple[FeatureView, dict[str, None]]] = {}

    def need(view: FeatureView, names: Iterable[str]) -> None:
        needed.setdefault(view.name, (view, {}))[1].update(dict.fromkeys(names))

    on_demand = [each for each in views if isinstance(each, OnDemandView)]
    for each in views:
        if isinstance(each, ViewSelection):
            need(each.view, each.features)
    for each in on_demand:
        for view in each.views:
            need(view, view.feature_names)
    selections = [ViewSelection(view, tuple(names)) for view, names in needed.values()]
    _require_distinct(selections, on_demand)
    return JoinPlan(selections, on_demand, list(dict.fromkeys(output)))


def _require_distinct(selections: list[ViewSelection], on_demand: list[OnDemandView]) -> None:
    """Check that no column has two meanings: the wrong column would be read."""
    taken = dict.fromkeys(
        (name for each in selections for name in each.view.key_columns), "the keys"
    )
    taken.update((name, "the request") for each in on_demand for name in each.request)
    owned = [(f"feature view {each.view.name!r}", each.features) for each in selections]
    owned += [(f"on-demand view {each.name!r}", each.feature_names) for each in on_demand]
    for owner, names in owned:
        require_free(names, owner, taken)
        taken.update(dict.fromkeys(names, owner))


def _names(each: ViewSelection | OnDemandView) -> tuple[str, ...]:
    return each.features if isinstance(each, ViewSelection) else each.feature_names
