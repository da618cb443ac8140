"""Values in modules that refuse to be looked at stop no run; what cannot be set back is named."""

import importlib
import sys
import time

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
    if "tensor()" in value:
        pytest.importorskip("torch", reason="torch is not installed: pip install torch")
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

    with StateKeeper().kept(names["change"]) as changes:
        names["change"]()

    assert repr(eval(look, names)) == before or changes.lost == ["kept_values.X"]


# How a step's code gets at a module of which nothing stands in its own.
REACHED = {
    "an import of it": ("import far_away", "far_away.change()"),
    "a name of it": ("from far_away import change", "change()"),
    "an object of it": ("from far_away import KEPT", "KEPT.change()"),
    "a bound method": ("from far_away import KEPT; call = KEPT.change", "call()"),
    "a part of a call": ("import functools, far_away; call = functools.partial(far_away.change)", "call()"),
    "an import in the function": ("", "import far_away; far_away.change()"),
    "an import in a helper": ("def helper():\n    from far_away import X; X.append(1)", "helper()"),
    "its name": ("import importlib", "importlib.import_module('far_away').change()"),
    "a name that is computed": (
        "import importlib",
        "importlib.import_module('far_' + 'yawa'[::-1]).change()",
    ),
    "sys.modules": ("import sys", "sys.modules['far_' + 'yawa'[::-1]].change()"),
}  # fmt: skip


def take_in(monkeypatch, folder, head, body, *, crowd):
    """Load a module with so many objects, one without a tie to it, and one whose code reaches that."""
    (folder / "crowded.py").write_text("")
    (folder / "far_away.py").write_text(
        "X = []\ndef change(): X.append(1)\nclass Kept:\n    def change(self): X.append(1)\n"
        "KEPT = Kept()\n"
    )
    (folder / "near_by.py").write_text(f"{head}\ndef step():\n    {body}\n")
    monkeypatch.syspath_prepend(str(folder))
    names = ("crowded", "far_away", "near_by")
    # In a whole run the tables of other tests alone are more than is noted of a process.
    for name in (*names, *[each for each in sys.modules if each.startswith("tests.")]):
        monkeypatch.delitem(sys.modules, name, raising=False)
    crowded, far, near = map(importlib.import_module, names)
    crowded.X = [[[0] * 20 for _ in range(9_000)] for _ in range(crowd // 9_000)]  # type: ignore[attr-defined]
    return far, near


@pytest.mark.parametrize(("head", "body"), REACHED.values(), ids=REACHED.keys())
def test_what_a_step_reaches_is_set_back_among_many_modules(tmp_path, monkeypatch, head, body):
    far, near = take_in(monkeypatch, tmp_path, head, body, crowd=18_000)

    with StateKeeper().kept(near.step) as changes:
        near.step()
        assert far.X == [1]

    assert (far.X, changes.undone) == ([], ["far_away.X"])


def test_the_class_of_what_a_step_is_given_leads_to_its_module(tmp_path, monkeypatch):
    far, _ = take_in(monkeypatch, tmp_path, "", "pass", crowd=18_000)
    (tmp_path / "steps_only.py").write_text(
        "import penstock as ps\n@ps.step\ndef change(kept) -> int:\n    return kept[0].change() or 1\n"
    )
    (tmp_path / "pipe.py").write_text(
        "import penstock as ps\nimport far_away, steps_only\n"
        "@ps.pipeline\ndef p():\n    return steps_only.change([far_away.KEPT])\n"
    )

    result = run(
        str(tmp_path / "pipe.py"), store=f"sqlite:///{tmp_path}/s.db", reporter=QuietReporter()
    )

    assert (result.output(), far.X) == (1, [])


def test_modules_left_out_are_noted_once_a_step_may_look_for_any(tmp_path, monkeypatch):
    body = "sys.modules['far_away'].change()"
    far, near = take_in(monkeypatch, tmp_path, "import sys", body, crowd=18_000)
    (tmp_path / "first.py").write_text("def step(): pass\n")
    monkeypatch.delitem(sys.modules, "first", raising=False)
    keeper = StateKeeper()
    with keeper.kept(importlib.import_module("first").step):
        pass

    with keeper.kept(near.step):
        near.step()

    assert far.X == []


def test_however_much_other_modules_hold_those_of_the_step_are_set_back(tmp_path, monkeypatch):
    far, near = take_in(monkeypatch, tmp_path, "import far_away", "far_away.change()", crowd=63_000)

    with StateKeeper().kept(near.step):
        near.step()

    assert far.X == []


def test_modules_without_a_tie_to_a_step_cost_little(tmp_path, monkeypatch):
    _, near = take_in(monkeypatch, tmp_path, "", "pass", crowd=9_000)
    crowded = sys.modules["crowded"]

    def cost():
        keeper, times = StateKeeper(), []
        for _ in range(6):
            began = time.process_time()
            with keeper.kept(near.step):
                pass
            times.append(time.process_time() - began)
        return min(times)

    small = min(cost() for _ in range(3))
    crowded.X = [[[0] * 20 for _ in range(9_000)] for _ in range(5)]  # type: ignore[attr-defined]
    assert min(cost() for _ in range(3)) < 2.5 * small


def test_a_keeper_is_current_until_code_outside_of_its_blocks_changes_something(
    tmp_path, monkeypatch
):
    far, near = take_in(monkeypatch, tmp_path, "import far_away", "far_away.change()", crowd=10)
    keeper = StateKeeper()
    with keeper.kept(near.step):
        near.step()
    assert keeper.is_current()
    far.X.append("from outside")
    assert not keeper.is_current()
