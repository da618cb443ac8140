"""Which inputs of a model are features of views: values that serving looks up when a request leaves them out.

A step between the join and the model may change a feature. Then its values are no longer those of
the view, and looking them up would give the model values unlike those of training: so the model's
rows are compared with the joined ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from penstock.data import Snapshot
from penstock.models import FeatureInputs, OnDemandInputs, ViewInputs

FEATURES = "features"
"""Type of the source of joined rows."""


@dataclass(frozen=True, slots=True)
class FoundInputs:
    """The features among the inputs of a model.

    Args:
        features: Features that serving can look up or compute; None if there are none.
        changed: Inputs with the name of a feature and values unlike the view's, or of views of
            the same name in two feature stores.
        opaque: Inputs of on-demand views whose transform is a function: serving cannot compute them.
    """

    features: FeatureInputs | None = None
    changed: tuple[str, ...] = ()
    opaque: tuple[str, ...] = ()


def describe_join(inputs: FeatureInputs) -> dict[str, Any]:
    """Return the source of joined rows as plain JSON: lineage and registration read it."""
    named = [*(each.name for each in inputs.views), *(each.name for each in inputs.on_demand)]
    return {
        "type": FEATURES,
        "name": ", ".join(dict.fromkeys(named)),
        "origins": [f"view:{each.name}@{each.version}" for each in inputs.views],
        "join": inputs.to_json(),
    }


def find_feature_inputs(
    joined: Sequence[Snapshot], names: Sequence[str], rows: pl.DataFrame
) -> FoundInputs:
    """Find the inputs of a model that come from feature views.

    Args:
        joined: Snapshots of joins, in order of their steps.
        names: The inputs of the model.
        rows: Rows on which the model was evaluated, with the inputs.
    """
    joins = [FeatureInputs.from_json(each.source["join"]) for each in joined]
    offered = {name for join in joins for name in join.columns} & set(names)
    same: set[str] = set()
    for snapshot, join in zip(joined, joins, strict=True):
        own = [name for name in join.columns if name in offered]
        same |= _unchanged(snapshot.table, own, [*join.request, str(snapshot.time)], rows)
    same -= _of_two_places(joins)
    on_demand = {each.name: each for join in joins for each in join.on_demand}
    opaque = {name for each in on_demand.values() if not _is_plain(each) for name in each.features}
    computed = [
        replace(each, features=used)
        for each in on_demand.values()
        if _is_plain(each) and (used := tuple(n for n in each.features if n in same))
    ]
    needed = {name for each in computed for name in each.view["views"]}
    views = [
        each if each.name in needed else replace(each, features=used)
        for each in _merged([view for join in joins for view in join.views])
        if (used := tuple(n for n in each.features if n in same)) or each.name in needed
    ]
    inputs = FeatureInputs(tuple(views), tuple(computed)) if views or computed else None
    changed = sorted(offered - same)
    return FoundInputs(inputs, tuple(changed), tuple(sorted(opaque & same)))


def _of_two_places(joins: Sequence[FeatureInputs]) -> set[str]:
    """Return features of views of the same name in two feature stores: a lookup would ask only one."""
    places: dict[str, set[str]] = {}
    for join in joins:
        for each in join.views:
            places.setdefault(each.name, set()).add(each.path)
    doubtful = {name for name, paths in places.items() if len(paths) > 1}
    stored = {n for join in joins for v in join.views if v.name in doubtful for n in v.features}
    computed = {
        name
        for join in joins
        for each in join.on_demand
        if doubtful & set(each.view["views"])
        for name in each.features
    }
    return stored | computed


def _merged(views: Sequence[ViewInputs]) -> list[ViewInputs]:
    """Return each view once, with the features of all joins and the version of the last."""
    merged: dict[str, ViewInputs] = {}
    for each in views:
        known = merged.get(each.name)
        features = dict.fromkeys([*(known.features if known else ()), *each.features])
        merged[each.name] = replace(each, features=tuple(features))
    return list(merged.values())


def _is_plain(view: OnDemandInputs) -> bool:
    """Return whether the transform is expressions: a function's code is not stored with a model."""
    return isinstance(view.view["transform"], dict)


def _unchanged(
    joined: pl.DataFrame, names: Sequence[str], others: Sequence[str], rows: pl.DataFrame
) -> set[str]:
    """Return the columns whose values in the model's rows are values of the joined rows."""
    by = [
        name
        for name in dict.fromkeys(others)
        if name in joined.columns and joined.schema[name] == rows.schema.get(name)
    ]
    return {
        name
        for name in names
        if joined.schema[name] == rows.schema.get(name)
        and _contains(joined.select(*(n for n in by if n != name), name), rows)
    }


def _contains(joined: pl.DataFrame, rows: pl.DataFrame) -> bool:
    columns = joined.columns
    left = rows.select(columns).unique()
    return left.join(joined.unique(), on=columns, how="anti", nulls_equal=True).is_empty()
