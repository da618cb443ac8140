"""Types unknown to JSON: the form of each in JSON's own values, and the way back.

A writer receives the value and a function that writes an inner value; a reader the written form.
"""

import base64
import re
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from fractions import Fraction
from pathlib import Path, PosixPath, PurePosixPath, PureWindowsPath, WindowsPath
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from penstock.core import require

Plain = Callable[[Any], Any]
Write = Callable[[Any, Plain], Any]

_FACTORIES: dict[str, Any] = {
    kind.__name__: kind
    for kind in (bool, bytes, complex, dict, float, frozenset, int, list, set, str, tuple)
}


def _list(value: Any, plain: Plain) -> list[Any]:
    return [plain(item) for item in value]


def _set(value: Any, plain: Plain) -> list[Any]:
    # Sorted by their text, so that equal sets give equal bytes.
    return sorted((plain(item) for item in value), key=repr)


def _pairs(value: Any, plain: Plain) -> list[Any]:
    return [[plain(key), plain(item)] for key, item in value.items()]


def _default_dict(value: Any, plain: Plain) -> list[Any]:
    factory = value.default_factory
    name = None if factory is None else getattr(factory, "__name__", "")
    # Known factories only: reading must not call a function by a stored name.
    if name is not None and _FACTORIES.get(name) is not factory:
        raise TypeError(f"A defaultdict of {factory!r} is not JSON-like.")
    return [name, _pairs(value, plain)]


def _time(value: datetime | time, plain: Plain) -> Any:
    zone, text = value.tzinfo, value.isoformat()
    if not value.fold and (zone is None or (type(zone) is timezone and _is_bare(zone))):
        return text
    # The text has neither the fold nor the name of a zone, so both are written beside it.
    naive = value.replace(tzinfo=None, fold=0).isoformat()
    return [naive, value.fold, None if zone is None else plain(zone)]


def _read_time(kind: Any) -> Callable[[Any], Any]:
    def read(written: Any) -> Any:
        if isinstance(written, str):
            return kind.fromisoformat(written)
        text, fold, zone = written
        return kind.fromisoformat(text).replace(tzinfo=zone, fold=fold)

    return read


def _is_bare(zone: timezone) -> bool:
    """Return whether an offset has no special name: the text is complete."""
    return repr(zone) == repr(timezone(zone.utcoffset(None)))


def _offset(value: timezone, plain: Plain) -> list[Any]:
    return [plain(value.utcoffset(None)), None if _is_bare(value) else value.tzname(None)]


def _zone(value: ZoneInfo, plain: Plain) -> str:
    del plain
    key: str | None = value.key  # a zone from a file has no key, whatever typeshed says
    if key is None or ZoneInfo(key) is not value:
        raise TypeError("A time zone without a key of its own is not JSON-like.")
    return key


def _pattern(value: "re.Pattern[Any]", plain: Plain) -> list[Any]:
    return [plain(value.pattern), value.flags]


WRITERS: dict[type, tuple[str, Write]] = {
    tuple: ("tuple", _list),
    set: ("set", _set),
    frozenset: ("frozenset", _set),
    bytes: ("bytes", lambda value, _: base64.b64encode(value).decode()),
    datetime: ("datetime", _time),
    date: ("date", lambda value, _: value.isoformat()),
    time: ("time", _time),
    timedelta: ("timedelta", lambda value, _: [value.days, value.seconds, value.microseconds]),
    Decimal: ("decimal", lambda value, _: str(value)),
    complex: ("complex", lambda value, plain: [plain(value.real), plain(value.imag)]),
    UUID: ("uuid", lambda value, _: str(value)),
    timezone: ("timezone", _offset),
    ZoneInfo: ("zone", _zone),
    PosixPath: ("path", lambda value, _: value.as_posix()),
    WindowsPath: ("path", lambda value, _: value.as_posix()),
}
"""Types that records and values preserve."""

EXACT_WRITERS: dict[type, tuple[str, Write]] = {
    OrderedDict: ("ordereddict", _pairs),
    Counter: ("counter", _pairs),
    defaultdict: ("defaultdict", _default_dict),
    deque: ("deque", lambda value, plain: [value.maxlen, _list(value, plain)]),
    Fraction: ("fraction", lambda value, plain: [plain(value.numerator), plain(value.denominator)]),
    range: (
        "range",
        lambda value, plain: [plain(value.start), plain(value.stop), plain(value.step)],
    ),
    slice: (
        "slice",
        lambda value, plain: [plain(value.start), plain(value.stop), plain(value.step)],
    ),
    bytearray: ("bytearray", lambda value, _: base64.b64encode(value).decode()),
    re.Pattern: ("pattern", _pattern),
    type(Ellipsis): ("ellipsis", lambda _, __: None),
    PurePosixPath: ("posixpath", lambda value, _: value.as_posix()),
    PureWindowsPath: ("windowspath", lambda value, _: value.as_posix()),
}
"""Types that only values preserve; in a record they become a plain value, or text."""


