"""Settings of libraries that a notebook or script made are known, and can be made again elsewhere."""

import decimal
import locale

import matplotlib as mpl
import numpy as np
import pandas as pd
import plotly.io
import polars as pl
import pytest
import sklearn
from cycler import cycler

from penstock.provenance import (
    keep_library_settings,
    library_settings,
    use_library_settings,
)


@pytest.fixture(autouse=True)
def defaults():
    use_library_settings({})
    yield
    use_library_settings({})


def settle():
    sklearn.set_config(transform_output="pandas", assume_finite=True)
    np.seterr(divide="raise")
    pd.set_option("display.max_columns", 99)
    decimal.getcontext().prec = 9
    np.set_printoptions(precision=3)
    mpl.rcParams["figure.dpi"] = 50.0
    mpl.rcParams["axes.prop_cycle"] = cycler(color=["red", "#00ff00"])
    mpl.rcParams["font.serif"] = ["Georgia"]
    pl.Config.set_tbl_rows(3)
    pl.Config.set_float_precision(2)
    plotly.io.templates.default = "ggplot2"
    locale.setlocale(locale.LC_NUMERIC, "C.UTF-8")


SETTLED = {
    "decimal.prec": 9,
    "locale.LC_NUMERIC": "C.UTF-8",
    "matplotlib.axes.prop_cycle": "cycler('color', ['red', '#00ff00'])",
    "matplotlib.figure.dpi": 50.0,
    "matplotlib.font.serif": ["Georgia"],
    "numpy.errors.divide": "raise",
    "numpy.printing.precision": 3,
    "pandas.display.max_columns": 99,
    "plotly.template": "ggplot2",
    "polars.POLARS_FMT_MAX_ROWS": "3",
    "polars.set_float_precision": 2,
    "sklearn.assume_finite": True,
    "sklearn.transform_output": "pandas",
}


def test_a_fresh_process_has_no_settings():
    assert library_settings() == {}


def test_what_is_set_is_told_by_library_and_name():
    settle()
    assert library_settings() == SETTLED


def test_settings_can_be_made_again_and_all_others_are_the_defaults():
    np.seterr(over="raise")
    use_library_settings(SETTLED)
    assert library_settings() == SETTLED
    assert np.geterr()["over"] == "warn"
    use_library_settings({})
    assert library_settings() == {}


def test_an_interactive_session_is_no_setting():
    mpl.interactive(True)
    assert library_settings() == {}


@pytest.mark.parametrize(
    ("library", "settings"),
    [
        ("keras", {"keras.floatx": "float64", "keras.epsilon": 1e-6}),
        ("torch", {"torch.default_dtype": "float64", "torch.float32_matmul_precision": "medium"}),
    ],
)
def test_settings_of_networks(library, settings):
    pytest.importorskip(library)
    use_library_settings(settings)
    assert settings.items() <= library_settings().items()
    use_library_settings({})
    assert library_settings() == {}


def test_an_object_is_told_and_never_set_from_its_text():
    pd.set_option("display.float_format", "{:.1f}".format)
    (text,) = library_settings().values()
    assert text.startswith("object ")
    use_library_settings({})
    assert library_settings() == {}
    use_library_settings({"pandas.display.float_format": text})
    assert library_settings() == {}


def test_an_object_that_was_set_here_stays_where_there_is_only_its_text():
    pd.set_option("display.float_format", "{:.1f}".format)
    recorded = library_settings()
    use_library_settings(recorded)
    assert library_settings() == recorded


def test_settings_are_as_before_after_a_block_also_those_that_are_objects():
    settle()
    pd.set_option("display.float_format", "{:.1f}".format)
    before = pd.get_option("display.float_format")
    with keep_library_settings():
        use_library_settings({"numpy.errors.over": "raise"})
        assert library_settings() == {"numpy.errors.over": "raise"}
    assert pd.get_option("display.float_format") is before
    assert {name: library_settings()[name] for name in SETTLED} == SETTLED
    assert np.geterr()["over"] == "warn"
