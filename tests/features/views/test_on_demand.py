"""OnDemandView: one definition for batch and row, bit-equal; what cannot be that is refused."""

from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.features.feature_rows import CARD, VALUES, bits

from penstock.core import DefinitionError, SchemaError
from penstock.features.views import FeatureView, OnDemandView

USUAL = FeatureView("spend", CARD, {"usual": pl.Float64, "at": pl.Datetime("us", "UTC")})
NUMBER = {"x": pl.Float64}


def on_demand(transform, request=None, views=(), features=None):
    return OnDemandView(
        "made",
        transform,
        features=features or NUMBER,
        request=request or {"a": pl.Float64},
        views=views,
    )


RATIO = on_demand({"x": pl.col("a") / pl.col("usual")}, views=[USUAL])
MANY = on_demand(
    lambda rows: rows.select(
        ratio=pl.col("f64") / pl.col("f32"),
        power=pl.col("f64").abs() ** 0.3,
        wave=(pl.col("f64").sin() + pl.col("f32").exp()).cast(pl.Float64),
        total=pl.sum_horizontal("f64", "i64").cast(pl.Float64),
        weekday=pl.col("at").dt.convert_time_zone("Europe/Berlin").dt.weekday(),
        words=pl.col("text").str.to_uppercase().str.split(" "),
        mean=pl.col("f64s").list.mean(),
        filled=pl.col("f64").fill_nan(None).fill_null(0.0),
    ),
    request=dict.fromkeys(["f64"], pl.Float64)
    | {"f32": pl.Float32, "i64": pl.Int64, "text": pl.String, "f64s": pl.List(pl.Float64),
       "at": pl.Datetime("us", "UTC")},
    features={"ratio": pl.Float64, "power": pl.Float64, "wave": pl.Float64, "total": pl.Float64,
              "weekday": pl.Int8, "words": pl.List(pl.String), "mean": pl.Float64,
              "filled": pl.Float64},
)  # fmt: skip
YEARS = st.datetimes(datetime(1700, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - the limits of naive draws
ROW = st.fixed_dictionaries(
    {name: st.none() | (YEARS if name == "at" else VALUES[name]) for name in MANY.inputs}
)


@given(st.lists(ROW, min_size=1, max_size=6))
def test_a_batch_is_its_rows_one_by_one_bit_equal(rows):
    frame = pl.DataFrame(rows, schema=MANY.inputs)
    alone = pl.concat([MANY.compute(frame[place : place + 1]) for place in range(frame.height)])
    assert bits(MANY.compute(frame)) == bits(alone)


def test_inputs_come_from_views_and_the_request():
    assert list(RATIO.inputs) == ["usual", "at", "a"]
    rows = pl.DataFrame({"a": [6.0, None], "usual": [4.0, 1.0], "at": None}).cast(RATIO.inputs)
    assert RATIO.compute(rows.with_columns(other=1))["x"].to_list() == [1.5, None]


def test_no_rows_are_no_features():
    assert RATIO.compute(pl.DataFrame(schema=RATIO.inputs)).schema == NUMBER


@pytest.mark.parametrize(
    ("transform", "message"),
    [
        (lambda rows: rows.select(x=pl.col("a") / pl.col("a").sum()), "a row alone and in a batch|order"),
        (lambda rows: rows.select(x=pl.col("a") - pl.col("a").mean()), "a row alone and in a batch"),
        (lambda rows: rows.select(x=pl.col("a").cum_sum()), "order of rows"),
        (lambda rows: rows.select(x=pl.col("a").shift()), "order of rows"),
        (lambda rows: rows.select(x=pl.col("a").forward_fill()), "order of rows"),
        (lambda rows: rows.select(x=pl.col("a").rank()), "order of rows|a row alone and in a batch"),
        (lambda rows: rows.filter(pl.col("a") > 0).select(x="a"), "returned 16 rows|rows for 48"),
        (lambda rows: rows.select(x=pl.lit(float(datetime.now(UTC).microsecond))), "uses now"),
        (lambda rows: rows.select(x=pl.col("a").shuffle()), "uses shuffle"),
        (lambda rows: rows.select(x=1 / 0), "failed: ZeroDivisionError"),
        ({"x": pl.col("a").cum_max()}, "order of rows"),
        ({"x": pl.col("b")}, "failed: .*b"),
    ],
)  # fmt: skip
def test_what_would_differ_in_serving_is_refused(transform, message):
    with pytest.raises(DefinitionError, match=message):
        on_demand(transform)


@pytest.mark.parametrize(
    "transform",
    [
        {"x": pl.when(pl.col("c") == "DE").then(pl.col("a").mean()).otherwise(pl.col("a"))},
        {"x": pl.when(pl.col("n") == 4711).then(pl.col("a").mean()).otherwise(pl.col("a"))},
        {"x": pl.when(pl.col("n").is_between(51, 60)).then(pl.col("a").sum()).otherwise(0.0)},
        lambda rows: rows.select(
            x=pl.when(pl.col("c").is_in(["FR", "IT"])).then(pl.col("a").mean()).otherwise(0.0)
        ),
    ],
)
def test_a_branch_that_few_values_take_is_checked(transform):
    with pytest.raises(DefinitionError, match=r"a row alone and in a batch|order of rows"):
        OnDemandView(
            "rare",
            transform,
            features={"x": pl.Float64},
            request={"a": pl.Float64, "c": pl.String, "n": pl.Int16},
        )


def test_a_function_that_counts_its_calls_is_refused():
    calls = []

    def counting(rows):
        calls.append(1)
        return rows.select(x=pl.lit(float(len(calls))) + pl.col("a") * 0)

    with pytest.raises(DefinitionError, match="different values when called again"):
        on_demand(counting)


@pytest.mark.parametrize("transform", [None, "a / b", 3])
def test_a_transform_is_expressions_or_a_function(transform):
    with pytest.raises(DefinitionError, match="has a transform of type"):
        on_demand(transform)


def test_the_result_has_the_declared_columns_and_dtypes():
    with pytest.raises(SchemaError, match="result of on-demand view 'made' has no column 'x'"):
        on_demand(lambda rows: rows.select(y="a"))
    with pytest.raises(SchemaError, match="'x' for on-demand view 'made' is Float32"):
        on_demand({"x": pl.col("a").cast(pl.Float32)})
    with pytest.raises(SchemaError, match="returned a dict"):
        on_demand(lambda rows: rows.to_dict())


def test_the_request_has_a_schema():
    with pytest.raises(SchemaError, match="have no column 'a'"):
        RATIO.compute(pl.DataFrame({"usual": [1.0], "at": None}))
    rows = pl.DataFrame({"usual": [1.0], "a": ["6"], "at": None})
    with pytest.raises(SchemaError, match="'a' for on-demand view 'made' is String"):
        RATIO.compute(rows)


def test_a_view_without_inputs_or_features_is_refused():
    with pytest.raises(DefinitionError, match="1 features of 0 inputs"):
        OnDemandView("made", {"x": pl.lit(1.0)}, features=NUMBER)


def doubled(rows):
    return rows.select(x=pl.col("a") * 2)


def tripled(rows):
    return rows.select(x=pl.col("a") * 3)


def test_the_digest_covers_the_transform():
    assert on_demand(doubled).digest == on_demand(doubled).digest != on_demand(tripled).digest
    twice, thrice = ({"x": pl.col("a") * n} for n in (2, 3))
    assert on_demand(twice).digest == on_demand(dict(twice)).digest != on_demand(thrice).digest
    assert RATIO.digest != on_demand({"x": pl.col("a") / pl.col("usual")}, request={"a": pl.Float64, "usual": pl.Float64}).digest  # fmt: skip
