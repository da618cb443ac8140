"""The recorded number of threads is that of the loaded libraries, whatever the process did before."""

import os
import subprocess
import sys

import numpy as np
import pytest
import threadpoolctl

from penstock.provenance._thread_pools import available_threads, limited_threads, present_threads


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch):
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    np.ones((2, 2)) @ np.ones((2, 2))


def numbers() -> set[int]:
    return {pool["num_threads"] for pool in threadpoolctl.threadpool_info()}


def test_a_limit_that_the_process_was_told_is_the_number_it_has():
    several = available_threads() + 1
    for told in (1, several):
        with threadpoolctl.threadpool_limits(told):
            assert present_threads() == told
            with limited_threads(present_threads()) as count:
                assert (count, numbers()) == (told, {told})
            assert numbers() == {told}


def test_of_several_limits_the_smallest_is_set_for_all():
    several = available_threads() + 1
    with threadpoolctl.threadpool_limits({"blas": several, "openmp": several + 1}):
        assert present_threads() == several
        with limited_threads(present_threads()):
            assert numbers() == {several}


def test_the_available_number_is_set_where_the_process_was_told_another():
    several, available = available_threads() + 1, available_threads()
    with threadpoolctl.threadpool_limits(several), limited_threads(available) as count:
        assert numbers() == {count} == {available}


def test_inside_a_limit_the_limit_is_what_is_available():
    with limited_threads(available_threads() + 1) as outer:
        assert available_threads() == present_threads() == outer


@pytest.mark.parametrize("variable", ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"])
def test_a_librarys_own_variable_is_no_limit_of_the_process(variable):
    """A child process has the same variable: nothing has to be set."""
    code = (
        "import numpy\n"
        "from penstock.provenance._thread_pools import available_threads, present_threads\n"
        "print(available_threads(), present_threads())"
    )
    environment = {**os.environ, variable: "3"}
    told = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    available = 3 if variable == "OMP_NUM_THREADS" else available_threads()
    assert told.stdout.split() == [str(available)] * 2
