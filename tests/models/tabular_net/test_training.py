import numpy as np
import pytest

from penstock.models.tabular_net._forward import run_network
from penstock.models.tabular_net._inputs import Encoded
from penstock.models.tabular_net._training import TrainingOptions, TrainingRows, train_network

pytest.importorskip("torch", reason="it is installed with: pip install 'penstock[torch]'")

RANDOM = np.random.default_rng(4)


def options(**changes):
    plain = {
        "hidden": (8,),
        "max_epochs": 60,
        "patience": 3,
        "batch_size": 64,
        "learning_rate": 0.02,
        "dropout": 0.0,
        "weight_decay": 0.0,
        "seed": 0,
    }
    return TrainingOptions(**{**plain, **changes})


def rows_of(count, target=None):
    numbers = RANDOM.normal(size=(count, 2))
    target = numbers[:, 0] if target is None else target
    encoded = Encoded(numbers, np.empty((count, 0), dtype=np.int64))
    return TrainingRows(encoded, target, np.ones(count), 0)


def test_noise_stops_early_and_few_rows_do_not():
    noise = RANDOM.normal(size=400)
    assert train_network(rows_of(400, noise), [], options())[1] < 60
    assert train_network(rows_of(50, noise[:50]), [], options())[1] == 60


def test_a_plane_is_learned():
    rows = rows_of(400)
    weights, _ = train_network(rows, [], options(max_epochs=200, patience=20))
    assert run_network(weights, rows.encoded)[:, 0] == pytest.approx(rows.target, abs=0.4)


def test_the_levels_of_a_column_have_vectors_as_long_as_fastais_rule():
    rows = rows_of(40)
    codes = RANDOM.integers(0, 40, (40, 1))
    with_levels = TrainingRows(Encoded(rows.encoded.numbers, codes), rows.target, rows.weight, 0)
    weights, _ = train_network(with_levels, [40], options(max_epochs=1))
    assert weights["embedding_0"].shape == (40, 13)
