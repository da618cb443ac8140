"""Values in modules that refuse to be looked at stop no run; what cannot be set back is named."""

import importlib
import sys

import pytest

from penstock.execution import QuietReporter, run
from penstock.provenance import StateKeeper

HEAD = "import array, collections, functools, itertools, types\nimport numpy as np\n"

ODD = {
    "a stand-in for a dict": "X = unittest.mock.Mock(spec=dict)",
    "a stand-in for a list": "X = unittest.mock.Mock(spec=list)",
    "a stand-in for a tuple": "X = unittest.mock.Mock(spec=tuple)",
    "a proxy that is not set up": "X = Unset()",
    "a proxy of what is gone": "X = weakref.proxy(Plain())",
    "a slot behind __getattr__": "X = Slotted()",
    "a dict with its own values": "X = Items(a=1)",
    "a set without comparison": "X = Uncomparable([1])",
    "a key without repr": "X = {Silent(): [1]}",
    "a large array of times": "X = np.zeros(200_000, dtype='M8[s]')",
    "a tensor made for inference": "X = tensor()",
    "a stand-in for a module": "sys.modules['no_gpu_here'] = Anything()",
}
PROGRAM = """
import sys, unittest.mock, weakref
import numpy as np
import penstock as ps

class Plain: pass

class Unset:
    @property
    def __class__(self): raise RuntimeError("not set up")

class Slotted:
    __slots__ = ("a",)
    def __getattr__(self, name): raise RuntimeError("not open")

class Items(dict):
    def values(self): return None
    def items(self): return None

class Uncomparable(set):
    def __ne__(self, other): raise RuntimeError("no")

class Silent:
    def __repr__(self): raise RuntimeError("no")

class Anything:
    def __getattr__(self, name): return Anything()

def tensor():
    import torch
    with torch.inference_mode():
        return torch.zeros(3)

@ps.step
def one() -> int:
    return 1

@ps.pipeline
def p():
    return one()
"""


@pytest.mark.parametrize("value", ODD.values(), ids=ODD.keys())
def test_a_value_that_refuses_to_be_looked_at_stops_no_run(tmp_path, monkeypatch, value):
    monkeypatch.setitem(sys.modules, "no_gpu_here", None)
    file = tmp_path / "pipe.py"
    file.write_text(f"{PROGRAM}\n{value}\n")

    result = run(str(file), store=f"sqlite:///{tmp_path}/s.db", reporter=QuietReporter())

    assert result.output() == 1


CHANGED = {
    "a large array of objects": ("np.array([None] * 200_000)", "X[0] = 1", "X[0]"),
    "a large array of times": ("np.zeros(200_000, 'M8[s]')", "X[0] = 9", "str(X[0])"),
}


@pytest.mark.parametrize(("made", "change", "look"), CHANGED.values(), ids=CHANGED.keys())
def test_what_changes_in_place_is_set_back_or_named_as_lost(
    tmp_path, monkeypatch, made, change, look
):
    (tmp_path / "kept_values.py").write_text(f"{HEAD}\nX = {made}\ndef change():\n    {change}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "kept_values", raising=False)
    names = vars(importlib.import_module("kept_values"))
    before = repr(eval(look, names))

    with StateKeeper().kept() as changes:
        names["change"]()

    assert repr(eval(look, names)) == before or changes.lost == ["kept_values.X"]
