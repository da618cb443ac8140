"""Differences of two values: path, first row, largest gap; apart because the walk knows types."""

import pickle
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from penstock.core import with_article
from penstock.proofs._closeness import Closeness
from penstock.stores import ChunkedTable, DigestedFrame, PackedJson, StoredPart

_MAX_TEXT = 120
_MAX_DEPTH = 12
_IDENTITY: Any = object.__eq__  # Any: compared with the method of any type


@dataclass(frozen=True, slots=True)
class ValueDifference:
    """A place where the recorded and the found value differ.

    Args:
        path: The place in readable form: ``train.X, column 'fare', row 17``.
        recorded: The recorded value at the place, shortened.
        found: The found value at the place, shortened.
        largest: Largest absolute gap if numbers differ; None otherwise.
        tolerated: True if every gap at the place is within the declared tolerance.
    """

    path: str
    recorded: str
    found: str
    largest: float | None = None
    tolerated: bool = False

    def __str__(self) -> str:
        gap = "" if self.largest is None else f" (largest gap {self.largest:.3g})"
        place = self.path.removeprefix(".") or "value"
        return f"{place}: recorded {self.recorded}, now {self.found}{gap}"


@dataclass(frozen=True, slots=True)
class _Place:
    """The current position of the walk, and the tolerance."""

    path: str
    depth: int
    close: Closeness

    def inner(self, step: str) -> "_Place":
        return _Place(self.path + step, self.depth + 1, self.close)


def find_differences(
    recorded: object, computed: object, closeness: Closeness | None = None, *, path: str = ""
) -> Iterator[ValueDifference]:
    """Walk two values in parallel and yield each place where they differ, in order.

    >>> [str(d) for d in find_differences({"a": 1, "b": 2}, {"a": 1, "b": 3})]
    ["['b']: recorded 2, now 3 (largest gap 1)"]

    Args:
        recorded: The value as stored.
        computed: The value computed now.
        closeness: Tolerance for numbers; exact by default.
        path: Path of the values, for the message.
    """
    yield from _walk(recorded, computed, _Place(path, 0, closeness or Closeness()))


def _walk(recorded: Any, computed: Any, place: _Place) -> Iterator[ValueDifference]:
    if type(recorded) is not type(computed):
        if not (_is_number(recorded) and _is_number(computed)):
            names = type(recorded).__name__, type(computed).__name__
            yield ValueDifference(place.path, with_article(names[0]), with_article(names[1]))
            return
    elif place.depth > _MAX_DEPTH:
        yield from _walk_plain(recorded, computed, place)
        return
    yield from _WALKERS[_kind(recorded)](recorded, computed, place)


def _kind(value: Any) -> str:
    names = {cls.__name__ for cls in type(value).__mro__}
    module = type(value).__module__.partition(".")[0]
    if module == "polars" or (module == "pandas" and "DataFrame" in names):
        return "table"
    if module == "numpy" and "ndarray" in names:
        return "array"
    if _is_number(value):
        return "number"
    if isinstance(value, Mapping):
        return "mapping"
    if isinstance(value, list | tuple):
        return "sequence"
    if isinstance(value, type):  # a class has the attributes of its objects, but not their state
        return "plain"
    if hasattr(value, "to_bundle"):
        return "bundle"
    if hasattr(value, "get_params") or hasattr(value, "__dict__"):
        return "object"
    return "plain"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _walk_table(recorded: Any, computed: Any, place: _Place) -> Iterator[ValueDifference]:
    import polars as pl

    if type(recorded).__module__.partition(".")[0] == "pandas":
        yield from _walk_labels(recorded, computed, place)
    left, right = (_as_polars(value) for value in (recorded, computed))
    if left.columns != right.columns:
        missing = [name for name in left.columns if name not in right.columns][:5]
        added = [name for name in right.columns if name not in left.columns][:5]
        yield ValueDifference(
            f"{place.path}, columns",
            f"{left.width} columns" + (f", {missing} gone" if missing else ""),
            f"{right.width} columns" + (f", {added} new" if added else ", in another order"),
        )
        return
    if left.height != right.height:
        yield ValueDifference(
            f"{place.path}, rows", f"{left.height:,} rows", f"{right.height:,} rows"
        )
        return
    for name in left.columns:
        one, two = left[name], right[name]
        if one.dtype != two.dtype:
            yield ValueDifference(f"{place.path}, column {name!r}", str(one.dtype), str(two.dtype))
            continue
        differ = one.ne_missing(two)
        if differ.any():
            row = int(differ.arg_max() or 0)
            largest, tolerated = None, False
            if one.dtype.is_numeric():
                gaps = (one.cast(pl.Float64) - two.cast(pl.Float64)).abs().filter(differ)
                bound = place.close.atol + place.close.rtol * one.cast(pl.Float64).abs().filter(
                    differ
                )
                top = gaps.max()
                largest = float(top) if isinstance(top, int | float) else None
                tolerated = bool((gaps <= bound).all()) and gaps.null_count() == 0
            count = int(differ.sum())
            where = f"{place.path}, column {name!r}, row {row} ({count:,} of {left.height:,} rows differ)"
            yield ValueDifference(where, _short(one[row]), _short(two[row]), largest, tolerated)


