"""Chunks give back every point bit for bit, whatever was logged."""

import math
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.stores.metadata._chunks import MOST, decode, encode_chunks, read_outline, thin

numbers = st.floats(width=64)  # NaN, infinities and -0.0 among them
steps = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(2**60), 2**60).map(float),
    st.integers(0, 9).map(float),
)
times = st.integers(-(2**62), 2**62)


def bits(values) -> list[bytes]:
    return [struct.pack("d", value) for value in values]


def all_decoded(chunks) -> list[np.ndarray]:
    return [
        np.concatenate(column) for column in zip(*(decode(c.points) for c in chunks), strict=True)
    ]


@given(st.lists(st.tuples(steps, numbers, times), min_size=1, max_size=120))
def test_points_come_back_bit_for_bit(points):
    x, y, t = map(list, zip(*points, strict=True))
    back = all_decoded(encode_chunks(x, y, t))
    assert bits(back[0]) == bits(x)
    assert bits(back[1]) == bits(y)
    assert back[2].tolist() == t


@pytest.mark.parametrize(
    "values",
    [
        np.arange(20_000.0),
        np.full(20_000, math.nan),
        np.full(20_000, -0.0),
        np.cumsum(np.random.default_rng(0).normal(size=20_000)),
        np.random.default_rng(0).random(20_000).astype(np.float32).astype(float),
        np.tile([1e308, -1e308], 10_000),
    ],
    ids=["line", "nan", "minus zero", "walk", "float32", "huge"],
)
def test_long_series_come_back_bit_for_bit(values):
    count = len(values)
    time = 1_700_000_000_000_000 + np.cumsum(np.random.default_rng(1).integers(-5, 2000, count))
    chunks = encode_chunks(np.arange(count), values, time)  # type: ignore[arg-type]
    assert [chunk.count for chunk in chunks] == [MOST, MOST, count - 2 * MOST]
    x, y, t = all_decoded(chunks)
    assert bits(x) == bits(np.arange(count))
    assert bits(y) == bits(values)
    assert t.tolist() == time.tolist()


def test_a_usual_curve_takes_ten_bytes_a_point():
    count, random = 100_000, np.random.default_rng(0)
    loss = 1 / (1 + np.arange(count) / 1000) + random.normal(size=count) * 0.01
    time = 1_700_000_000_000_000 + np.cumsum(random.integers(1, 2000, count))
    chunks = encode_chunks(np.arange(count), loss, time)  # type: ignore[arg-type]
    assert sum(len(chunk.points) + len(chunk.outline) for chunk in chunks) < 10 * count


def test_an_outline_has_the_extremes_of_each_stretch():
    values = np.zeros(MOST)
    values[5000], values[6000] = 9.0, -9.0
    [chunk] = encode_chunks(np.arange(MOST), values, np.arange(MOST))  # type: ignore[arg-type]
    x, y = read_outline(chunk.outline)
    assert (5000, 9.0) in zip(x, y, strict=True)
    assert (6000, -9.0) in zip(x, y, strict=True)
    assert len(x) <= 2 * MOST // 512


@given(st.lists(numbers, min_size=1, max_size=300), st.integers(2, 50))
def test_a_thinned_line_keeps_its_highest_and_lowest_point(values, most):
    line = np.array(values)
    places = thin(np.arange(len(line), dtype=float), line, most)
    assert len(places) <= max(most, 2)
    assert (np.diff(places) > 0).all()
    if not np.isnan(line).all():
        assert np.nanmax(line[places]) == np.nanmax(line)
        assert np.nanmin(line[places]) == np.nanmin(line)


def test_planes_that_repeat_are_compressed_and_noise_is_left_as_it_is():
    random = np.random.default_rng(0)
    steps, times = np.arange(8192.0), np.arange(8192)
    counted = np.tile(np.arange(256.0), 32) / 3  # every byte of some planes occurs, in order
    noise = random.integers(0, 2**64, 8192, np.uint64).view(np.float64)
    [repeated] = encode_chunks(steps, counted, times)
    [random_bits] = encode_chunks(steps, noise, times)
    assert len(repeated.points) < 8192
    assert 8 * 8192 <= len(random_bits.points) < 8 * 8192 + 200
    for chunk, values in ((repeated, counted), (random_bits, noise)):
        assert decode(chunk.points)[1].tobytes() == values.tobytes()
