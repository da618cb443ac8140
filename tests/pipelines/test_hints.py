"""Type hints: resolved leniently, compared only when both are known."""

# ruff: noqa: F821 - names that do not exist are what is tested

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from penstock.pipelines import accepts, resolve_hints
from penstock.pipelines._hints import hint_name, output_names


class Snapshot:
    """Named as the one in penstock.data, which cannot be imported here."""


class Named(NamedTuple):
    left: int
    right: "str"


class HasPredict(Protocol):
    def predict(self) -> int: ...


@pytest.mark.parametrize(
    ("wanted", "given"),
    [
        (int, int), (float, int), (int, bool), (Any, str), (str, Any), (object, str), (int, object),
        (pl.DataFrame, Snapshot), (Snapshot, pl.DataFrame), (pd.DataFrame, pl.DataFrame),
        (np.ndarray, pl.DataFrame), (BaseEstimator, Pipeline), (Pipeline, BaseEstimator),
        (int | None, int), (int, int | None), (list[int], list[str]), (Sequence[int], list),
        (HasPredict, int), (Callable[..., int], Callable), ("unresolved", int),
    ],
)  # fmt: skip
def test_what_fits_or_is_unknown_is_accepted(wanted, given):
    assert accepts(wanted, given)


@pytest.mark.parametrize(
    ("wanted", "given"),
    [
        (int, str), (str, int), (int, float), (pl.DataFrame, str), (Pipeline, pl.DataFrame),
        (dict, list), (int | str, dict), (int, type(None)), (list[int], dict[str, int]),
    ],
)  # fmt: skip
def test_what_cannot_fit_is_not_accepted(wanted, given):
    assert not accepts(wanted, given)


def test_hints_in_quotes_are_resolved_one_by_one():
    def function(
        a: "int",
        b: "Nowhere",  # type: ignore[name-defined]
        c: "list[Nowhere]",  # type: ignore[name-defined]
        d: "pl.DataFrame",
        e: "a.b.c",  # type: ignore[name-defined]
        f,
    ) -> "None": ...

    assert resolve_hints(function) == {
        "a": int,
        "b": Any,
        "c": list[Any],
        "d": pl.DataFrame,
        "e": Any,
        "return": type(None),
    }


def test_outputs_are_named_by_the_return_hint():
    assert output_names(int) == (("result", int),)
    assert output_names(tuple[int, ...]) == (("result", tuple[int, ...]),)
    assert output_names(tuple) == (("result", tuple),)
    assert output_names(tuple[int, str]) == (("0", int), ("1", str))
    assert output_names(Named) == (("left", int), ("right", str))


def test_hints_are_named_for_people():
    assert [hint_name(h) for h in (int, type(None), list[int], int | None)] == [
        "int",
        "None",
        "list[int]",
        "int | None",
    ]
