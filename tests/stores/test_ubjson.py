"""XGBoost's binary form is read as the text that the library itself would have written."""

import random
import struct

import numpy as np
import pytest

from penstock.stores.artifacts.models._ubjson import text_of_ubjson

xgboost = pytest.importorskip("xgboost")
RNG = np.random.default_rng(3)


@pytest.mark.parametrize("objective", ["binary:logistic", "reg:squarederror", "multi:softprob"])
def test_a_booster_is_the_same_from_its_text(objective):
    rows = RNG.normal(size=(300, 5)).astype("float32")
    rows[::7, 2] = np.nan
    truth = RNG.integers(0, 2, 300) if "reg" not in objective else RNG.normal(size=300) * 1e-7
    options = {"objective": objective, **({"num_class": 2} if "multi" in objective else {})}
    booster = xgboost.train(options, xgboost.DMatrix(rows, truth), 20)
    binary = bytes(booster.save_raw("ubj"))
    read = xgboost.Booster()
    read.load_model(bytearray(text_of_ubjson(binary)))
    assert bytes(read.save_raw("ubj")) == binary
    assert np.array_equal(
        read.predict(xgboost.DMatrix(rows)), booster.predict(xgboost.DMatrix(rows))
    )


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "ends too early"),
        (b"{", "ends too early"),
        (b"[" * 70, "nested too deep"),
        (b"[$d#L" + struct.pack(">q", 1 << 60), "fewer bytes than it says"),
        (b"[#L" + struct.pack(">q", -1), "fewer bytes than it says"),
        (b"[#d" + struct.pack(">f", 1.0), "fewer bytes than it says"),
        (b"[$Z#i\x7f", "an array of 'Z'"),
        (b"i\x01i\x02", "behind the end"),
        (b"{i\x01aTi\x01aT}", "there twice"),
        (b"\x80\x04K\x01.", "no type of value"),
    ],
)
def test_what_is_no_whole_value_is_refused(data, told):
    with pytest.raises(ValueError, match=told):
        text_of_ubjson(data)


def test_damaged_bytes_are_read_or_refused_and_nothing_else():
    booster = xgboost.train({}, xgboost.DMatrix([[0.0], [1.0]], [0, 1]), 1)
    whole, chance = bytes(booster.save_raw("ubj")), random.Random(4)
    refused = 0
    for _ in range(1000):
        damaged = bytearray(whole)
        for _ in range(3):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        try:
            text_of_ubjson(bytes(damaged))
        except (ValueError, struct.error):
            refused += 1
    assert 300 < refused < 1000
