# ruff: noqa: DTZ001 - naive moments are values, too
"""Values that code can tell apart, one of each kind that was once taken for another."""

import array
import collections
import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import functools
import operator
import pathlib
import re
import types
import uuid
from collections.abc import Callable
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import scipy.sparse as sp
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import FunctionTransformer, StandardScaler


class Pair(NamedTuple):
    a: Any
    b: Any


class Couple(NamedTuple):
    a: Any
    b: Any


class Text(str):
    __slots__ = ()


class Whole(int):
    pass


class Real(float):
    pass


class Items(list):
    pass


class Table(dict):
    pass


class Bag(set):
    pass


class Color(enum.Enum):
    RED = 1
    GREEN = 2


class Size(enum.IntEnum):
    RED = 1


class Right(enum.Flag):
    READ = 1
    WRITE = 2


@dataclasses.dataclass
class Options:
    depth: int = 1
    names: list[str] = dataclasses.field(default_factory=list)


def scaler(factor: Any) -> Callable[[Any], Any]:
    def scaled(value: Any) -> Any:
        return value * factor

    return scaled


def with_one(value: Any, extra: int = 1) -> Any:
    return value + extra


def with_two(value: Any, extra: int = 2) -> Any:
    return value + extra


ZONE = ZoneInfo("Europe/Zurich")
NIGHT = dt.datetime(2024, 10, 27, 2, 30)
DAYS = pd.date_range("2024-01-01", periods=3, freq="D", tz="Europe/Berlin", name="day")

PLAIN: list[Any] = [
    None, True, 1, 1.0, -0.0, 0.0, float("nan"), float("inf"), "1", b"1", bytearray(b"1"),
    10**6000, -(10**6000), 1 + 0j, complex(0, -0.0), "caf\udce9", ..., "None", "null",
    [1, 2], (1, 2), {1, 2}, frozenset({1, 2}), [1, 2.0], [True, 2], [[1], 2], [1, [2]],
    {"b": 1, "a": 2}, {"a": 2, "b": 1}, {1: "a"}, {"1": "a"}, {None: "a"}, {"$": 1},
    collections.OrderedDict(b=1, a=2), collections.OrderedDict(a=2, b=1),
    collections.Counter("aab"), collections.Counter("baa"), collections.deque([1]),
    collections.deque([1], 3), collections.defaultdict(list, a=1),
    collections.defaultdict(set, a=1), collections.defaultdict(None, a=1),
    Pair(1, 2), Couple(1, 2), Text("1"), Whole(1), Real(1.0), Items([1, 2]), Table(a=2, b=1),
    Bag({1, 2}), Color.RED, Color.GREEN, Size.RED, Right.READ, Right.READ | Right.WRITE, Right(0),
    dt.date(2024, 10, 27), dt.datetime(2024, 10, 27), NIGHT, NIGHT.replace(fold=1),
    NIGHT.replace(tzinfo=dt.UTC), NIGHT.replace(tzinfo=ZONE), NIGHT.replace(tzinfo=ZONE, fold=1),
    NIGHT.replace(tzinfo=dt.timezone(dt.timedelta(hours=2))),
    NIGHT.replace(tzinfo=dt.timezone(dt.timedelta(hours=2), "CEST")),
    NIGHT.replace(tzinfo=ZoneInfo("Europe/Berlin")),
    dt.time(1), dt.time(1, tzinfo=ZONE), dt.timedelta(1), ZONE, dt.UTC,
    fractions.Fraction(1, 3), decimal.Decimal("1.1"), decimal.Decimal("1.10"), uuid.UUID(int=1),
    range(3), range(0, 3, 2), slice(3), slice(0, 3), re.compile("a"), re.compile("a", re.IGNORECASE),
    re.compile(b"a"), pathlib.Path("a/b"), pathlib.PurePosixPath("a/b"),
    pathlib.PureWindowsPath("a/b"), ValueError("a"), KeyError("a"), ValueError("b"),
    types.SimpleNamespace(a=1, b=2), types.SimpleNamespace(b=2, a=1), Options(), Options(2),
    array.array("i", [1]), array.array("l", [1]),
]  # fmt: skip

