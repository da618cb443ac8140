"""Step seeds are numpy's SeedSequence, bit for bit, without numpy."""

import hashlib

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from penstock.provenance import derive_seed

names = st.text(min_size=1, max_size=30)
seeds = st.integers(0, 2**200)


@given(seeds, names, st.none() | st.integers(0, 10_000))
def test_seeds_equal_those_of_numpy_seed_sequence(run_seed, name, index):
    word = int.from_bytes(hashlib.sha256(name.encode()).digest()[:16], "little")
    key = (word,) if index is None else (word, index)
    expected = int(np.random.SeedSequence(run_seed, spawn_key=key).generate_state(1)[0]) >> 1
    assert derive_seed(run_seed, name, index) == expected


@given(st.integers(0, 2**31), st.lists(names, min_size=1, max_size=5, unique=True))
def test_adding_a_step_shifts_no_other_seed(run_seed, steps):
    before = [derive_seed(run_seed, step) for step in steps]
    derive_seed(run_seed, "another step")
    assert [derive_seed(run_seed, step) for step in steps] == before
    assert all(0 <= seed < 2**31 for seed in before)


def test_steps_runs_and_indexes_have_their_own_seeds():
    seeds = {
        derive_seed(0, "train"),
        derive_seed(1, "train"),
        derive_seed(0, "evaluate"),
        derive_seed(0, "train", 0),
        derive_seed(0, "train", 1),
    }
    assert len(seeds) == 5
