"""RowCodec: rows of a history to the bytes that online stores hold, and back, bit-equal."""

from typing import TYPE_CHECKING

import numpy as np

from penstock.core import DataError, digest_json
from penstock.features.views._columnar_bytes import decode_columns, encode_columns
from penstock.features.views._dtypes import fit_column
from penstock.features.views._fold import ORDER
from penstock.features.views._row_layout import RowLayout
from penstock.features.views._view import AVAILABLE_AT, EVENT_TIME, IS_DELETED, SEQ, FeatureView

if TYPE_CHECKING:
    import polars as pl

KEY, SORT_KEY, VALUE = "key", "sort_key", "value"
_FORMAT = b"\1"
_SIGN = np.uint64(1 << 63)


class RowCodec:
    """The bytes of a view's rows in online stores.

    >>> import polars as pl
    >>> from datetime import UTC, datetime
    >>> from penstock.features.views import Entity
    >>> view = FeatureView("spend", Entity("card", {"card_id": pl.Int64}), {"amount": pl.Float64})
    >>> at = datetime(2026, 1, 1, tzinfo=UTC)
    >>> row = {"card_id": 7, "event_time": at, "available_at": at, "seq": 1, "is_deleted": False}
    >>> entries = RowCodec(view).encode(pl.DataFrame([row | {"amount": -0.0}], schema=view.schema))
    >>> entries.columns
    ['key', 'sort_key', 'is_deleted', 'value']
    >>> RowCodec(view).decode(entries)["amount"].item()
    -0.0

    Args:
        view: The view.
    """

    def __init__(self, view: FeatureView) -> None:
        self.view = view
        described = view.describe()
        columns = [described["entity"]["keys"], list(described["features"].items())]
        self.mark = _FORMAT + bytes.fromhex(digest_json(columns).removeprefix("sha256:")[:8])
        """First bytes of each value: format and columns, so that values of a different definition are refused."""
        self._keys, self._values = RowLayout.of(view.entity.dtypes), RowLayout.of(view.dtypes)
        self.null_value = encode_columns(_empty_row(view).get_columns(), self.mark)[0]
        """The value of a row whose features are all null."""

    def encode(self, rows: "pl.DataFrame") -> "pl.DataFrame":
        """Return the entries of rows for an online store.

        Args:
            rows: Rows with the columns of ``view.schema``.

        Returns:
            ``key``, ``sort_key`` (24 bytes; the larger wins), ``is_deleted``, ``value``.
        """
        import polars as pl

        values = encode_columns([rows[name] for name in self.view.feature_names], self.mark)
        return pl.DataFrame(
            {
                KEY: self.encode_keys(rows),
                SORT_KEY: encode_sort_keys(rows),
                IS_DELETED: rows[IS_DELETED],
                VALUE: values,
            },
            schema={KEY: pl.Binary, SORT_KEY: pl.Binary, IS_DELETED: pl.Boolean, VALUE: pl.Binary},
        )

    def encode_keys(self, frame: "pl.DataFrame") -> list[bytes]:
        """Return the key of each row of a frame that has the key columns.

        Raises:
            SchemaError: If a key has the wrong dtype: the bytes would be those of a different key.
        """
        owner = f"feature view {self.view.name!r}"
        kinds = self.view.entity.dtypes.items()
        return encode_columns([fit_column(frame[name], kind, owner) for name, kind in kinds])

    def decode_keys(self, keys: list[bytes]) -> "pl.DataFrame":
        """Return the key columns of keys."""
        return decode_columns(keys, self._keys)

    def decode(self, entries: "pl.DataFrame") -> "pl.DataFrame":
        """Return the rows of entries, with the columns of ``view.schema``.

        Raises:
            DataError: If a value was written for different columns.
        """
        import polars as pl

        keys = self.decode_keys(entries[KEY].to_list())
        system = decode_sort_keys(entries[SORT_KEY].to_list())
        values = self.decode_values(entries[VALUE].to_list())
        deleted = entries[IS_DELETED]
        return pl.concat([keys, system, deleted.to_frame(), values], how="horizontal").select(
            self.view.schema.names()
        )

    def decode_values(self, values: "list[bytes | None]") -> "pl.DataFrame":
        """Return the features of values; None stands for a key without an entry.

        Raises:
            DataError: If a value was written for different columns.
        """
        raw = [each or self.null_value for each in values]
        for each in raw:
            if not each.startswith(self.mark):
                raise DataError(
                    what=f"A value of feature view {self.view.name!r} was written for different columns.",
                    why="The definition has changed since.",
                    fix="Materialize the view again, from its first version.",
                    view=self.view.name,
                )
        return decode_columns(raw, self._values, skip=len(self.mark))


def _empty_row(view: FeatureView) -> "pl.DataFrame":
    import polars as pl

    return pl.DataFrame(schema=view.schema).clear(1).select(view.feature_names)


def encode_sort_keys(rows: "pl.DataFrame") -> list[bytes]:
    """Return 24 bytes of each row that compare as (event_time, available_at, seq)."""
    columns = [rows[name].to_physical().to_numpy().astype(np.int64) for name in ORDER]
    # With the sign turned, big-endian bytes of integers compare as the integers do.
    turned = np.column_stack([each.view(np.uint64) ^ _SIGN for each in columns]).astype(">u8")
    flat, width = turned.tobytes(), 8 * len(ORDER)
    return [flat[start : start + width] for start in range(0, len(flat), width)]


def event_time_of(sort_key: bytes) -> int:
    """Return the event time of a sort key, in microseconds.

    >>> event_time_of(bytes([128, 0, 0, 0, 0, 0, 0, 5]) + bytes(16))
    5
    """
    return int.from_bytes(sort_key[:8], "big") - int(_SIGN)


def decode_sort_keys(raw: list[bytes]) -> "pl.DataFrame":
    """Return ``event_time``, ``available_at`` and ``seq`` of sort keys."""
    import polars as pl

    turned = np.frombuffer(b"".join(raw), ">u8").astype(np.uint64).reshape(-1, len(ORDER))
    moment = pl.Datetime("us", "UTC")
    kinds = {EVENT_TIME: moment, AVAILABLE_AT: moment, SEQ: pl.Int64()}
    numbers = (turned ^ _SIGN).view(np.int64)
    return pl.DataFrame(
        [pl.Series(name, numbers[:, i].copy()).cast(kinds[name]) for i, name in enumerate(ORDER)]
    )