def _walk_labels(recorded: Any, computed: Any, place: _Place) -> Iterator[ValueDifference]:
    """Compare the data that pandas stores beside the cells: index, categories, attributes."""
    if len(recorded) == len(computed):
        unequal = [
            row for row, pair in enumerate(zip(recorded.index, computed.index, strict=True))
            if repr(pair[0]) != repr(pair[1])
        ]  # fmt: skip
        if unequal:
            row = unequal[0]
            where = f"{place.path}, index, row {row} ({len(unequal):,} of {len(computed):,} rows differ)"
            yield ValueDifference(where, _short(recorded.index[row]), _short(computed.index[row]))
    for name in dict.fromkeys(column for column in recorded.columns if column in computed.columns):
        one, two = recorded[name], computed[name]
        if hasattr(one, "cat") and hasattr(two, "cat"):
            levels = [list(column.cat.categories) for column in (one, two)]
            if levels[0] != levels[1]:
                where = f"{place.path}, column {name!r}, categories"
                yield ValueDifference(where, _short(levels[0]), _short(levels[1]))
    if recorded.attrs != computed.attrs:
        yield ValueDifference(
            f"{place.path}, attrs", _short(recorded.attrs), _short(computed.attrs)
        )


def _as_polars(value: Any) -> Any:
    import polars as pl

    if isinstance(value, pl.Series):
        return value.to_frame(value.name or "value")
    return value if isinstance(value, pl.DataFrame) else pl.from_pandas(value)


def _walk_array(recorded: Any, computed: Any, place: _Place) -> Iterator[ValueDifference]:
    import numpy as np

    if recorded.dtype != computed.dtype or recorded.shape != computed.shape:
        yield ValueDifference(
            place.path,
            f"array {recorded.dtype}{list(recorded.shape)}",
            f"array {computed.dtype}{list(computed.shape)}",
        )
        return
    if hasattr(recorded, "mask") and (recorded.mask != computed.mask).any():
        count = int((recorded.mask != computed.mask).sum())
        where = f"{place.path}, mask ({count:,} of {recorded.size:,})"
        yield ValueDifference(
            where, f"{int(recorded.mask.sum()):,} masked", f"{int(computed.mask.sum()):,}"
        )
        return
    if recorded.dtype.names:
        for name in recorded.dtype.names:
            yield from _walk_array(recorded[name], computed[name], place.inner(f"[{name!r}]"))
        return
    if recorded.dtype == object:
        yield from _walk_sequence(recorded.ravel().tolist(), computed.ravel().tolist(), place)
        return
    differ = recorded != computed
    if recorded.dtype.kind in "fc":
        # A value that is NaN on both sides is no difference.
        differ &= ~(np.isnan(recorded) & np.isnan(computed))
    if differ.any():
        index = tuple(int(i) for i in np.argwhere(np.atleast_1d(differ))[0])
        one, two = np.atleast_1d(recorded)[index], np.atleast_1d(computed)[index]
        largest, tolerated = None, False
        if recorded.dtype.kind in "fiu":
            gaps = np.abs(recorded.astype(float) - computed.astype(float))[differ]
            bound = (place.close.atol + place.close.rtol * np.abs(recorded.astype(float)))[differ]
            largest, tolerated = float(gaps.max()), bool((gaps <= bound).all())
        indices = ", ".join(map(str, index))
        where = f"{place.path}[{indices}] ({int(differ.sum()):,} of {differ.size:,})"
        yield ValueDifference(where, _short(one), _short(two), largest, tolerated)


