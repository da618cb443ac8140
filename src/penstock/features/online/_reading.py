"""Features of keys from an online store, by the as-of rule of the history."""

from datetime import datetime
from typing import TYPE_CHECKING

from penstock.features.online._protocol import OnlineStore
from penstock.features.views import RowCodec, values_at

if TYPE_CHECKING:
    import polars as pl


def read_online(
    store: OnlineStore, codec: RowCodec, keys: "pl.DataFrame", at: datetime
) -> "pl.DataFrame":
    """Return the features of keys at a time: null where missing, deleted or expired.

    Args:
        store: The store.
        codec: The codec of the view.
        keys: The key columns, with their dtypes.
        at: The time of the question, normally now; aware.

    Returns:
        The feature columns, a row for each key in order.

    Raises:
        DataError: If a value was written for other columns.
    """
    import polars as pl

    view = codec.view
    found = store.get(view.name, codec.encode_keys(keys))
    present = [place for place, entry in enumerate(found) if entry is not None]
    entries = pl.DataFrame(
        [
            [key, *entry]
            for key, entry in zip(codec.encode_keys(keys), found, strict=True)
            if entry is not None
        ],
        schema={
            "key": pl.Binary,
            "sort_key": pl.Binary,
            "is_deleted": pl.Boolean,
            "value": pl.Binary,
        },
        orient="row",
    )
    moment = pl.lit(at).cast(pl.Datetime("us", "UTC"))
    values = values_at(view, codec.decode(entries), moment).select(view.feature_names)
    places = pl.DataFrame({"place": range(keys.height)}, schema={"place": pl.Int64})
    values = values.with_columns(pl.Series("place", present, dtype=pl.Int64))
    return places.join(values, on="place", how="left", maintain_order="left").drop("place")
