"""OnlineFeatures: the answer to a question by key, put together from several views."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from penstock.core import now
from penstock.features.online._keys import columns_asked, read_asked
from penstock.features.online._protocol import OnlineStore
from penstock.features.online._reading import OnlineStatus, read_with_status
from penstock.features.views import JoinPlan, RowCodec

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class OnlineFeatures:
    """Features of keys as they are now.

    Args:
        frame: The keys and request inputs as they were asked for, and the features; a row for each
            key in order.
        statuses: For each view, the state of each key.
        at: The time of the answer.
    """

    frame: "pl.DataFrame"
    statuses: Mapping[str, list[OnlineStatus]]
    at: datetime

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return a dict for each key, in order."""
        return self.frame.to_dicts()


def answer_online(
    store: OnlineStore,
    codecs: "Mapping[str, RowCodec]",
    plan: JoinPlan,
    keys: Any,
    at: datetime | None,
) -> OnlineFeatures:
    """Return the features of a plan for keys at a time.

    Args:
        store: The online store.
        codecs: The codec of each view of the plan.
        plan: Features to read and compute.
        keys: The keys, and the inputs of on-demand views that come with the request.
        at: The time of the question; by default that of the clock.

    Raises:
        SchemaError: If a key or input is missing or has the wrong dtype.
        DataError: If a value was written for different columns.
    """
    import polars as pl

    at = at or now()
    owner = ", ".join(f"{each.view.name!r}" for each in plan.selections) or "on-demand views"
    requested = read_asked(keys, columns_asked(plan), owner)
    columns = {each.name: each for each in requested.iter_columns()}
    kept, statuses = [*columns, *plan.output], {}
    for selection in plan.selections:
        name = selection.view.name
        values, statuses[name] = read_with_status(store, codecs[name], requested, at)
        columns.update((each, values[each]) for each in selection.features)
    for view in plan.on_demand:
        computed = view.compute(pl.DataFrame(list(columns.values())))
        columns.update((each.name, each) for each in computed.iter_columns())
    return OnlineFeatures(pl.DataFrame([columns[name] for name in kept]), statuses, at)