def _walk_number(recorded: Any, computed: Any, place: _Place) -> Iterator[ValueDifference]:
    same = recorded == computed or (recorded != recorded and computed != computed)  # noqa: PLR0124 - NaN
    if not same or type(recorded) is not type(computed):
        gap = abs(recorded - computed)
        tolerated = place.close.allows(recorded, computed)
        yield ValueDifference(place.path, _short(recorded), _short(computed), float(gap), tolerated)


def _walk_mapping(recorded: Any, computed: Any, place: _Place) -> Iterator[ValueDifference]:
    for key in recorded:
        if key not in computed:
            yield ValueDifference(f"{place.path}[{key!r}]", _short(recorded[key]), "nothing")
        else:
            yield from _walk(recorded[key], computed[key], place.inner(f"[{key!r}]"))
    for key in computed:
        if key not in recorded:
            yield ValueDifference(f"{place.path}[{key!r}]", "nothing", _short(computed[key]))
    if list(recorded) != list(computed) and set(recorded) == set(computed):
        keys = _short(list(recorded)), _short(list(computed))
        yield ValueDifference(f"{place.path}, order of keys", *keys)


def _walk_sequence(recorded: Any, computed: Any, place: _Place) -> Iterator[ValueDifference]:
    if len(recorded) != len(computed):
        yield ValueDifference(place.path, f"{len(recorded):,} items", f"{len(computed):,} items")
        return
    for index, (one, two) in enumerate(zip(recorded, computed, strict=True)):
        yield from _walk(one, two, place.inner(f"[{index}]"))


def _walk_bundle(recorded: Any, computed: Any, place: _Place) -> Iterator[ValueDifference]:
    one, two = _parts_of(recorded), _parts_of(computed)
    # Rows first: they show the place; the digests and counts beside them only follow.
    for name in sorted(one, key=lambda name: _kind(one[name]) != "table"):
        if name in two:
            yield from _walk(one[name], two[name], place.inner(f".{name}"))


def _parts_of(value: Any) -> dict[str, Any]:
    """Return a bundle's parts; a table in chunks as a frame, since chunks say nothing of the rows."""
    return {
        name: part.read()
        if isinstance(part, ChunkedTable)
        else part.load()
        if isinstance(part, StoredPart | DigestedFrame | PackedJson)
        else part
        for name, part in value.to_bundle().items()
    }


def _walk_object(recorded: Any, computed: Any, place: _Place) -> Iterator[ValueDifference]:
    one, two = _state(recorded), _state(computed)
    for name in sorted(one.keys() | two.keys()):
        if name in one and name in two:
            yield from _walk(one[name], two[name], place.inner(f".{name}"))
        elif name in one:
            yield ValueDifference(f"{place.path}.{name}", _short(one[name]), "nothing")
        else:
            yield ValueDifference(f"{place.path}.{name}", "nothing", _short(two[name]))


def _state(value: Any) -> dict[str, Any]:
    if hasattr(value, "__getstate__"):
        state = value.__getstate__()
        if isinstance(state, dict):
            return state
    return dict(vars(value)) if hasattr(value, "__dict__") else {"value": repr(value)}


def _walk_plain(recorded: Any, computed: Any, place: _Place) -> Iterator[ValueDifference]:
    if not _is_equal(recorded, computed):
        yield ValueDifference(place.path, _short(recorded), _short(computed))


def _is_equal(one: Any, two: Any) -> bool:
    try:
        if type(one).__eq__ is _IDENTITY and not isinstance(one, type):
            # Equal to itself only: two objects of one state, such as random generators, are equal.
            return pickle.dumps(one) == pickle.dumps(two)
        return bool(one == two)
    except (TypeError, ValueError, AttributeError, pickle.PicklingError):
        return repr(one) == repr(two)


def _short(value: Any) -> str:
    is_scalar = hasattr(value, "item") and not isinstance(value, type)
    text = repr(value.item() if is_scalar else value)
    return text if len(text) <= _MAX_TEXT else text[: _MAX_TEXT - 1] + "…"


_WALKERS = {
    "table": _walk_table,
    "array": _walk_array,
    "number": _walk_number,
    "mapping": _walk_mapping,
    "sequence": _walk_sequence,
    "bundle": _walk_bundle,
    "object": _walk_object,
    "plain": _walk_plain,
}
