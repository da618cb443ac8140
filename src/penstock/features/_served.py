"""Features as they should have been served: recomputed from the histories at the times of requests."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from penstock.features._feature_store import FeatureStore
from penstock.features.views import (
    AVAILABLE_AT,
    EVENT_TIME,
    SEQ,
    FeatureView,
    find_rows,
    read_labels,
    select,
    version_of,
)

if TYPE_CHECKING:
    import polars as pl

_TIME = "__time"


@dataclass(frozen=True, slots=True)
class Recomputed:
    """The state of keys at times in a history.

    Args:
        view: The view.
        values: The features; null where there are none, or they have expired.
        unexpired: The features without regard to the ttl.
        origins: ``event_time`` and ``version`` of the row of each key; null where there is none.
        expired: Whether there are values that have expired.
    """

    view: FeatureView
    values: "pl.DataFrame"
    unexpired: "pl.DataFrame"
    origins: "pl.DataFrame"
    expired: "pl.Series"


def recompute_served(
    features: FeatureStore, view: str, keys: "pl.DataFrame", at: "pl.Series"
) -> Recomputed:
    """Return the state of keys at times in the history of a view, as known now.

    Args:
        features: The feature store.
        view: Name of the view.
        keys: The key columns, with their dtypes.
        at: The time of each request; aware.

    Raises:
        NotFoundError: If there is no such view.
    """
    import polars as pl

    history = features.history(view)
    # The winner is the same without a ttl: age rises as event time falls.
    lasting = replace(history.view, ttl=None)
    labels = read_labels(keys.with_columns(at.alias(_TIME)), _TIME, [select(lasting)])
    # Of a long history only the rows of these keys are read into memory.
    unique_keys = keys.lazy().unique()
    rows = history.scan().join(unique_keys, on=history.view.key_columns, how="semi").collect()
    matching = rows[find_rows(labels, rows, lasting, event_time_only=False)]
    expired = pl.Series([False]).new_from_index(0, keys.height)
    if history.view.ttl is not None:
        assert isinstance(history.view.ttl, timedelta)
        age = labels[_TIME] - matching[EVENT_TIME]
        expired = (age > history.view.ttl).fill_null(value=False)
    unexpired = matching.select(history.view.feature_names)
    values = unexpired.with_columns(
        pl.when(~expired).then(pl.col(name)).alias(name) for name in unexpired.columns
    )
    origins = matching.select(EVENT_TIME, AVAILABLE_AT, version_of(pl.col(SEQ)).alias("version"))
    return Recomputed(history.view, values, unexpired, origins, expired)
