"""Tables are given as the hint asks; everything else stays as it is."""

from typing import Any, Protocol

import numpy as np
import pandas as pd
import polars as pl
import pytest

from penstock.execution import convert_argument

FRAME = pl.DataFrame({"a": [1, 2], "b": [3.0, 4.0]})
ONE = pl.DataFrame({"a": [1, 2]})


class Snapshot:
    table = FRAME


class Thing:
    table = "no table"


class HasTable(Protocol):
    table: object


@pytest.mark.parametrize(
    "value", [FRAME, FRAME.to_pandas(), FRAME.lazy(), Snapshot()], ids=lambda v: type(v).__name__
)
@pytest.mark.parametrize(
    ("hint", "module"),
    [
        (pl.DataFrame, "polars"), (pd.DataFrame, "pandas"), (np.ndarray, "numpy"),
        (pl.LazyFrame, "polars"), (pd.DataFrame | None, "pandas"), (str | pl.DataFrame, "polars"),
    ],
)  # fmt: skip
def test_every_table_becomes_every_other(value, hint, module):
    found = convert_argument(value, hint)
    assert type(found).__module__.partition(".")[0] == module
    wanted = next(h for h in getattr(hint, "__args__", [hint]) if h not in {str, type(None)})
    assert isinstance(found, wanted)
    frame = found.collect() if isinstance(found, pl.LazyFrame) else found
    assert np.asarray(frame).tolist() == [[1, 3.0], [2, 4.0]]


def test_series_and_arrays():
    assert convert_argument(ONE["a"], pd.Series).tolist() == [1, 2]
    assert convert_argument(pd.Series([1, 2]), pl.Series).to_list() == [1, 2]
    assert convert_argument(np.array([1, 2]), pl.Series).to_list() == [1, 2]
    assert convert_argument(ONE, pl.Series).to_list() == [1, 2]
    assert convert_argument(ONE["a"], np.ndarray).tolist() == [1, 2]
    assert convert_argument(ONE["a"], pl.DataFrame).equals(ONE)
    assert convert_argument(pd.Series([1, 2], name="a"), pl.DataFrame).equals(ONE)
    assert convert_argument(pd.Series([1, 2], name="a"), pd.DataFrame).shape == (2, 1)
    assert convert_argument(np.zeros((2, 3)), pl.DataFrame).shape == (2, 3)
    assert convert_argument(np.zeros((2, 3)), pd.DataFrame).shape == (2, 3)


def test_a_value_that_fits_is_the_same_object():
    for value, hint in ((FRAME, pl.DataFrame), (FRAME, FRAME.__class__ | None), (3, int)):
        assert convert_argument(value, hint) is value
    snapshot = Snapshot()
    assert convert_argument(snapshot, Snapshot) is snapshot


@pytest.mark.parametrize("hint", [None, Any, int, "text", HasTable, pl.DataFrame, pd.Series])
def test_what_is_no_table_stays_as_it_is(hint):
    for value in ("text", 3, Thing(), [1, 2]):
        assert convert_argument(value, hint) is value


def test_lists_of_tables_are_converted_one_by_one():
    found = convert_argument([FRAME, Snapshot()], list[pd.DataFrame])
    assert [type(item) for item in found] == [pd.DataFrame, pd.DataFrame]
    assert convert_argument((FRAME,), tuple[int, str]) == (FRAME,)
