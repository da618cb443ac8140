"""Closeness: equality of two values except for numbers within a tolerance; a proof, not a search.

Anything not known to be equal counts as different: a part that the walk does not reach (an index,
the order of keys, a category, a mask) is compared by digest.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from penstock.stores import DigestedFrame, PackedJson, StoredPart

Digest = Callable[[Any], str]


@dataclass(frozen=True, slots=True)
class Closeness:
    """The maximum difference of two numbers that count as equal; zero by default."""

    rtol: float = 0.0
    atol: float = 0.0

    def allows(self, recorded: float, computed: float) -> bool:
        """Return whether two numbers are close enough.

        >>> Closeness(atol=0.1).allows(1.0, 1.05)
        True
        >>> Closeness().allows(float("nan"), float("nan"))
        True
        """
        if math.isnan(recorded) or math.isnan(computed):
            return math.isnan(recorded) and math.isnan(computed)
        return recorded == computed or abs(recorded - computed) <= self.atol + self.rtol * abs(
            recorded
        )


def is_within(recorded: Any, computed: Any, closeness: Closeness, digest: Digest) -> bool:
    """Return whether two values are equal, except for numbers that are close enough.

    Args:
        recorded: The value as stored.
        computed: The value as computed now, also after storing and loading.
        closeness: Tolerance for numbers.
        digest: Content digest of a value; may raise for a value that has none.
    """
    try:
        return _Comparison(closeness, digest).is_within(recorded, computed)
    except Exception:  # noqa: BLE001 - a value that cannot be compared is not known to be equal
        return False


def _loaded(part: Any) -> Any:
    return part.load() if isinstance(part, StoredPart | DigestedFrame | PackedJson) else part


class _Comparison:
    def __init__(self, closeness: Closeness, digest: Digest) -> None:
        self._closeness, self._digest = closeness, digest

    def is_within(self, recorded: Any, computed: Any) -> bool:
        if type(recorded) is not type(computed):
            return False
        if isinstance(recorded, int | float) and type(recorded) in {int, float}:
            return self._closeness.allows(recorded, computed)
        # A mask is compared separately: the values below a mask are not visible, but may be
        # compared.
        if not hasattr(recorded, "mask") and self._is_same(recorded, computed):
            return True
        return self._is_within_parts(recorded, computed)

    def _is_within_parts(self, recorded: Any, computed: Any) -> bool:
        kind = type(recorded)
        if kind in {list, tuple}:
            return self._items(recorded, computed)
        if kind is dict:
            return self._is_same(list(recorded), list(computed)) and self._items(
                list(recorded.values()), list(computed.values())
            )
        if hasattr(recorded, "to_bundle"):
            return self._mapping(recorded.to_bundle(), computed.to_bundle())
        root = kind.__module__.partition(".")[0]
        special = {
            "numpy": self._numpy,
            "polars": self._polars,
            "pandas": self._pandas,
        }.get(root, self._object)
        return special(recorded, computed)

    def _is_same(self, recorded: Any, computed: Any) -> bool:
        try:
            return self._digest(recorded) == self._digest(computed)
        except Exception:  # noqa: BLE001 - the parts may still be comparable
            return False

    def _items(self, recorded: Any, computed: Any) -> bool:
        return len(recorded) == len(computed) and all(map(self.is_within, recorded, computed))

    def _mapping(self, recorded: Mapping[str, Any], computed: Mapping[str, Any]) -> bool:
        return list(recorded) == list(computed) and all(
            self.is_within(_loaded(recorded[name]), _loaded(computed[name])) for name in recorded
        )

    def _numpy(self, recorded: Any, computed: Any) -> bool:
        import numpy as np

        if isinstance(recorded, np.generic):
            return recorded.dtype == computed.dtype and self._numbers(recorded, computed)
        if isinstance(recorded, np.ma.MaskedArray):
            return (
                bool(np.array_equal(np.ma.getmaskarray(recorded), np.ma.getmaskarray(computed)))
                and self._is_same(recorded.fill_value, computed.fill_value)
                and self._numpy(np.asarray(recorded.data), np.asarray(computed.data))
            )
        if type(recorded) is not np.ndarray:
            return self._object(recorded, computed)
        if recorded.dtype != computed.dtype or recorded.shape != computed.shape:
            return False
        if recorded.dtype.names:
            return all(self._numpy(recorded[n], computed[n]) for n in recorded.dtype.names)
        if recorded.dtype == object:
            return self._items(recorded.ravel().tolist(), computed.ravel().tolist())
        return self._numbers(recorded, computed)

    def _numbers(self, recorded: Any, computed: Any) -> bool:
        """Compare numbers of equal shape; non-numeric kinds were compared by digest and differ."""
        import numpy as np

        if recorded.dtype.kind not in "fciu":
            return bool(np.array_equal(recorded, computed))
        close = np.isclose(
            computed.astype(np.result_type(computed, float)),
            recorded.astype(np.result_type(recorded, float)),
            rtol=self._closeness.rtol,
            atol=self._closeness.atol,
            equal_nan=True,
        )
        return bool(close.all())

    def _polars(self, recorded: Any, computed: Any) -> bool:
        import polars as pl

        if isinstance(recorded, pl.Series):
            recorded, computed = recorded.to_frame(), computed.to_frame()
        if not isinstance(recorded, pl.DataFrame):
            return False
        if list(recorded.schema.items()) != list(computed.schema.items()):
            return False
        return recorded.height == computed.height and all(
            self._column(recorded[name], computed[name]) for name in recorded.columns
        )

    def _column(self, recorded: Any, computed: Any) -> bool:
        if not recorded.dtype.is_numeric() or recorded.dtype.is_decimal():
            return self._is_same(recorded.to_frame(), computed.to_frame())
        if (recorded.is_null() != computed.is_null()).any():
            return False
        return self._numbers(recorded.drop_nulls().to_numpy(), computed.drop_nulls().to_numpy())

    def _pandas(self, recorded: Any, computed: Any) -> bool:
        import pandas as pd

        if isinstance(recorded, pd.Series):
            if not self._is_same([recorded.name], [computed.name]):
                return False
            recorded, computed = recorded.to_frame("value"), computed.to_frame("value")
        if not isinstance(recorded, pd.DataFrame) or len(recorded) != len(computed):
            return self._object(recorded, computed) and not isinstance(recorded, pd.DataFrame)
        if not recorded.columns.equals(computed.columns) or list(recorded.dtypes) != list(
            computed.dtypes
        ):
            return False
        numeric = [
            place
            for place, kind in enumerate(recorded.dtypes)
            if getattr(kind, "kind", "") in "fiu"
        ]
        rest = [place for place in range(recorded.shape[1]) if place not in set(numeric)]
        return (
            self._is_same(recorded.iloc[:, rest], computed.iloc[:, rest])  # includes the index
            and self._is_same(dict(recorded.attrs), dict(computed.attrs))
            and all(
                self._numbers(
                    recorded.iloc[:, place].to_numpy(dtype=float, na_value=math.nan),
                    computed.iloc[:, place].to_numpy(dtype=float, na_value=math.nan),
                )
                for place in numeric
            )
        )

    def _object(self, recorded: Any, computed: Any) -> bool:
        """Compare the constructor, arguments and state from which each object is rebuilt."""
        one, two = recorded.__reduce_ex__(4), computed.__reduce_ex__(4)
        if isinstance(one, str) or isinstance(two, str) or len(one) != len(two):
            return False
        if one[0] is not two[0] or any(list(more) for more in (*one[3:], *two[3:]) if more):
            return False
        return self.is_within(one[1], two[1]) and self.is_within(one[2:3], two[2:3])
