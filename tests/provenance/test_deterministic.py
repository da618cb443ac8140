"""Global generators and threads are set before a step, and given back after a run."""

# ruff: noqa: NPY002 - the legacy generator is what is tested

import os
import random
import subprocess
import sys
import textwrap
import threading
import types

import numpy as np
import pytest
import threadpoolctl

from penstock.provenance import deterministic, keep_generators


def test_random_and_numpy_repeat_under_one_seed():
    def draw():
        with deterministic(11, None):
            return random.random(), float(np.random.rand())

    assert draw() == draw()
    with deterministic(12, None):
        assert random.random() != draw()[0]


def test_the_callers_generators_are_given_back():
    random.seed(1)
    np.random.seed(1)
    expected = random.random(), float(np.random.rand())
    random.seed(1)
    np.random.seed(1)
    with keep_generators(), deterministic(5, None):
        random.random()
        np.random.rand()
    assert (random.random(), float(np.random.rand())) == expected


def test_threads_are_limited_inside_and_restored_after(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    np.ones((2, 2)) @ np.ones((2, 2))
    before = [pool["num_threads"] for pool in threadpoolctl.threadpool_info()]
    with deterministic(0, 1) as facts:
        assert facts["threads"] == 1
        assert os.environ["OMP_NUM_THREADS"] == "1"
        assert {pool["num_threads"] for pool in threadpoolctl.threadpool_info()} <= {1}
    assert "OMP_NUM_THREADS" not in os.environ
    assert [pool["num_threads"] for pool in threadpoolctl.threadpool_info()] == before


def test_without_a_limit_the_number_that_the_process_has_is_recorded(monkeypatch):
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    with threadpoolctl.threadpool_limits(1), deterministic(9, None) as facts:
        assert facts == {"seed": 9, "threads": 1, "hash_seed": "7"}


def test_numpy_imported_while_a_step_runs_is_seeded_too():
    code = """
    import sys
    from penstock.provenance import deterministic

    with deterministic(21, None):
        assert "numpy" not in sys.modules
        import numpy
        first = numpy.random.rand()
        assert numpy.random.__spec__.loader.__class__.__module__ != "penstock.provenance"
    numpy.random.seed(21)
    print(first == numpy.random.rand(), len(sys.meta_path))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("True")


def test_torch_is_seeded_and_made_deterministic_if_it_is_there(monkeypatch):
    calls = []
    torch = types.ModuleType("torch")
    torch.manual_seed = lambda seed: calls.append(("seed", seed))  # type: ignore[attr-defined]
    torch.set_deterministic_debug_mode = calls.append  # type: ignore[attr-defined]
    torch.backends = types.SimpleNamespace(  # type: ignore[attr-defined]
        cudnn=types.SimpleNamespace(benchmark=True, deterministic=False, allow_tf32=True),
        cuda=types.SimpleNamespace(matmul=types.SimpleNamespace(allow_tf32=True)),
    )
    torch.get_num_threads = lambda: 4  # type: ignore[attr-defined]
    torch.set_num_threads = lambda number: calls.append(("threads", number))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    with deterministic(3, 1):
        pass
    assert calls == [("seed", 3), "warn", ("threads", 1), ("threads", 4)]
    assert vars(torch.backends.cudnn) == {
        "benchmark": False, "deterministic": True, "allow_tf32": False,
    }  # fmt: skip
    assert torch.backends.cuda.matmul.allow_tf32 is False
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":16:8"


def test_a_switch_that_the_block_changed_is_recorded_and_set_again():
    torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch")
    with deterministic(3, None) as facts:
        torch.backends.cudnn.benchmark = True
    assert facts["switched"] == ["cudnn.benchmark=True"]
    assert facts["switches"]["cudnn.benchmark"] is True
    assert torch.backends.cudnn.benchmark is False


def test_without_switches_torch_has_its_own_values_for_the_block_only():
    torch = pytest.importorskip("torch", reason="torch is not installed: pip install torch")
    with deterministic(3, None, switches=False) as facts:
        assert torch.get_deterministic_debug_mode() == 0
        assert torch.backends.cudnn.allow_tf32
    assert "switched" not in facts
    assert facts["switches"]["deterministic algorithms"] == "default"
    assert torch.get_deterministic_debug_mode() == 1


def test_torch_is_deterministic_without_loading_its_compiler():
    pytest.importorskip("torch", reason="torch is not installed: pip install torch")
    script = """
import sys

import torch

from penstock.provenance import deterministic

with deterministic(7, None):
    assert torch.are_deterministic_algorithms_enabled()
    assert torch.is_deterministic_algorithms_warn_only_enabled()
    assert "torch._inductor" not in sys.modules
    import torch._inductor.config as config

    assert config.deterministic
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_block_that_ends_in_another_thread_leaves_the_generators_to_who_still_draws():
    random.seed(1)
    before, opened, closed = random.getstate(), threading.Event(), threading.Event()

    def other():
        with keep_generators():
            opened.set()
            closed.wait()

    thread = threading.Thread(target=other)
    thread.start()
    opened.wait()
    with keep_generators():
        random.seed(2)
        drawn = random.random()
        random.seed(2)
        closed.set()
        thread.join()
        assert random.random() == drawn
        with keep_generators():  # a run inside of a step
            random.seed(3)
        random.seed(2)
        with keep_generators():
            random.seed(3)
        assert random.random() == drawn
    assert random.getstate() == before
