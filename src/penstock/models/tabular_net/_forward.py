"""The trained network in NumPy: sums in a fixed order, so that a row has the same bits in any batch.

A matrix product of a library adds in an order that depends on the number of rows. Here each output
is the bias plus product after product, in the order of the inputs.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from penstock.models.tabular_net._inputs import Encoded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

_ROWS = 256  # of a block: its intermediate results stay in the processor's cache


def run_network(weights: "Mapping[str, NDArray[Any]]", rows: Encoded) -> "NDArray[np.float64]":
    """Return the outputs of the last layer, shape (rows, outputs)."""
    layers = [
        (weights[f"layer_{at}.weight"].astype(np.float64), weights[f"layer_{at}.bias"])
        for at in range(sum(name.endswith(".bias") for name in weights))
    ]
    tables = [weights[f"embedding_{at}"].astype(np.float64) for at in range(rows.codes.shape[1])]
    blocks = []
    for start in range(0, len(rows.numbers), _ROWS):
        part = slice(start, start + _ROWS)
        looked_up = [table[rows.codes[part, at]] for at, table in enumerate(tables)]
        values = np.column_stack([rows.numbers[part], *looked_up])
        for place, (matrix, bias) in enumerate(layers):
            values = _layer(values, matrix, bias)
            if place < len(layers) - 1:
                np.maximum(values, 0, out=values)
        blocks.append(values)
    return np.vstack(blocks)


def to_shares(outputs: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """Return probabilities of shape (rows, classes), by softmax."""
    powers = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    total = powers[:, 0].copy()
    for at in range(1, powers.shape[1]):
        total += powers[:, at]
    shares: NDArray[np.float64] = powers / total[:, None]
    return shares


def _layer(
    values: "NDArray[np.float64]", matrix: "NDArray[np.float64]", bias: "NDArray[Any]"
) -> "NDArray[np.float64]":
    sums = np.repeat(bias.astype(np.float64)[None, :], len(values), axis=0)
    product = np.empty_like(sums)
    for at in range(matrix.shape[1]):
        np.multiply(values[:, at : at + 1], matrix[:, at], out=product)
        np.add(sums, product, out=sums)
    return sums
