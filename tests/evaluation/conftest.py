"""One small split and fitted models for the whole package's tests."""

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from penstock.data import split_table
from penstock.evaluation import evaluate


def make_rides(rows=3000, seed=0):
    """Taxi-like rows: the target depends on two columns; one company is rare."""
    draw = np.random.default_rng(seed)
    first, second = draw.normal(size=(2, rows))
    signal = first + 0.5 * second + draw.logistic(size=rows)
    company = draw.choice(["Blue", "Flash", "Sun", "Tiny"], rows, p=[0.5, 0.3, 0.19, 0.01])
    company = np.where(draw.random(rows) < 0.02, None, company)
    return pl.DataFrame(
        {
            "first": first,
            "second": second,
            "company": pl.Series(company.tolist(), dtype=pl.String),
            "age": draw.integers(18, 90, rows),
            "tipped": np.where(signal > 0.3, "yes", "no"),
            "fare": 20 + 5 * first + draw.normal(size=rows),
        }
    )


@pytest.fixture(scope="session")
def split():
    return split_table(make_rides(), target="tipped", drop=["company", "age", "fare"])


@pytest.fixture(scope="session")
def model(split):
    return LogisticRegression().fit(split.train.X, split.train.y)


@pytest.fixture(scope="session")
def report(model, split):
    return evaluate(model, split, slices=["company", "age"], resamples=200)


@pytest.fixture(scope="session")
def number_split():
    return split_table(
        make_rides(), target="fare", drop=["company", "age", "tipped"], task="regression"
    )


@pytest.fixture(scope="session")
def number_report(number_split):
    model = Ridge().fit(number_split.train.X, number_split.train.y)
    return evaluate(model, number_split, slices=["age"], resamples=100)