def _read_default_dict(written: Any) -> Any:
    name, pairs = written
    return defaultdict(None if name is None else _FACTORIES[name], map(tuple, pairs))


def _read_counter(pairs: Any) -> Any:
    counts: Counter[Any] = Counter()
    # Counter(pairs) would count the pairs themselves.
    for key, count in pairs:
        counts[key] = count
    return counts


def _read_offset(written: Any) -> tzinfo:
    offset, name = written
    return timezone(offset) if name is None else timezone(offset, name)


def write_scalar(value: Any, package: str) -> tuple[str, Any] | None:
    """Write a scalar of NumPy or pandas as a tag and arguments; None for unknown scalars.

    Args:
        value: The value.
        package: First name of the class's module.
    """
    if package == "numpy":
        return _write_numpy(value)
    return _write_pandas(value) if package == "pandas" else None


def _write_numpy(value: Any) -> tuple[str, Any] | None:
    import numpy as np

    # A subclass would be restored as the plain type.
    if not isinstance(value, np.generic) or type(value) is not value.dtype.type:
        return None
    if value.dtype.kind in "mM":
        return "numpy", [value.dtype.str, int(value.view("i8"))]
    item = value.item()
    if isinstance(item, np.generic) or value.dtype.kind not in "biufcUS":
        return None  # a long double, a record, an object
    return "numpy", [value.dtype.str, item]


def _read_numpy(written: Any) -> Any:
    import numpy as np

    dtype, item = np.dtype(written[0]), written[1]
    return np.int64(item).view(dtype) if dtype.kind in "mM" else dtype.type(item)


def _write_pandas(value: Any) -> tuple[str, Any] | None:
    import pandas as pd

    kind = type(value)
    # Compared by identity: both are unlike everything, themselves included.
    if value is pd.NaT or value is pd.NA:
        return "missing", "NaT" if value is pd.NaT else "NA"
    if kind is pd.Timestamp and not (value.tzinfo is None and value.fold):
        return "timestamp", [int(value.asm8.view("i8")), value.unit, value.tzinfo]
    if kind is pd.Timedelta:
        return "pandasdelta", [int(value.asm8.view("i8")), value.unit]
    if kind is pd.Period:
        return "period", [value.ordinal, value.freqstr]
    return ("interval", [value.left, value.right, value.closed]) if kind is pd.Interval else None


def _pandas() -> Any:
    return require("pandas", extra="pandas", purpose="reading a value of pandas")


def _read_timestamp(written: Any) -> Any:
    import numpy as np

    number, unit, zone = written
    moment = _pandas().Timestamp(np.datetime64(number, unit))
    return moment if zone is None else moment.tz_localize("UTC").tz_convert(zone)


def _read_delta(written: Any) -> Any:
    import numpy as np

    return _pandas().Timedelta(np.timedelta64(*written))


READERS: dict[str, Callable[[Any], Any]] = {
    "int": lambda text: int(text, 16),
    "float": float,
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
    "dict": dict,
    "bytes": base64.b64decode,
    "datetime": _read_time(datetime),
    "date": date.fromisoformat,
    "time": _read_time(time),
    "timedelta": lambda parts: timedelta(*parts),
    "decimal": Decimal,
    "complex": lambda parts: complex(*parts),
    "uuid": UUID,
    "path": Path,
    "timezone": _read_offset,
    "zone": ZoneInfo,
    "ordereddict": OrderedDict,
    "counter": _read_counter,
    "defaultdict": _read_default_dict,
    "deque": lambda written: deque(written[1], written[0]),
    "fraction": lambda parts: Fraction(*parts),
    "range": lambda parts: range(*parts),
    "slice": lambda parts: slice(*parts),
    "bytearray": lambda text: bytearray(base64.b64decode(text)),
    "pattern": lambda parts: re.compile(*parts),
    "ellipsis": lambda _: Ellipsis,
    "posixpath": PurePosixPath,
    "windowspath": PureWindowsPath,
    "numpy": _read_numpy,
    "missing": lambda name: getattr(_pandas(), name),
    "timestamp": _read_timestamp,
    "pandasdelta": _read_delta,
    "period": lambda parts: _pandas().Period(ordinal=parts[0], freq=parts[1]),
    "interval": lambda parts: _pandas().Interval(*parts),
}
"""Reader of each tag's value."""
