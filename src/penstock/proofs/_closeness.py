"""Closeness: equality of two values except for numbers within a tolerance; a proof, not a search.

Anything not known to be equal counts as different: a part that the walk does not reach (an index,
the order of keys, a category, a mask) is compared by digest.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Digest = Callable[[Any], str]


@dataclass(frozen=True, slots=True)
class Closeness:
    """The maximum difference of two numbers that count as equal; zero by default."""

    rtol: float = 0.0
    atol: float = 0.0

    def allows(self, recorded: float, found: float) -> bool:
        """Return whether two numbers are close enough.

        >>> Closeness(atol=0.1).allows(1.0, 1.05)
        True
        >>> Closeness().allows(float("nan"), float("nan"))
        True
        """
        if math.isnan(recorded) or math.isnan(found):
            return math.isnan(recorded) and math.isnan(found)
        return recorded == found or abs(recorded - found) <= self.atol + self.rtol * abs(recorded)


def is_within(recorded: Any, found: Any, closeness: Closeness, digest: Digest) -> bool:
    """Return whether two values are equal, except for numbers that are close enough.

    Args:
        recorded: The value as stored.
        found: The value as computed now, also after storing and loading.
        closeness: Tolerance for numbers.
        digest: Content digest of a value; may raise for a value that has none.
    """
    try:
        return _Comparison(closeness, digest).is_within(recorded, found)
    except Exception:  # noqa: BLE001 - a value that cannot be compared is not known to be equal
        return False


class _Comparison:
    def __init__(self, closeness: Closeness, digest: Digest) -> None:
        self._closeness, self._digest = closeness, digest

    def is_within(self, recorded: Any, found: Any) -> bool:
        if type(recorded) is not type(found):
            return False
        if isinstance(recorded, int | float) and type(recorded) in {int, float}:
            return self._closeness.allows(recorded, found)
        # A mask is compared separately: the values below a mask are not visible, but may be
        # compared.
        if not hasattr(recorded, "mask") and self._is_same(recorded, found):
            return True
        return self._is_within_parts(recorded, found)

    def _is_within_parts(self, recorded: Any, found: Any) -> bool:
        kind = type(recorded)
        if kind in {list, tuple}:
            return self._items(recorded, found)
        if kind is dict:
            return self._is_same(list(recorded), list(found)) and self._items(
                list(recorded.values()), list(found.values())
            )
        if hasattr(recorded, "to_bundle"):
            return self._mapping(recorded.to_bundle(), found.to_bundle())
        root = kind.__module__.partition(".")[0]
        special = {
            "numpy": self._numpy,
            "polars": self._polars,
            "pandas": self._pandas,
        }.get(root, self._object)
        return special(recorded, found)

    def _is_same(self, recorded: Any, found: Any) -> bool:
        try:
            return self._digest(recorded) == self._digest(found)
        except Exception:  # noqa: BLE001 - the parts may still be comparable
            return False

    def _items(self, recorded: Any, found: Any) -> bool:
        return len(recorded) == len(found) and all(map(self.is_within, recorded, found))

    def _mapping(self, recorded: Mapping[str, Any], found: Mapping[str, Any]) -> bool:
        return list(recorded) == list(found) and all(
            self.is_within(recorded[name], found[name]) for name in recorded
        )

    def _numpy(self, recorded: Any, found: Any) -> bool:
        import numpy as np

        if isinstance(recorded, np.generic):
            return recorded.dtype == found.dtype and self._numbers(recorded, found)
        if isinstance(recorded, np.ma.MaskedArray):
            return (
                bool(np.array_equal(np.ma.getmaskarray(recorded), np.ma.getmaskarray(found)))
                and self._is_same(recorded.fill_value, found.fill_value)
                and self._numpy(np.asarray(recorded.data), np.asarray(found.data))
            )
        if type(recorded) is not np.ndarray:
            return self._object(recorded, found)
        if recorded.dtype != found.dtype or recorded.shape != found.shape:
            return False
        if recorded.dtype.names:
            return all(self._numpy(recorded[n], found[n]) for n in recorded.dtype.names)
        if recorded.dtype == object:
            return self._items(recorded.ravel().tolist(), found.ravel().tolist())
        return self._numbers(recorded, found)

    def _numbers(self, recorded: Any, found: Any) -> bool:
        """Compare numbers of equal shape; non-numeric kinds were compared by digest and differ."""
        import numpy as np

        if recorded.dtype.kind not in "fciu":
            return bool(np.array_equal(recorded, found))
        close = np.isclose(
            found.astype(np.result_type(found, float)),
            recorded.astype(np.result_type(recorded, float)),
            rtol=self._closeness.rtol,
            atol=self._closeness.atol,
            equal_nan=True,
        )
        return bool(close.all())

    def _polars(self, recorded: Any, found: Any) -> bool:
        import polars as pl

        if isinstance(recorded, pl.Series):
            recorded, found = recorded.to_frame(), found.to_frame()
        if not isinstance(recorded, pl.DataFrame):
            return False
        if list(recorded.schema.items()) != list(found.schema.items()):
            return False
        return recorded.height == found.height and all(
            self._column(recorded[name], found[name]) for name in recorded.columns
        )

    def _column(self, recorded: Any, found: Any) -> bool:
        if not recorded.dtype.is_numeric() or recorded.dtype.is_decimal():
            return self._is_same(recorded.to_frame(), found.to_frame())
        if (recorded.is_null() != found.is_null()).any():
            return False
        return self._numbers(recorded.drop_nulls().to_numpy(), found.drop_nulls().to_numpy())

    def _pandas(self, recorded: Any, found: Any) -> bool:
        import pandas as pd

        if isinstance(recorded, pd.Series):
            if not self._is_same([recorded.name], [found.name]):
                return False
            recorded, found = recorded.to_frame("value"), found.to_frame("value")
        if not isinstance(recorded, pd.DataFrame) or len(recorded) != len(found):
            return self._object(recorded, found) and not isinstance(recorded, pd.DataFrame)
        if not recorded.columns.equals(found.columns) or list(recorded.dtypes) != list(
            found.dtypes
        ):
            return False
        numeric = [
            place
            for place, kind in enumerate(recorded.dtypes)
            if getattr(kind, "kind", "") in "fiu"
        ]
        rest = [place for place in range(recorded.shape[1]) if place not in set(numeric)]
        return (
            self._is_same(recorded.iloc[:, rest], found.iloc[:, rest])  # includes the index
            and self._is_same(dict(recorded.attrs), dict(found.attrs))
            and all(
                self._numbers(
                    recorded.iloc[:, place].to_numpy(dtype=float, na_value=math.nan),
                    found.iloc[:, place].to_numpy(dtype=float, na_value=math.nan),
                )
                for place in numeric
            )
        )

    def _object(self, recorded: Any, found: Any) -> bool:
        """Compare the constructor, arguments and state from which each object is rebuilt."""
        one, two = recorded.__reduce_ex__(4), found.__reduce_ex__(4)
        if isinstance(one, str) or isinstance(two, str) or len(one) != len(two):
            return False
        if one[0] is not two[0] or any(list(more) for more in (*one[3:], *two[3:]) if more):
            return False
        return self.is_within(one[1], two[1]) and self.is_within(one[2:3], two[2:3])