CODE: list[Any] = [
    scaler(2), scaler(5), scaler([2]), with_one, with_two, lambda x: x, lambda x: x + 1,
    functools.partial(with_one, extra=3), functools.partial(with_one, extra=4),
    functools.partial(int, base=2), operator.itemgetter(1), operator.itemgetter(2), len, int,
    Options, Pair, Color, type("Made", (), {"w": 0.5}), type("Made", (), {"w": 0.6}), np.exp,
    FunctionTransformer(lambda x: x), FunctionTransformer(lambda x: x + 1),
    FunctionTransformer(scaler(3)), FunctionTransformer(scaler(4)), FunctionTransformer(np.log1p),
    LogisticRegression(), LogisticRegression(C=2), StandardScaler().fit([[1.0], [2.0]]),
    [scaler(2), scaler(5)], {"predict": scaler(2)}, {"predict": scaler(3)},
]  # fmt: skip


def _objects(*cells: Any) -> Any:
    made = np.empty(len(cells), dtype=object)
    for place, cell in enumerate(cells):
        made[place] = cell
    return made


def _explicit_zero() -> Any:
    matrix = sp.csr_matrix(np.eye(3))
    matrix.data[0] = 0
    return matrix


_RECORDS = np.array([(1, 2)], dtype=[("a", "i4"), ("b", "i8")])
ARRAYS: list[Any] = [
    np.float32(0.5), np.float64(0.5), np.int8(1), np.int64(1), np.bool_(True), np.str_("1"),
    np.datetime64("2024-01-01"), np.datetime64("2024-01-01", "ns"), np.datetime64("NaT"),
    np.timedelta64(1, "D"), np.longdouble(1) / 3, _RECORDS[0],
    np.array([1, 2]), np.array([1, 2], dtype="int32"), np.array([1, 2], dtype=">i8"),
    np.array([1.0, 2.0]), np.array([[1, 2]]), np.array([[1, 2]]).view(np.matrix), np.array(["1", "2"]),
    np.asfortranarray(np.ones((2, 3))), np.ones((2, 3)), np.array(3), np.empty((0, 3)),
    np.ma.array([1, 2]), np.ma.array([1, 2], mask=[0, 1]), np.ma.array([1, 3], mask=[0, 1]),  # type: ignore[arg-type]
    np.ma.array([1, 2], mask=[0, 0]), np.ma.array([1, 2], mask=[0, 1], fill_value=7),  # type: ignore[arg-type]
    np.array(["2024"], dtype="M8[D]"), np.array(["2024"], dtype="M8[ns]"), _RECORDS,
    _RECORDS.view(np.recarray), np.array(["a"], dtype=np.dtypes.StringDType()),
    _objects("a", None), _objects({"b": 1, "a": 2}), _objects({"a": 2, "b": 1}),
    _objects([1, 2], [3, 4]), _objects((1, 2), (3, 4)), _objects(1, "1"),
    *(sp.eye(3, format=form) for form in ("csr", "csc", "coo", "bsr", "dia", "lil", "dok")),
    sp.eye_array(3, format="csr"), _explicit_zero(),
]  # fmt: skip


def _with_attribute() -> pd.DataFrame:
    frame = pd.DataFrame({"a": [1]})
    frame.attrs["source"] = "x"
    return frame


def _categories(*names: Any, ordered: bool = False) -> pd.DataFrame:
    return pd.DataFrame({"c": pd.Categorical([names[0]], list(names), ordered=ordered)})


def _arrow(values: list[Any], kind: Any) -> pd.DataFrame:
    return pd.DataFrame({"x": pd.array(values, dtype=pd.ArrowDtype(kind))})  # type: ignore[call-overload]


