"""The leak lint: features made of the target or encoded with it are found, honest ones are not."""

import numpy as np
import polars as pl
import pytest

from penstock.core import LeakageError
from penstock.features.views import check_features, find_later_values, require_no_leaks
from penstock.features.views._lint import find_encodings


def table(seed=3, rows=600, shops=40):
    rng = np.random.default_rng(seed)
    shop = rng.integers(0, shops, rows)
    risk = rng.beta(2, 5, shops)
    return pl.DataFrame(
        {
            "shop": [f"shop-{i}" for i in shop],
            "amount": rng.lognormal(3, 1, rows),
            "honest": risk[shop] + rng.normal(0, 0.05, rows),
            "known_risk": risk[shop],  # as of an earlier year: of other targets
            "fraud": (rng.random(rows) < risk[shop]).astype(int),
        }
    )


def encoded(frame, smoothing, target="fraud"):
    """The mean target by shop over these rows, smoothed towards 0.3."""
    by_shop = frame.group_by("shop").agg(
        enc=(pl.col(target).sum() + smoothing * 0.3) / (pl.len() + smoothing)
    )
    return frame.join(by_shop, on="shop", maintain_order="left")


@pytest.mark.parametrize("smoothing", [0, 1, 10, 300])
@pytest.mark.parametrize("seed", range(3))
def test_a_target_encoding_over_the_same_rows_is_found(smoothing, seed):
    findings = find_encodings(encoded(table(seed), smoothing), ["enc", "honest"], "fraud")
    assert [(each.level, each.column) for each in findings] == [("fail", "enc")]
    assert "mean of 'fraud' by 'shop'" in findings[0].message


@pytest.mark.parametrize("to", [pl.Boolean, pl.String])
def test_an_encoding_of_a_class_is_found(to):
    frame = encoded(table(), 5).with_columns(pl.col("fraud").cast(pl.Int8).cast(to))
    assert [each.column for each in find_encodings(frame, ["enc"], "fraud")] == ["enc"]


def test_an_encoding_of_a_number_is_found():
    frame = encoded(table(), 2, target="amount")
    assert [each.column for each in find_encodings(frame, ["enc"], "amount")] == ["enc"]


@pytest.mark.parametrize("seed", range(20))
def test_what_is_constant_by_category_but_of_other_rows_is_no_encoding(seed):
    frame = table(seed)
    earlier = encoded(table(seed + 100), 5).select("shop", "enc").unique("shop")
    frame = frame.join(earlier, on="shop", how="left", maintain_order="left")
    assert find_encodings(frame, ["known_risk", "honest", "enc"], "fraud") == []


def test_an_encoding_that_was_fitted_on_a_half_of_the_rows_is_no_finding():
    frame = table()
    half = encoded(frame[::2], 5).select("shop", "enc").unique("shop")
    frame = frame.join(half, on="shop", how="left", maintain_order="left")
    assert find_encodings(frame, ["enc"], "fraud") == []


def test_few_levels_and_few_rows_prove_nothing():
    assert find_encodings(encoded(table(shops=3), 0), ["enc"], "fraud") == []
    assert find_encodings(encoded(table()[:40], 0), ["enc"], "fraud") == []


def test_a_feature_made_of_the_target_is_found():
    frame = table(rows=2_000).with_columns(late=pl.col("fraud") * 10.0 + pl.col("honest"))
    findings = check_features(frame, ["late", "honest"], target="fraud")
    assert [(each.level, each.rule, each.column) for each in findings] == [("fail", "L5", "late")]
    with pytest.raises(LeakageError, match="'late' alone predicts 'fraud'"):
        require_no_leaks(findings)


def test_honest_features_pass():
    require_no_leaks(check_features(table(rows=2_000), ["honest", "known_risk"], target="fraud"))


@pytest.mark.parametrize("frame", [table()[:1], table()[:0], table().with_columns(fraud=1)])
def test_rows_that_tell_nothing_have_no_findings(frame):
    assert check_features(frame, ["honest"], target="fraud") == []


def test_values_that_came_later_are_counted():
    known, happened = pl.DataFrame({"a": [1, None, 3]}), pl.DataFrame({"a": [1, 2, 4]})
    findings = find_later_values(known, happened, ["a"])
    assert [(each.level, each.rule) for each in findings] == [("info", "known_later")]
    assert findings[0].message.startswith("2 of 3 labels")
    assert find_later_values(known, known, ["a"]) == []
