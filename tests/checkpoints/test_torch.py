"""A training that was killed and continued ends with the bits of one that was not."""

import math
from collections import Counter
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason='torch is not installed: pip install "penstock[torch]"')

from penstock.checkpoints import TorchCheckpoint  # noqa: E402 - after the skip
from penstock.checkpoints._state import pack_state, unpack_state  # noqa: E402 - after the skip
from penstock.core import ParameterError, SerializationError  # noqa: E402 - after the skip
from penstock.tracking import start_run  # noqa: E402 - after the skip


def training(steps, *, checkpoint=True, stop=None):
    torch.manual_seed(1)
    model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Dropout(0.5), torch.nn.Linear(4, 1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, amsgrad=True)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [3, 5])
    done = 0
    if checkpoint:
        saved = TorchCheckpoint(model=model, optimizer=optimizer, scheduler=scheduler)
        done = (saved.load() or {"done": 0})["done"]
    for number in range(done, steps):
        if number == stop:
            return None
        model(torch.randn(5, 4)).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
        scheduler.step()
        if checkpoint:
            saved.save(done=number + 1)
    return {name: each.clone() for name, each in model.state_dict().items()}


def test_a_stopped_training_continues_with_the_same_bits(tmp_path):
    expected = training(8, checkpoint=False)
    with start_run(store=f"sqlite:///{tmp_path}/store.db"):
        assert training(8, stop=4) is None
        found = training(8)
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_a_state_comes_back_exactly():
    state: dict[Any, Any] = {
        "float": 0.1, "infinite": math.inf, "none": None, "tuple": (1, (2.5, "x")), 3: [True],
        "counter": Counter({4: 1}), "half": torch.randn(3).to(torch.bfloat16),
        "shared": [(whole := torch.arange(6)), whole[2:4], whole.reshape(2, 3).T],
    }  # fmt: skip
    found: dict[Any, Any] = unpack_state(pack_state(state))
    assert {name: found[name] for name in ("float", "infinite", "none", "tuple", 3, "counter")} == {
        name: state[name] for name in ("float", "infinite", "none", "tuple", 3, "counter")
    }
    assert found["half"].dtype == torch.bfloat16
    assert torch.equal(found["half"], state["half"])
    assert all(map(torch.equal, found["shared"], state["shared"]))


def test_objects_that_need_a_pickle_are_refused_by_place():
    with pytest.raises(SerializationError, match=r"state\['groups'\]\[0\] is a builtins.object"):
        pack_state({"groups": [object()]})


def test_parts_without_a_state_are_refused():
    with pytest.raises(ParameterError, match="epoch=int has no state_dict"):
        TorchCheckpoint(epoch=3)
    with pytest.raises(ParameterError, match="nothing"):
        TorchCheckpoint()


def test_other_parts_than_saved_are_named(tmp_path):
    model = torch.nn.Linear(2, 2)
    with start_run(store=f"sqlite:///{tmp_path}/store.db"):
        TorchCheckpoint(model=model).save()
        with pytest.raises(ParameterError, match=r"differ in the part 'modell?'"):
            TorchCheckpoint(modell=model).load()