TABLES: list[Any] = [
    pd.Timestamp("2024-01-01"), pd.Timestamp("2024-01-01").as_unit("ns"),
    pd.Timestamp("2024-01-01", tz="Europe/Zurich"), pd.Timedelta("1h"), pd.NaT, pd.NA,
    pd.Period("2024-01", "M"), pd.Interval(0, 1), pd.Interval(0, 1, closed="left"),
    pd.DataFrame({"a": [1, 2]}), pd.DataFrame({"a": [1.0, 2.0]}), pd.DataFrame({"b": [1, 2]}),
    pd.Series([1, 2]), pd.Series([1, 2], name="a"), pd.Series([1, 2], name=("a", "b")),
    pd.DataFrame({"a": [1, 2]}, index=["x", "y"]), pd.DataFrame({"a": [1, 2]}, index=[0, 1]),
    pd.DataFrame({"a": [1, 2]}, index=pd.RangeIndex(2, name="i")),
    pd.DataFrame({"a": [1, 2, 3]}, index=DAYS),
    pd.DataFrame({"a": [1, 2, 3]}, index=DAYS._with_freq(None)),  # type: ignore[attr-defined]
    pd.DataFrame({"a": [1, 2]}, index=pd.MultiIndex.from_tuples([("x", 1), ("y", 2)])),
    pd.DataFrame([[1, 2]], columns=[0, 1]), pd.DataFrame([[1, 2]], columns=["0", "1"]),
    pd.DataFrame([[1, 2]], columns=[0, "1"]), pd.DataFrame([[1, 2]], columns=["a", "a"]),
    pd.DataFrame([[1]], columns=pd.MultiIndex.from_tuples([("a", "x")])),
    pd.DataFrame({"a": ["y", None]}), pd.DataFrame({"a": ["y", None]}, dtype=object),
    pd.DataFrame({"a": ["y", np.nan]}, dtype=object), pd.DataFrame({"a": [1, "y"]}),
    pd.DataFrame({"a": [{"p": 1, "q": 2}]}), pd.DataFrame({"a": [{"q": 2, "p": 1}]}),
    pd.DataFrame({"a": [(1, 2)]}), pd.DataFrame({"a": [[1, 2]]}), pd.DataFrame({"a": [{1, 2}]}),
    _categories("lo", "hi"), _categories("lo", "mid", "hi"), _categories("lo", "hi", "mid"),
    _categories("lo", "hi", ordered=True), _categories(1, "hi"),
    pd.DataFrame({"i": pd.array([1, None], "Int64")}), pd.DataFrame({"i": pd.array([1], "Int64")}),
    pd.DataFrame({"p": pd.period_range("2024-01", periods=2, freq="M")}),
    pd.DataFrame({"i": pd.interval_range(0, 2)}), pd.DataFrame({"d": pd.to_timedelta([1], "h")}),
    pd.DataFrame({"f": np.array([1], dtype="float16")}), pd.DataFrame({"c": [1 + 2j]}),
    pd.DataFrame({"f": np.array([1], dtype="float32")}), pd.DataFrame({"s": ["caf\udce9"]}, dtype=object),
    pd.DataFrame({"s": pd.arrays.SparseArray([0, 0, 1])}), _with_attribute(),
    pd.DataFrame({"a": [1]}).set_flags(allows_duplicate_labels=False),
    _arrow([[1], None], pa.list_(pa.int64())), _arrow([{"a": 1}], pa.struct([("a", pa.int64())])),
    _arrow([1, None], pa.int64()), _arrow(["a"], pa.string()), pd.Index([1, 2]),
    pl.DataFrame({"a": [1, 2]}), pl.Series("a", [1, 2]), pl.DataFrame({"a": [1, None]}),
    pl.DataFrame({"a": ["x"]}, schema={"a": pl.Enum(["x", "y"])}),
    pl.DataFrame({"a": ["x"]}, schema={"a": pl.Enum(["y", "x"])}),
    pl.DataFrame({"a": ["x"]}, schema={"a": pl.Categorical}), pl.DataFrame({"a": ["x"]}),
    pl.DataFrame({"a": [dt.datetime(2024, 1, 1)]}),
    pl.DataFrame({"a": [dt.datetime(2024, 1, 1, tzinfo=dt.UTC)]}),
    pl.DataFrame({"a": [[1], None, []]}), pl.DataFrame({"a": [{"x": 1}, None]}),
    {"b": np.array([1]), "a": 1}, {"a": 1, "b": np.array([1])}, [np.float32(1), np.array([1])],
    {1: np.array([1])},
]  # fmt: skip

SAMPLES = [*PLAIN, *CODE, *ARRAYS, *TABLES]

# Values that a local run could hand on without storing them first.
ALONE = [NIGHT.replace(tzinfo=ZONE), NIGHT.replace(fold=1), Text("1"), np.float64(0.5), Size.RED]
