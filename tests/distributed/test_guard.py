"""In a step with shards, sums in an order of the library's choice are refused by name."""

import pytest

torch = pytest.importorskip("torch", reason='torch is not installed: pip install "penstock[torch]"')

from penstock.core import ParameterError  # noqa: E402 - after the skip
from penstock.distributed import only_fixed_order  # noqa: E402 - after the skip


def test_floats_are_refused_and_integers_reach_torch():
    before = torch.distributed.all_reduce
    with only_fixed_order():
        with pytest.raises(ParameterError, match=r"torch\.distributed\.all_reduce of floats"):
            torch.distributed.all_reduce(torch.ones(3))
        with pytest.raises(ValueError, match="process group"):  # torch's own: none is initialized
            torch.distributed.all_reduce(torch.ones(3, dtype=torch.int64))
        with pytest.raises(ParameterError, match="DistributedDataParallel"):
            torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(2, 2))
    assert torch.distributed.all_reduce is before
