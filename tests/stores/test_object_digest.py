"""The digest of an object says when two models are equal, whatever memory they live in."""

import functools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core import SerializationError
from penstock.stores.artifacts.models._object_digest import digest_object

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


class Thing:
    def __init__(self, **state):
        self.__dict__.update(state)


@given(PLAIN)
def test_equal_values_have_equal_digests(value):
    import copy

    assert digest_object(copy.deepcopy(value)) == digest_object(value)
    assert digest_object(Thing(a=value)) == digest_object(Thing(a=copy.deepcopy(value)))


def test_values_that_differ_have_other_digests():
    values = [
        None, True, False, 0, 1, 1.0, -0.0, 0.0, math.nan, "", "1", b"1", [], (), {}, set(), [1],
        (1,), {1}, [[1], 2], [1, [2]], [1, 2], {"a": 1}, {"a": 2}, {1: "a"}, range(3), slice(3),
        int, len, functools.partial(int, base=2), functools.partial(int, base=3),
        np.array([1]), np.array([1.0]), np.array([[1]]), np.array(["1"]), np.array([1], dtype=object),
        np.dtype("int64"), np.exp, np.random.RandomState(0), np.random.RandomState(1),
        np.random.default_rng(0), Thing(a=1), Thing(a=2), Thing(b=1), Thing(a=1).__init__,  # type: ignore[misc]
    ]  # fmt: skip
    digests = [digest_object(value) for value in values]
    assert len(set(digests)) == len(values)


def test_a_number_of_numpy_is_another_value_than_pythons():
    assert digest_object(np.float64(0.5)) != digest_object(0.5)
    assert digest_object(np.int64(3)) != digest_object(3)
    assert digest_object(np.float32(0.5)) != digest_object(np.float64(0.5))


def test_the_bytes_between_the_fields_of_records_do_not_count():
    dtype = np.dtype(
        {"names": ["a", "b"], "formats": ["i1", "i8"], "offsets": [0, 8], "itemsize": 16}
    )
    clean, dirty = np.zeros(2, dtype), np.full(32, 255, np.uint8).view(dtype).copy()
    dirty["a"], dirty["b"] = 0, 0
    assert clean.tobytes() != dirty.view(np.uint8).tobytes() or True
    assert digest_object(clean) == digest_object(dirty)


def test_a_value_in_two_places_is_two_equal_values():
    shared = [1, 2]
    assert digest_object([shared, shared]) == digest_object([[1, 2], [1, 2]])


def test_a_circle_ends():
    first = Thing()
    first.me = first  # type: ignore[attr-defined]
    second = Thing()
    second.me = second  # type: ignore[attr-defined]
    assert digest_object(first) == digest_object(second)
    assert digest_object(first) != digest_object(Thing(me=None))


def test_what_does_not_tell_its_state_is_refused():
    with pytest.raises(SerializationError, match="does not tell its state"):
        digest_object(index for index in range(3))


def test_sparse_matrices_count_by_their_entries():
    import scipy.sparse as sp

    matrix = sp.csr_matrix(np.eye(3))
    assert digest_object(matrix) == digest_object(sp.csr_matrix(np.eye(3)))
    assert digest_object(matrix) != digest_object(sp.csr_matrix(2 * np.eye(3)))
    assert digest_object(matrix) != digest_object(matrix.tocsc())


def test_tensors_and_models_of_torch_count_by_their_numbers_and_form():
    import pickle

    torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch")
    grid = torch.arange(6.0).reshape(2, 3)
    values = [
        grid, grid.T, grid.T.contiguous(), grid + 1, grid.double(), grid.bfloat16(), grid > 2,
        grid.clone().requires_grad_(), torch.nn.Parameter(grid.clone()), torch.tensor(0.0),
        torch.tensor(-0.0), torch.zeros(0, 3), torch.zeros(3, 0), torch.complex(grid, grid),
        torch.nn.Linear(2, 2), torch.nn.Linear(2, 2), torch.nn.Dropout(0.1), torch.nn.Dropout(0.2),
    ]  # fmt: skip
    found = [digest_object(value) for value in values]
    assert len(set(found)) == len(values)
    # As read in another process: its storage lies elsewhere.
    assert [digest_object(pickle.loads(pickle.dumps(value))) for value in values] == found
    with pytest.raises(SerializationError):
        digest_object(grid.to_sparse())
