import numpy as np
import pytest

from penstock.models.tabular_net._forward import run_network, to_shares
from penstock.models.tabular_net._inputs import Encoded

RANDOM = np.random.default_rng(2)
WEIGHTS = {
    "embedding_0": RANDOM.normal(size=(5, 3)).astype(np.float32),
    "layer_0.weight": RANDOM.normal(size=(7, 5)).astype(np.float32),
    "layer_0.bias": RANDOM.normal(size=7).astype(np.float32),
    "layer_1.weight": RANDOM.normal(size=(3, 7)).astype(np.float32),
    "layer_1.bias": RANDOM.normal(size=3).astype(np.float32),
}
ROWS = Encoded(RANDOM.normal(size=(700, 2)), RANDOM.integers(0, 5, (700, 1)))


def test_outputs_are_those_of_matrix_products():
    values = np.column_stack([ROWS.numbers, WEIGHTS["embedding_0"][ROWS.codes[:, 0]]])
    hidden = np.maximum(values @ WEIGHTS["layer_0.weight"].T + WEIGHTS["layer_0.bias"], 0)
    expected = hidden @ WEIGHTS["layer_1.weight"].T + WEIGHTS["layer_1.bias"]
    assert run_network(WEIGHTS, ROWS) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("rows", [1, 2, 3, 17, 255, 257])
def test_a_row_has_the_same_bits_in_every_batch(rows):
    whole = to_shares(run_network(WEIGHTS, ROWS))
    for start in range(0, 700 - rows, 97):
        part = slice(start, start + rows)
        found = to_shares(run_network(WEIGHTS, Encoded(ROWS.numbers[part], ROWS.codes[part])))
        assert np.array_equal(found, whole[part])


def test_large_outputs_are_no_overflow():
    assert to_shares(np.array([[1e308, 0.0], [-1e308, 0.0]])).tolist() == [[1.0, 0.0], [0.0, 1.0]]
