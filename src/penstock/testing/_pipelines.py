"""Pipelines in tests: run in milliseconds, in a separate store, and a failing step raises."""

import atexit
import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from penstock.core import StepError
from penstock.execution import PipelineResult, QuietReporter, run
from penstock.pipelines import Pipeline
from penstock.stores import Store, open_store


def run_pipeline(
    pipeline: Pipeline[..., Any], *, store: Store | None = None, **options: Any
) -> PipelineResult:
    """Run a pipeline in a test: nothing is printed or reused, and a failing step raises.

    >>> import penstock as ps
    >>> @ps.step
    ... def double(number: int) -> int:
    ...     return 2 * number
    >>> @ps.pipeline
    ... def job(number: int = 1) -> int:
    ...     return double(number)
    >>> result = run_pipeline(job, number=4)
    >>> result.output(), result.output("double")
    (8, 8)

    Args:
        pipeline: The pipeline.
        store: Store that records the run; by default a temporary store of this process.
        **options: Parameters of the pipeline, and options of `penstock.run`.

    Raises:
        StepError: If a step failed, with the step's traceback.
        ParameterError: If a parameter or option cannot be used.
    """
    options = {"use_cache": False, "reporter": QuietReporter(), **options}
    result = run(pipeline, store=store or _own_store(os.getpid()), **options)
    if not result.ok:
        failed = next((step for step in result.steps if step.error and step.traceback), None)
        raise StepError(
            what=result.error or f"The run is {result.state.value}.",
            why="" if failed is None else f"\n{failed.traceback}",
            step=None if failed is None else failed.step,
        )
    return result


@lru_cache(maxsize=1)
def _own_store(_pid: int) -> Store:
    """Return the store of this process: a forked test worker makes a new store."""
    folder = TemporaryDirectory(prefix="penstock-testing-", ignore_cleanup_errors=True)
    atexit.register(folder.cleanup)
    place = folder.name  # artifacts too: the project may keep its own in a bucket
    return open_store(f"sqlite:///{place}/penstock.db", artifacts=f"{place}/artifacts")


@pytest.fixture
def penstock_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """Fixture: a fresh store, which is also the default of all calls in the test.

    To be imported in ``conftest.py``: ``from penstock.testing import penstock_store``.
    """
    url = f"sqlite:///{tmp_path}/.penstock/penstock.db"
    monkeypatch.setenv("PENSTOCK_STORE", url)
    monkeypatch.setenv("PENSTOCK_ARTIFACTS", f"{tmp_path}/.penstock/artifacts")
    with open_store(url) as store:
        yield store
